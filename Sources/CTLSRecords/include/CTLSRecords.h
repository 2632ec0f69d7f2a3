// The record layer of established TLS connections (RFC 8446 §5, RFC 5246 §6 with AEAD suites): what is left of a
// connection when OpenSSL has done its handshake. A connection is some 300 octets in memory that no core dump shows.
//
// A connection belongs to one thread at a time; all connections of a thread share cipher contexts and buffers. Sockets are
// non-blocking and stay their owner's.
#ifndef CTLSRECORDS_H
#define CTLSRECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
struct tlsrecords;

// ---- from a handshake to a connection

// Makes the context tell the traffic secrets of its connections, for the connections that ask with tlsrecords_watch.
void tlsrecords_prepare(SSL_CTX *context);
// Every line of NSS's key log format is told to `sink` from now on, without a line break; NULL: no more.
void tlsrecords_set_key_log(void (*sink)(const SSL *connection, const char *line));
// Notes what the handshake of the connection, which has its descriptor and hasn't begun, brings forth. NULL when memory lacks.
struct tlsrecords *tlsrecords_watch(SSL *connection);
// Takes over from the SSL object when its handshake has just succeeded and nothing was read or written since. False when
// that can't be done, and the SSL object goes on. The caller frees the object in both cases, by tlsrecords_release after true.
bool tlsrecords_take_over(struct tlsrecords *connection, SSL *source);
// Frees the SSL object of a connection that goes on without it; its session stays good for resumption.
void tlsrecords_release(SSL *source);
// Wipes and frees.
void tlsrecords_free(struct tlsrecords *connection);

// ---- octets

enum tlsrecords_status {
  tlsrecords_done,
  tlsrecords_want_read,
  tlsrecords_want_write,
  tlsrecords_closed,     // the peer sent close_notify
  tlsrecords_cut,        // the transport ended without it
  tlsrecords_system,     // `error` is the errno
  tlsrecords_refused,    // the peer sent what it may not; `error` is the alert that told it so (RFC 8446 §6)
  tlsrecords_alerted,    // the peer sent the fatal alert `error`
  tlsrecords_exhausted,  // the keys have been used as often as they may be (TLS 1.2 has no new ones)
};

struct tlsrecords_result {
  enum tlsrecords_status status;
  int count;  // octets, when done
  int error;
};

// Reads what has come, at most `length` octets, several records if so many are there. After anything but done and the
// wants the connection is of no more use.
struct tlsrecords_result tlsrecords_read(struct tlsrecords *connection, int descriptor, void *buffer, size_t length);
// Seals and sends. After a want the same octets must come first in the next call: they are sealed already, and never again.
struct tlsrecords_result tlsrecords_write(struct tlsrecords *connection, int descriptor, const void *octets,
                                          size_t length);
// Whether a read gets octets without the socket being readable.
bool tlsrecords_has_pending(const struct tlsrecords *connection);
// Sends close_notify if that is possible without waiting, once.
void tlsrecords_shutdown(struct tlsrecords *connection, int descriptor);
// New keys for what we send (RFC 8446 §4.6.3); `asks`: the peer is to take new ones as well. Returns 1 when it is on its
// way, 0 for TLS 1.2.
int tlsrecords_update_keys(struct tlsrecords *connection, int descriptor, bool asks);

// ---- facts

uint16_t tlsrecords_version(const struct tlsrecords *connection);
uint16_t tlsrecords_suite(const struct tlsrecords *connection);
bool tlsrecords_is_server(const struct tlsrecords *connection);
// Records under the present keys in both directions.
uint64_t tlsrecords_sent(const struct tlsrecords *connection);
uint64_t tlsrecords_received(const struct tlsrecords *connection);
// After so many records under one key, for the connections of this thread, it is changed, or the connection closed (default: 2^23, at most 2^24).
void tlsrecords_set_limit(uint64_t records);

struct tlsrecords_memory {
  size_t connections;
  size_t octets;   // of the memory for keys, used or not
  bool is_locked;  // whether the system keeps all of it out of the swap
};
struct tlsrecords_memory tlsrecords_memory(void);

// ---- moving to another process

// The most octets that the state takes without what was read or sealed and not sent.
static const size_t tlsrecords_state_size = 304;
// Writes the state, in version 1 of its format, and what was read and not opened, sealed and not sent; returns its length, or
// the length that is needed when `size` is less. The connection must not be used afterwards by this process, save to be freed.
size_t tlsrecords_export(const struct tlsrecords *connection, uint8_t *output, size_t size);
// NULL when the octets aren't exactly such a state or memory lacks.
struct tlsrecords *tlsrecords_import(const uint8_t *octets, size_t length);

// Overwrites a state that is needed no more.
void tlsrecords_wipe(void *octets, size_t length);

// ---- for tests

// Seals a record of any type and content, as only a hostile peer would, and sends it. 1 when it succeeds.
int tlsrecords_send(struct tlsrecords *connection, int descriptor, uint8_t type, const void *content, size_t length);

// HKDF-Expand-Label (RFC 8446 §7.1) without context; `is_long`: SHA-384 instead of SHA-256. 1 when it succeeds.
int tlsrecords_expand_label(bool is_long, const uint8_t *secret, const char *label, uint8_t *output, size_t length);

#endif
