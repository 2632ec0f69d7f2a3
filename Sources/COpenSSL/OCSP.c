#include "COpenSSL.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

// How far clocks may differ, in seconds.
static const long clock_slack = 300;
// How old an answer may be that doesn't say when the next one comes, in seconds.
static const long longest_age = 3600;

int copenssl_responder(X509 *certificate, char *buffer, int size) {
  STACK_OF(OPENSSL_STRING) *addresses = X509_get1_ocsp(certificate);
  ERR_clear_error();
  const char *first = sk_OPENSSL_STRING_num(addresses) > 0 ? sk_OPENSSL_STRING_value(addresses, 0) : NULL;
  size_t length = first == NULL ? 0 : strlen(first);
  bool fits = first != NULL && length > 0 && length <= (size_t)size;
  if (fits) memcpy(buffer, first, length);
  X509_email_free(addresses);
  return fits ? (int)length : -1;
}

bool copenssl_demands_staple(X509 *certificate) {
  TLS_FEATURE *features = X509_get_ext_d2i(certificate, NID_tlsfeature, NULL, NULL);
  ERR_clear_error();
  bool demands = false;
  for (int index = 0; index < sk_ASN1_INTEGER_num(features); index++) {
    demands = demands || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, index)) == TLSEXT_TYPE_status_request;
  }
  sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
  return demands;
}

static OCSP_CERTID *name_of(const EVP_MD *digest, X509 *issuer, const uint8_t *serial, size_t length) {
  ASN1_INTEGER *number = length > INT_MAX ? NULL : ASN1_INTEGER_new();
  OCSP_CERTID *name = NULL;
  if (number != NULL && ASN1_STRING_set(number, serial, (int)length)) {
    name = OCSP_cert_id_new(digest, X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer), number);
  }
  ASN1_INTEGER_free(number);
  return name;
}

int copenssl_ocsp_request(X509 *issuer, const uint8_t *serial, size_t length, uint8_t *buffer, int size) {
  ERR_clear_error();
  OCSP_REQUEST *request = OCSP_REQUEST_new();
  // RFC 6960 §4.3: all responders know SHA-1 here, where it proves nothing.
  OCSP_CERTID *name = name_of(EVP_sha1(), issuer, serial, length);
  bool good = request != NULL && name != NULL && OCSP_request_add0_id(request, name) != NULL;
  if (!good) OCSP_CERTID_free(name);
  int count = good ? i2d_OCSP_REQUEST(request, NULL) : -1;
  if (count > size) count = -1;
  if (count > 0) i2d_OCSP_REQUEST(request, &buffer);
  OCSP_REQUEST_free(request);
  ERR_clear_error();
  return count;
}

static struct copenssl_ocsp_answer useless(const char *problem) {
  ERR_clear_error();
  return (struct copenssl_ocsp_answer){copenssl_ocsp_useless, 0, 0, problem};
}

// The signer must be the issuer, or have a certificate by the issuer itself for this use: no other authority is in the store.
static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer) {
  X509_STORE *store = X509_STORE_new();
  STACK_OF(X509) *known = sk_X509_new_null();
  bool good = store != NULL && known != NULL && X509_STORE_add_cert(store, issuer) &&
              X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) && sk_X509_push(known, issuer) > 0 &&
              OCSP_basic_verify(basic, known, store, 0) == 1;
  sk_X509_free(known);
  X509_STORE_free(store);
  ERR_clear_error();
  return good;
}

// The answer for one certificate, whatever hash function the responder names it by.
static OCSP_SINGLERESP *find(OCSP_BASICRESP *basic, X509 *issuer, const uint8_t *serial, size_t length) {
  for (int index = 0; index < OCSP_resp_count(basic); index++) {
    OCSP_SINGLERESP *single = OCSP_resp_get0(basic, index);
    const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT *algorithm = NULL;
    if (!OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, (OCSP_CERTID *)theirs)) continue;
    const EVP_MD *digest = EVP_get_digestbyobj(algorithm);
    OCSP_CERTID *ours = digest == NULL ? NULL : name_of(digest, issuer, serial, length);
    bool same = ours != NULL && OCSP_id_cmp(ours, theirs) == 0;
    OCSP_CERTID_free(ours);
    if (same) return single;
  }
  return NULL;
}

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *value) {
  struct tm time;
  if (value == NULL || !ASN1_TIME_to_tm(value, &time)) return 0;
  return (int64_t)timegm(&time);
}

