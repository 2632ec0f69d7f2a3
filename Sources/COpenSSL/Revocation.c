#include "COpenSSL.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

const long copenssl_code_revoked = X509_V_ERR_CERT_REVOKED;
const long copenssl_code_crl_expired = X509_V_ERR_CRL_HAS_EXPIRED;
const long copenssl_code_crl_not_yet_valid = X509_V_ERR_CRL_NOT_YET_VALID;
const long copenssl_code_no_crl = X509_V_ERR_UNABLE_TO_GET_CRL;

long copenssl_verify_code(SSL *connection) { return SSL_get_verify_result(connection); }

SSL_CTX *copenssl_connection_context(SSL *connection) { return SSL_get_SSL_CTX(connection); }

X509 *copenssl_proved(SSL *connection, int index) {
  STACK_OF(X509) *chain = SSL_get0_verified_chain(connection);
  return chain != NULL && index < sk_X509_num(chain) ? sk_X509_value(chain, index) : NULL;
}

bool copenssl_may_have_issued(X509 *issuer, X509 *certificate) {
  return X509_check_issued(issuer, certificate) == X509_V_OK;
}

X509 *copenssl_trusted_issuer(SSL_CTX *context, X509 *certificate) {
  STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  for (int index = 0; index < sk_X509_OBJECT_num(trusted); index++) {
    X509 *candidate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, index));
    if (candidate != NULL && copenssl_may_have_issued(candidate, certificate)) {
      return copenssl_certificate_retain(candidate);
    }
  }
  return NULL;
}

X509 *copenssl_certificate_retain(X509 *certificate) { return X509_up_ref(certificate) ? certificate : NULL; }

int copenssl_certificate_digest(X509 *certificate, uint8_t digest[32]) {
  unsigned length = 32;
  return X509_digest(certificate, EVP_sha256(), digest, &length);
}

int copenssl_serial_octets(X509 *certificate, uint8_t *octets) {
  const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
  int length = ASN1_STRING_length(serial);
  if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || length < 0 || length > copenssl_serial_size) return -1;
  memcpy(octets, ASN1_STRING_get0_data(serial), (size_t)length);
  return length;
}

static ASN1_INTEGER *serial_of(const uint8_t *octets, size_t length) {
  ASN1_INTEGER *serial = length > INT_MAX ? NULL : ASN1_INTEGER_new();
  if (serial == NULL || ASN1_STRING_set(serial, octets, (int)length)) return serial;
  ASN1_INTEGER_free(serial);
  return NULL;
}

// ---- lists

static int read_pem(BIO *input, X509_CRL **lists, int capacity) {
  int count = 0;
  while (count < capacity && (lists[count] = PEM_read_bio_X509_CRL(input, NULL, NULL, NULL)) != NULL) count++;
  unsigned long code = ERR_peek_last_error();
  bool ended = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (count > 0 && ended) {
    ERR_clear_error();
    return count;
  }
  while (count > 0) X509_CRL_free(lists[--count]);
  return -1;
}

int copenssl_crls_read(const uint8_t *octets, size_t length, X509_CRL **lists, int capacity) {
  ERR_clear_error();
  if (length == 0 || length > INT_MAX || capacity < 1) return -1;
  if (octets[0] == 0x30) {
    const uint8_t *next = octets;
    X509_CRL *list = d2i_X509_CRL(NULL, &next, (long)length);
    if (list != NULL && next == octets + length) {
      lists[0] = list;
      return 1;
    }
    X509_CRL_free(list);
    return -1;
  }
  BIO *input = BIO_new_mem_buf(octets, (int)length);
  if (input == NULL) return -1;
  int count = read_pem(input, lists, capacity);
  BIO_free(input);
  return count;
}

void copenssl_crl_free(X509_CRL *list) { X509_CRL_free(list); }

static int64_t seconds_of(const ASN1_TIME *value) {
  struct tm time;
  if (value == NULL || !ASN1_TIME_to_tm(value, &time)) return 0;
  return (int64_t)timegm(&time);
}

int64_t copenssl_crl_this_update(X509_CRL *list) { return seconds_of(X509_CRL_get0_lastUpdate(list)); }

