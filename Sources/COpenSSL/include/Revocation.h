// Revocation: lists of revoked certificates (RFC 5280 §5), OCSP (RFC 6960), stapled answers (RFC 6066 §8) and the demand
// for them (RFC 7633). Conventions as in COpenSSL.h, which includes this.
#ifndef COPENSSL_REVOCATION_H
#define COPENSSL_REVOCATION_H

typedef struct X509_crl_st X509_CRL;

// ---- verification

// Results of a verification, as copenssl_verify_code gives them.
extern const long copenssl_code_revoked;
extern const long copenssl_code_crl_expired;
extern const long copenssl_code_crl_not_yet_valid;
extern const long copenssl_code_no_crl;

// What the verification of the peer's certificate ended with.
long copenssl_verify_code(SSL *connection);
// The context that a connection uses now: another than it began with when the client's server name chose it.
SSL_CTX *copenssl_connection_context(SSL *connection);
// Certificate `index` of the chain that was proved, the peer's own first; borrowed; NULL beyond its end and for a resumed
// session.
X509 *copenssl_proved(SSL *connection, int index);
// A certificate among the trusted ones that could have issued `certificate`; to be freed; NULL when there is none.
X509 *copenssl_trusted_issuer(SSL_CTX *context, X509 *certificate);
// Whether `issuer` has the name and the key identifier by which `certificate` names its issuer; no signature is checked.
bool copenssl_may_have_issued(X509 *issuer, X509 *certificate);
X509 *copenssl_certificate_retain(X509 *certificate);
// SHA-256 of the whole certificate.
int copenssl_certificate_digest(X509 *certificate, uint8_t digest[32]);

static const int copenssl_serial_size = 64;
// The octets of the serial number; their count, -1 when it is negative or longer than `copenssl_serial_size`.
int copenssl_serial_octets(X509 *certificate, uint8_t *octets);

// ---- lists

// Reads one list in DER, or any number in PEM; returns how many, at most `capacity`; -1 when there is none or one is bad.
int copenssl_crls_read(const uint8_t *octets, size_t length, X509_CRL **lists, int capacity);
void copenssl_crl_free(X509_CRL *list);
// In the form of copenssl_issuer.
int copenssl_crl_issuer(X509_CRL *list, char *buffer, int size);
// Seconds since 1970; 0 when there is none.
int64_t copenssl_crl_this_update(X509_CRL *list);
int64_t copenssl_crl_next_update(X509_CRL *list);
int copenssl_crl_count(X509_CRL *list);
// Whether the list names the certificate of that serial number.
bool copenssl_crl_revokes(X509_CRL *list, const uint8_t *serial, size_t length);
// 1: it is the issuer's and signed by it; 0: it has its name but not its signature; -1: it is another's.
int copenssl_crl_belongs(X509_CRL *list, X509 *issuer);
// The same for all trusted certificates; 1 when it is signed by one, -1 when it is nobody's of them.
int copenssl_crl_is_trusted(SSL_CTX *context, X509_CRL *list);
// Has peers' certificates checked by these lists: the peer's own only, or all up to the root. The peer's own needs a list of
// its issuer; the others are checked where there is one. With `tolerant` a list that has expired counts as one that hasn't.
int copenssl_use_crls(SSL_CTX *context, X509_CRL *const *lists, int count, bool whole_chain, bool tolerant);

// ---- OCSP

// The first OCSP responder that the certificate names; its length, -1 when it names none.
int copenssl_responder(X509 *certificate, char *buffer, int size);
// Whether the certificate demands a stapled answer (RFC 7633).
bool copenssl_demands_staple(X509 *certificate);
// Writes a request without signature and nonce for the certificate of that serial number; its length, -1 when it fails.
int copenssl_ocsp_request(X509 *issuer, const uint8_t *serial, size_t length, uint8_t *buffer, int size);

static const int copenssl_ocsp_useless = -1;
static const int copenssl_ocsp_good = 0;
static const int copenssl_ocsp_revoked = 1;
static const int copenssl_ocsp_unknown = 2;

struct copenssl_ocsp_answer {
  // One of the four above; useless: `problem` says why.
  int status;
  // Seconds since 1970; next_update is 0 when newer answers are always to be had.
  int64_t this_update;
  int64_t next_update;
  const char *problem;
};
// What a response says of a certificate. It counts only if it is signed by the issuer, or by whom the issuer appointed by
// a certificate for it (RFC 6960 §4.2.2.2), and if it is the time of it.
struct copenssl_ocsp_answer copenssl_ocsp_read(const uint8_t *response, size_t length, X509 *issuer,
                                               const uint8_t *serial, size_t serial_length);

// ---- stapling

// Our certificate number `index`, for whoever has several; borrowed. `issuer`: as far as it is among those sent along or
// trusted, to be freed; else NULL.
X509 *copenssl_own_certificate(SSL_CTX *context, int index, X509 **issuer);
// Sends this response to clients that ask for it while we show that certificate; no octets: none from now on.
int copenssl_set_staple(SSL_CTX *context, X509 *certificate, const uint8_t *response, size_t length);
// Has clients of this context ask for a response.
int copenssl_want_staple(SSL_CTX *context);
// The response that the server sent along, borrowed; its length, 0 when it sent none.
size_t copenssl_staple(SSL *connection, const uint8_t **octets);

#endif