static struct copenssl_ocsp_answer read_basic(OCSP_BASICRESP *basic, X509 *issuer, const uint8_t *serial,
                                              size_t length) {
  OCSP_SINGLERESP *single = find(basic, issuer, serial, length);
  if (single == NULL) return useless("the response is about another certificate");
  if (!is_signed(basic, issuer)) return useless("the response isn't signed by the issuer or by its order");
  ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
  int status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);
  if (!OCSP_check_validity(this_update, next_update, clock_slack, next_update == NULL ? longest_age : -1)) {
    return useless("the response has expired or is not valid yet");
  }
  struct copenssl_ocsp_answer answer = {copenssl_ocsp_unknown, seconds_of(this_update), seconds_of(next_update), NULL};
  if (status == V_OCSP_CERTSTATUS_GOOD) answer.status = copenssl_ocsp_good;
  if (status == V_OCSP_CERTSTATUS_REVOKED) answer.status = copenssl_ocsp_revoked;
  ERR_clear_error();
  return answer;
}

struct copenssl_ocsp_answer copenssl_ocsp_read(const uint8_t *octets, size_t length, X509 *issuer,
                                               const uint8_t *serial, size_t serial_length) {
  ERR_clear_error();
  OCSP_RESPONSE *response = length > LONG_MAX ? NULL : d2i_OCSP_RESPONSE(NULL, &octets, (long)length);
  if (response == NULL) return useless("what came is no OCSP response");
  int status = OCSP_response_status(response);
  OCSP_BASICRESP *basic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response) : NULL;
  struct copenssl_ocsp_answer answer;
  if (basic != NULL) answer = read_basic(basic, issuer, serial, serial_length);
  else if (status == OCSP_RESPONSE_STATUS_SUCCESSFUL) answer = useless("what came is no basic OCSP response");
  else answer = useless(OCSP_response_status_str(status));
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(response);
  return answer;
}

// ---- stapling

X509 *copenssl_own_certificate(SSL_CTX *context, int index, X509 **issuer) {
  *issuer = NULL;
  X509 *certificate = NULL;
  int good = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
  for (int position = 0; good && position < index; position++) {
    good = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT);
  }
  if (good) certificate = SSL_CTX_get0_certificate(context);
  STACK_OF(X509) *chain = NULL;
  if (certificate != NULL) SSL_CTX_get0_chain_certs(context, &chain);
  for (int position = 0; *issuer == NULL && position < sk_X509_num(chain); position++) {
    X509 *candidate = sk_X509_value(chain, position);
    if (copenssl_may_have_issued(candidate, certificate)) *issuer = copenssl_certificate_retain(candidate);
  }
  if (certificate != NULL && *issuer == NULL) *issuer = copenssl_trusted_issuer(context, certificate);
  SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
  ERR_clear_error();
  return certificate;
}

// What is sent along with each of our certificates.
struct staple {
  struct staple *next;
  X509 *certificate;
  size_t length;
  uint8_t octets[];
};

static void free_staples(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent, (void)data, (void)index, (void)number, (void)argument;
  for (struct staple *staple = pointer, *next; staple != NULL; staple = next) {
    next = staple->next;
    OPENSSL_free(staple);
  }
}

static int staple_slot = -1;
static CRYPTO_ONCE prepared = CRYPTO_ONCE_STATIC_INIT;

static void prepare(void) { staple_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_staples); }

static int status_callback(SSL *connection, void *argument) {
  (void)argument;
  struct staple *staple = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), staple_slot);
  X509 *shown = SSL_get_certificate(connection);
  while (staple != NULL && staple->certificate != shown) staple = staple->next;
  if (staple == NULL) return SSL_TLSEXT_ERR_NOACK;
  uint8_t *copy = OPENSSL_memdup(staple->octets, staple->length);
  if (copy == NULL) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(connection, copy, (long)staple->length);
  return SSL_TLSEXT_ERR_OK;
}

int copenssl_set_staple(SSL_CTX *context, X509 *certificate, const uint8_t *response, size_t length) {
  if (!CRYPTO_THREAD_run_once(&prepared, prepare)) return 0;
  struct staple *first = SSL_CTX_get_ex_data(context, staple_slot);
  struct staple **place = &first;
  while (*place != NULL && (*place)->certificate != certificate) place = &(*place)->next;
  struct staple *old = *place, *rest = old == NULL ? NULL : old->next, *fresh = NULL;
  if (length > 0) {
    fresh = OPENSSL_malloc(sizeof *fresh + length);
    if (fresh == NULL) return 0;
    *fresh = (struct staple){rest, certificate, length};
    memcpy(fresh->octets, response, length);
  }
  *place = fresh == NULL ? rest : fresh;
  OPENSSL_free(old);
  SSL_CTX_set_tlsext_status_cb(context, status_callback);
  return SSL_CTX_set_ex_data(context, staple_slot, first);
}

int copenssl_want_staple(SSL_CTX *context) {
  return (int)SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
}

size_t copenssl_staple(SSL *connection, const uint8_t **octets) {
  long length = SSL_get_tlsext_status_ocsp_resp(connection, octets);
  return length > 0 && *octets != NULL ? (size_t)length : 0;
}