int64_t copenssl_crl_next_update(X509_CRL *list) { return seconds_of(X509_CRL_get0_nextUpdate(list)); }

int copenssl_crl_count(X509_CRL *list) { return sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)); }

bool copenssl_crl_revokes(X509_CRL *list, const uint8_t *serial, size_t length) {
  ASN1_INTEGER *number = serial_of(serial, length);
  X509_REVOKED *entry = NULL;
  // 2: taken back (removeFromCRL).
  bool revokes = number != NULL && X509_CRL_get0_by_serial(list, &entry, number) == 1;
  ASN1_INTEGER_free(number);
  return revokes;
}

int copenssl_crl_belongs(X509_CRL *list, X509 *issuer) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) != 0) return -1;
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  bool good = key != NULL && X509_CRL_verify(list, key) == 1;
  ERR_clear_error();
  return good;
}

int copenssl_crl_is_trusted(SSL_CTX *context, X509_CRL *list) {
  STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  int found = -1;
  for (int index = 0; found != 1 && index < sk_X509_OBJECT_num(trusted); index++) {
    X509 *candidate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, index));
    int belongs = candidate == NULL ? -1 : copenssl_crl_belongs(list, candidate);
    if (belongs >= 0) found = belongs;
  }
  return found;
}

// The policy of a store is kept with it: bit 0, lists that have expired are good.
static int store_slot = -1;
static int verification_slot = -1;
// OpenSSL's own check, which it tells only to those who ask a verification with a plain store.
static X509_STORE_CTX_check_revocation_fn standard_check;
static CRYPTO_ONCE prepared = CRYPTO_ONCE_STATIC_INIT;

static void prepare(void) {
  store_slot = X509_STORE_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  verification_slot = X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *verification = X509_STORE_CTX_new();
  if (store != NULL && verification != NULL && X509_STORE_CTX_init(verification, store, NULL, NULL)) {
    standard_check = X509_STORE_CTX_get_check_revocation(verification);
  }
  X509_STORE_CTX_free(verification);
  X509_STORE_free(store);
}

struct revocation_check {
  X509_STORE_CTX_verify_cb next;
  bool is_tolerant;
};

// Hears of each result while revocation is checked, and lets pass what the policy does.
static int judge(int good, X509_STORE_CTX *verification) {
  struct revocation_check *check = X509_STORE_CTX_get_ex_data(verification, verification_slot);
  if (!good && check != NULL) {
    int code = X509_STORE_CTX_get_error(verification);
    bool passes = (code == X509_V_ERR_UNABLE_TO_GET_CRL && X509_STORE_CTX_get_error_depth(verification) > 0) ||
                  (code == X509_V_ERR_CRL_HAS_EXPIRED && check->is_tolerant);
    if (passes) {
      X509_STORE_CTX_set_error(verification, X509_V_OK);
      return 1;
    }
  }
  return check == NULL || check->next == NULL ? good : check->next(good, verification);
}

static int check_revocation(X509_STORE_CTX *verification) {
  void *policy = X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(verification), store_slot);
  struct revocation_check check = {X509_STORE_CTX_get_verify_cb(verification), ((uintptr_t)policy & 1) != 0};
  if (!X509_STORE_CTX_set_ex_data(verification, verification_slot, &check)) return 0;
  X509_STORE_CTX_set_verify_cb(verification, judge);
  int good = standard_check(verification);
  X509_STORE_CTX_set_verify_cb(verification, check.next);
  X509_STORE_CTX_set_ex_data(verification, verification_slot, NULL);
  return good;
}

int copenssl_use_crls(SSL_CTX *context, X509_CRL *const *lists, int count, bool whole_chain, bool tolerant) {
  ERR_clear_error();
  if (!CRYPTO_THREAD_run_once(&prepared, prepare) || standard_check == NULL) return 0;
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  for (int index = 0; index < count; index++) {
    if (!X509_STORE_add_crl(store, lists[index])) return 0;
  }
  X509_STORE_set_check_revocation(store, check_revocation);
  return X509_STORE_set_ex_data(store, store_slot, (void *)(uintptr_t)(tolerant ? 1 : 0)) &&
         X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | (whole_chain ? X509_V_FLAG_CRL_CHECK_ALL : 0));
}
