// Keys that seal session tickets (RFC 5077 §4, RFC 8446 §4.6.1): the same in all workers of a cluster, so that a client goes on
// with its session at any of them.
#ifndef COPENSSL_TICKETS_H
#define COPENSSL_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct x509_st X509;

struct copenssl_tickets;

// A name of 16 octets that the ticket carries in the clear, a key for AES-256 and one for HMAC-SHA-256.
static const size_t copenssl_ticket_keys_size = 80;

// With a random key of this process alone, until others are added; NULL when memory or randomness lacks.
struct copenssl_tickets *copenssl_tickets_make(void);
// Wipes and frees.
void copenssl_tickets_free(struct copenssl_tickets *tickets);
// The keys of an epoch. Those of the newest seal; those of the newest two open.
void copenssl_tickets_add(struct copenssl_tickets *tickets, uint64_t epoch, const uint8_t *keys);
// Lets a server's context seal and open tickets with these keys, which must outlive its handshakes.
int copenssl_use_tickets(SSL_CTX *context, struct copenssl_tickets *tickets);
// Asks, before a session is continued in which the client proved a certificate, whether that still counts; if not, there is a
// full handshake. To be set for the context that handshakes begin with; `context`: the one that the server name chose.
int copenssl_set_session_judge(SSL_CTX *context, bool (*judge)(SSL_CTX *context, X509 *certificate, void *argument),
                               void *argument);
// Gives out no tickets and takes none.
void copenssl_forbid_tickets(SSL_CTX *context);

#endif
