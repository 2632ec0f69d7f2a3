// OpenSSL 3 for Swift: what its headers give as macros, and work that is only C type juggling.
//
// All objects are OpenSSL's own, behind the opaque types below; functions that return int return 1 when they succeed and
// leave the reason of a failure in OpenSSL's error queue, from where copenssl_take_error fetches it.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct x509_st X509;
struct x509_store_ctx_st;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_mac_ctx_st EVP_MAC_CTX;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;

// ---- errors

// The library and reason of the newest error in the queue, which is emptied. The text is static; NULL when the queue was
// empty.
struct copenssl_error {
  int library;
  int reason;
  const char *text;
};
struct copenssl_error copenssl_take_error(void);
// What an alert says, for instance `bad record mac`.
const char *copenssl_alert_name(int alert);
// The text of an errno.
const char *copenssl_system_text(int error);
// The queue counts as 0 errors afterwards.
void copenssl_clear_errors(void);
int copenssl_has_error(void);

extern const int copenssl_library_ssl;
extern const int copenssl_reason_certificate_verify_failed;
extern const int copenssl_reason_no_shared_cipher;
extern const int copenssl_reason_wrong_version_number;
extern const int copenssl_reason_http_request;
extern const int copenssl_reason_unsupported_protocol;
extern const int copenssl_reason_unexpected_eof;
extern const int copenssl_reason_peer_did_not_return_a_certificate;
// Reasons from this on are alerts that the peer sent: 1000 and the alert's number (RFC 8446 §6).
extern const int copenssl_reason_alert;

const char *copenssl_version(void);

// ---- contexts

static const int copenssl_verify_off = 0;
static const int copenssl_verify_optional = 1;
static const int copenssl_verify_required = 2;

// A context with this project's fixed choices: released buffers, partial writes, no session cache, one ticket, no
// renegotiation, no compression, the server's order of ciphers, but ChaCha20 for clients that put it first. Versions are
// 0x0301 to 0x0304.
SSL_CTX *copenssl_context(bool server, int minimum_version, int maximum_version);
void copenssl_context_free(SSL_CTX *context);
int copenssl_use_chain(SSL_CTX *context, const uint8_t *pem, size_t length);
// Never asks for a passphrase: an encrypted key is an error.
int copenssl_use_key(SSL_CTX *context, const uint8_t *pem, size_t length);
// Trusts the certificates; a server also names them to its clients.
int copenssl_use_trust(SSL_CTX *context, const uint8_t *pem, size_t length);
int copenssl_use_system_trust(SSL_CTX *context);
void copenssl_set_verify(SSL_CTX *context, int mode);
int copenssl_set_ciphers(SSL_CTX *context, const char *list);
int copenssl_set_suites(SSL_CTX *context, const char *list);
int copenssl_set_session_identity(SSL_CTX *context, const uint8_t *identity, size_t length);
// Chooses the context by the name that the client sent, before a version or a session is: the callback returns one to
// switch to, or NULL.
void copenssl_set_name_callback(SSL_CTX *context, SSL_CTX *(*choose)(const char *name, void *argument), void *argument);

// Has the secrets of its connections written to a file, which must stay open as long as they live. Takes the context's key log
// callback if it is free; whoever has it calls copenssl_key_log_line in it.
int copenssl_set_key_log(SSL_CTX *context, int descriptor);
void copenssl_key_log_line(const SSL *connection, const char *line);

// ---- connections

enum copenssl_status {
  copenssl_done,
  copenssl_want_read,
  copenssl_want_write,
  copenssl_closed,  // the peer sent close_notify
  copenssl_cut,     // the transport ended without it
  copenssl_system,  // `error` has the errno
  copenssl_failed,  // the reason is in the error queue
};

struct copenssl_result {
  enum copenssl_status status;
  int count;  // octets, when done
  int error;
};

SSL *copenssl_connection(SSL_CTX *context, int descriptor, bool server);
void copenssl_connection_free(SSL *connection);
int copenssl_set_server_name(SSL *connection, const char *name);
struct copenssl_result copenssl_handshake(SSL *connection);
struct copenssl_result copenssl_read(SSL *connection, void *buffer, size_t length);
struct copenssl_result copenssl_write(SSL *connection, const void *buffer, size_t length);
int copenssl_pending(SSL *connection);
// Sends close_notify if that is possible without waiting.
void copenssl_shutdown(SSL *connection);
const char *copenssl_protocol_name(SSL *connection);
const char *copenssl_cipher_name(SSL *connection);
int copenssl_cipher_bits(SSL *connection);
const char *copenssl_server_name(SSL *connection);
bool copenssl_is_resumed(SSL *connection);
// Whether the peer's certificate was asked for, came and was proved.
bool copenssl_is_verified(SSL *connection);
// The text of the verification's result; NULL when it is good.
const char *copenssl_verify_error(SSL *connection);
// Borrowed from the connection; NULL when the peer sent none.
X509 *copenssl_peer_certificate(SSL *connection);

