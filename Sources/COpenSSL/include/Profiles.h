// What profiles choose beyond certificates and versions, and what certificates are looked through for before they are used.
// Conventions as in COpenSSL.h, which includes this.
#ifndef COPENSSL_PROFILES_H
#define COPENSSL_PROFILES_H

// ---- failures

extern const int copenssl_reason_version_too_low;
extern const int copenssl_reason_version_too_high;
extern const int copenssl_reason_no_protocols_available;
extern const int copenssl_reason_wrong_ssl_version;
// The alert protocol_version (RFC 8446 §6.2).
extern const int copenssl_alert_protocol_version;

// Results of a verification, as copenssl_verify_code gives them.
extern const long copenssl_code_expired;
extern const long copenssl_code_not_yet_valid;
extern const long copenssl_code_self_signed;
extern const long copenssl_code_self_signed_in_chain;
extern const long copenssl_code_no_issuer;
extern const long copenssl_code_no_local_issuer;
extern const long copenssl_code_unverified_leaf;
extern const long copenssl_code_purpose;
extern const long copenssl_code_invalid_authority;
extern const long copenssl_code_chain_too_long;

// ---- choices

// Authorities above the peer's own certificate at most.
void copenssl_set_depth(SSL_CTX *context, int depth);
// Groups for the key exchange, the preferred first, with colons between; another context's connections take them over when
// their server name leads to this one.
int copenssl_set_groups(SSL_CTX *context, const char *list);
// OpenSSL's security level: 2 asks for 112 bits, 0 is what TLS before 1.2 and suites that don't encrypt need.
void copenssl_set_security(SSL_CTX *context, int level);
// Gives a connection what it has of its own and not of the context that it now has: verification, versions, groups.
int copenssl_follow(SSL *connection, SSL_CTX *context);
// Hears of each result of a verification: certificates for SIP domains pass as those for TLS do (RFC 5924).
int copenssl_judge_purpose(int good, struct x509_store_ctx_st *verification);

// ---- looking at certificates

// Reads certificates in PEM one after the other; returns how many, at most `capacity`; -1 when one can't be read.
int copenssl_certificates_read(const uint8_t *pem, size_t length, X509 **certificates, int capacity);
// Whether `issuer` signed `certificate`, names, keys and signature.
bool copenssl_issued(X509 *issuer, X509 *certificate);
// Whether it is signed by itself.
bool copenssl_is_self_signed(X509 *certificate);
// The kind of the certificate's key: `RSA`, `EC`, `ED25519`; static.
const char *copenssl_key_kind(X509 *certificate);
// Whether a server (else a client) may show it (RFC 5280 §4.2.1.12, RFC 5924).
bool copenssl_serves(X509 *certificate, bool server);

#endif
