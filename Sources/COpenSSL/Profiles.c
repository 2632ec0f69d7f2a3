#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "COpenSSL.h"

const int copenssl_reason_version_too_low = SSL_R_VERSION_TOO_LOW;
const int copenssl_reason_version_too_high = SSL_R_VERSION_TOO_HIGH;
const int copenssl_reason_no_protocols_available = SSL_R_NO_PROTOCOLS_AVAILABLE;
const int copenssl_reason_wrong_ssl_version = SSL_R_WRONG_SSL_VERSION;
const int copenssl_alert_protocol_version = SSL_R_TLSV1_ALERT_PROTOCOL_VERSION;

const long copenssl_code_expired = X509_V_ERR_CERT_HAS_EXPIRED;
const long copenssl_code_not_yet_valid = X509_V_ERR_CERT_NOT_YET_VALID;
const long copenssl_code_self_signed = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
const long copenssl_code_self_signed_in_chain = X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
const long copenssl_code_no_issuer = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
const long copenssl_code_no_local_issuer = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
const long copenssl_code_unverified_leaf = X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
const long copenssl_code_purpose = X509_V_ERR_INVALID_PURPOSE;
const long copenssl_code_invalid_authority = X509_V_ERR_INVALID_CA;
const long copenssl_code_chain_too_long = X509_V_ERR_CERT_CHAIN_TOO_LONG;

// ---- choices

void copenssl_set_depth(SSL_CTX *context, int depth) { SSL_CTX_set_verify_depth(context, depth); }

void copenssl_set_security(SSL_CTX *context, int level) { SSL_CTX_set_security_level(context, level); }

static int groups_slot = -1;
static CRYPTO_ONCE groups_prepared = CRYPTO_ONCE_STATIC_INIT;

static void free_groups(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent, (void)data, (void)index, (void)number, (void)argument;
  OPENSSL_free(pointer);
}

static void prepare_groups(void) { groups_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_groups); }

int copenssl_set_groups(SSL_CTX *context, const char *list) {
  ERR_clear_error();
  if (!CRYPTO_THREAD_run_once(&groups_prepared, prepare_groups) || groups_slot < 0) return 0;
  if (!SSL_CTX_set1_groups_list(context, list)) return 0;
  // A context doesn't tell its groups.
  char *copy = OPENSSL_strdup(list);
  OPENSSL_free(SSL_CTX_get_ex_data(context, groups_slot));
  return copy != NULL && SSL_CTX_set_ex_data(context, groups_slot, copy);
}

int copenssl_follow(SSL *connection, SSL_CTX *context) {
  SSL_set_verify(connection, SSL_CTX_get_verify_mode(context), NULL);
  SSL_set_verify_depth(connection, SSL_CTX_get_verify_depth(context));
  const char *groups = groups_slot < 0 ? NULL : SSL_CTX_get_ex_data(context, groups_slot);
  if (groups != NULL && !SSL_set1_groups_list(connection, groups)) return 0;
  return SSL_set_min_proto_version(connection, SSL_CTX_get_min_proto_version(context)) &&
         SSL_set_max_proto_version(connection, SSL_CTX_get_max_proto_version(context));
}

// RFC 5924 §4: id-kp-sipDomain, which OpenSSL doesn't know.
static const uint8_t sip_domain[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x14};

static bool names_sip(X509 *certificate) {
  EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
  bool found = false;
  for (int index = 0; index < sk_ASN1_OBJECT_num(uses) && !found; index++) {
    ASN1_OBJECT *use = sk_ASN1_OBJECT_value(uses, index);
    found = OBJ_obj2nid(use) == NID_anyExtendedKeyUsage ||
            (OBJ_length(use) == sizeof sip_domain && memcmp(OBJ_get0_data(use), sip_domain, sizeof sip_domain) == 0);
  }
  EXTENDED_KEY_USAGE_free(uses);
  return found;
}

// X509_get_key_usage has all bits set when the extension is missing.
static bool key_usage_permits(X509 *certificate, bool server) {
  uint32_t wanted = KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT | (server ? KU_KEY_ENCIPHERMENT : 0);
  return (X509_get_key_usage(certificate) & wanted) != 0;
}

bool copenssl_serves(X509 *certificate, bool server) {
  if (X509_check_purpose(certificate, server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT, 0) == 1) return true;
  return names_sip(certificate) && key_usage_permits(certificate, server);
}

int copenssl_judge_purpose(int good, X509_STORE_CTX *verification) {
  if (good || X509_STORE_CTX_get_error(verification) != X509_V_ERR_INVALID_PURPOSE ||
      X509_STORE_CTX_get_error_depth(verification) != 0) {
    return good;
  }
  SSL *connection = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
  X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
  if (connection == NULL || certificate == NULL || !copenssl_serves(certificate, !SSL_is_server(connection))) return 0;
  X509_STORE_CTX_set_error(verification, X509_V_OK);
  return 1;
}

// ---- looking at certificates

static int no_passphrase(char *buffer, int size, int writing, void *argument) {
  (void)buffer, (void)size, (void)writing, (void)argument;
  return -1;
}

int copenssl_certificates_read(const uint8_t *pem, size_t length, X509 **certificates, int capacity) {
  ERR_clear_error();
  BIO *input = length > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)length);
  int count = 0;
  while (input != NULL && count < capacity) {
    X509 *next = PEM_read_bio_X509(input, NULL, no_passphrase, NULL);
    if (next == NULL) break;
    certificates[count++] = next;
  }
  BIO_free(input);
  unsigned long code = ERR_peek_last_error();
  bool ended = count == capacity || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  if (ended) return count;
  while (count > 0) X509_free(certificates[--count]);
  return -1;
}


bool copenssl_issued(X509 *issuer, X509 *certificate) {
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  bool good = X509_check_issued(issuer, certificate) == X509_V_OK && key != NULL && X509_verify(certificate, key) == 1;
  ERR_clear_error();
  return good;
}

bool copenssl_is_self_signed(X509 *certificate) { return X509_self_signed(certificate, 0) == 1; }

const char *copenssl_key_kind(X509 *certificate) {
  EVP_PKEY *key = X509_get0_pubkey(certificate);
  ERR_clear_error();
  const char *name = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);
  return name == NULL ? "unknown" : name;
}