// ---- certificates

static const int copenssl_name_dns = 2;
static const int copenssl_name_uri = 6;
static const int copenssl_name_address = 7;

X509 *copenssl_certificate_parse(const uint8_t *pem, size_t length);
void copenssl_certificate_free(X509 *certificate);
// Writes the name in the order and escaping of RFC 2253 §2; returns its length, cut to `size`.
int copenssl_subject(X509 *certificate, char *buffer, int size);
int copenssl_issuer(X509 *certificate, char *buffer, int size);
// The last common name of the subject in UTF-8; returns its length, -1 when there is none.
int copenssl_common_name(X509 *certificate, char *buffer, int size);
// Seconds since 1970; 0 when it can't be read.
int64_t copenssl_not_before(X509 *certificate);
int64_t copenssl_not_after(X509 *certificate);
// The SHA-256 of the whole certificate.
int copenssl_fingerprint(X509 *certificate, uint8_t output[32]);
// Writes the serial number in hexadecimal, colonless; returns its length.
int copenssl_serial(X509 *certificate, char *buffer, int size);
// Subject alternative names; NULL when the certificate has none at all.
void *copenssl_names(X509 *certificate);
int copenssl_names_count(void *names);
// The type of name `index` (RFC 5280 §4.2.1.6) and, for the three types above, its octets, borrowed.
int copenssl_names_get(void *names, int index, const uint8_t **octets, size_t *length);
void copenssl_names_free(void *names);

// A kind of key is this or the number of bits of an RSA key.
static const int copenssl_key_p256 = 0;
static const int copenssl_use_authority = 0;
static const int copenssl_use_server = 1;
static const int copenssl_use_client = 2;

struct copenssl_alternative {
  int type;
  const uint8_t *octets;
  size_t length;
};

EVP_PKEY *copenssl_key_make(int kind);
EVP_PKEY *copenssl_key_parse(const uint8_t *pem, size_t length);
void copenssl_key_free(EVP_PKEY *key);
// Makes and signs a certificate; without `issuer` it signs itself. Valid from an hour ago for so many days.
X509 *copenssl_certificate_make(EVP_PKEY *key, const char *common_name, const struct copenssl_alternative *names,
                                int count, int use, int days, X509 *issuer, EVP_PKEY *issuer_key);
bool copenssl_key_belongs(X509 *certificate, EVP_PKEY *key);
// PEM in memory that copenssl_pem_free wipes and frees; NULL when it fails.
uint8_t *copenssl_certificate_pem(X509 *certificate, size_t *length);
uint8_t *copenssl_key_pem(EVP_PKEY *key, size_t *length);
void copenssl_pem_free(uint8_t *pem, size_t length);
// Checks the leaf for `use` against the trusted certificate as a verifier would: NULL when good, else why not.
const char *copenssl_certificate_check(X509 *leaf, X509 *trusted, int use);

// ---- hashes and keyed checks

EVP_MD *copenssl_digest_fetch(const char *name);
void copenssl_digest_free(EVP_MD *digest);
EVP_MD_CTX *copenssl_digest_context(void);
void copenssl_digest_context_free(EVP_MD_CTX *context);
int copenssl_digest_start(EVP_MD_CTX *context, const EVP_MD *digest);
int copenssl_digest_add(EVP_MD_CTX *context, const void *octets, size_t length);
int copenssl_digest_end(EVP_MD_CTX *context, uint8_t *output);

// HMAC-SHA-256 with the key inside.
EVP_MAC_CTX *copenssl_hmac(const uint8_t *key, size_t length);
int copenssl_hmac_compute(EVP_MAC_CTX *context, const void *octets, size_t length, uint8_t output[32]);
void copenssl_mac_free(EVP_MAC_CTX *context);
int copenssl_hkdf(const uint8_t *secret, size_t secret_length, const uint8_t *salt, size_t salt_length,
                  const uint8_t *information, size_t information_length, uint8_t *output, size_t length);

// AES-128-SIV (RFC 5297) without associated data: tag of 16 octets, then the ciphertext.
struct copenssl_siv;
struct copenssl_siv *copenssl_siv_make(const uint8_t key[32]);
void copenssl_siv_free(struct copenssl_siv *siv);
// Writes length + 16 octets.
int copenssl_siv_seal(struct copenssl_siv *siv, const uint8_t *plain, size_t length, uint8_t *output);
// Writes length - 16 octets; on 0 what was written means nothing.
int copenssl_siv_open(struct copenssl_siv *siv, const uint8_t *sealed, size_t length, uint8_t *output);

bool copenssl_equal(const void *left, const void *right, size_t length);
void copenssl_wipe(void *octets, size_t length);
int copenssl_random(void *octets, size_t length);

#include "Profiles.h"
#include "Revocation.h"
#include "Tickets.h"

#endif
