#include "COpenSSL.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

static int no_passphrase(char *buffer, int size, int writing, void *argument) {
  (void)buffer, (void)size, (void)writing, (void)argument;
  return -1;
}

X509 *copenssl_certificate_parse(const uint8_t *pem, size_t length) {
  BIO *input = length > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)length);
  X509 *certificate = input == NULL ? NULL : PEM_read_bio_X509(input, NULL, no_passphrase, NULL);
  BIO_free(input);
  return certificate;
}

EVP_PKEY *copenssl_key_parse(const uint8_t *pem, size_t length) {
  BIO *input = length > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)length);
  EVP_PKEY *key = input == NULL ? NULL : PEM_read_bio_PrivateKey(input, NULL, no_passphrase, NULL);
  BIO_free(input);
  return key;
}

void copenssl_certificate_free(X509 *certificate) { X509_free(certificate); }

void copenssl_key_free(EVP_PKEY *key) { EVP_PKEY_free(key); }

static int copy_out(BIO *source, char *buffer, int size) {
  int length = BIO_read(source, buffer, size);
  BIO_free(source);
  return length < 0 ? 0 : length;
}

// The form of RFC 2253 §2, but with UTF-8 as it is.
static const unsigned long name_form = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT |
                                       ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER | XN_FLAG_SEP_COMMA_PLUS |
                                       XN_FLAG_DN_REV | XN_FLAG_FN_SN | XN_FLAG_DUMP_UNKNOWN_FIELDS;

static int print_name(X509_NAME *name, char *buffer, int size) {
  BIO *output = BIO_new(BIO_s_mem());
  if (output == NULL) return 0;
  X509_NAME_print_ex(output, name, 0, name_form);
  return copy_out(output, buffer, size);
}

int copenssl_subject(X509 *certificate, char *buffer, int size) {
  return print_name(X509_get_subject_name(certificate), buffer, size);
}

int copenssl_issuer(X509 *certificate, char *buffer, int size) {
  return print_name(X509_get_issuer_name(certificate), buffer, size);
}

int copenssl_crl_issuer(X509_CRL *list, char *buffer, int size) {
  return print_name(X509_CRL_get_issuer(list), buffer, size);
}

int copenssl_common_name(X509 *certificate, char *buffer, int size) {
  X509_NAME *subject = X509_get_subject_name(certificate);
  int last = -1;
  for (int next; (next = X509_NAME_get_index_by_NID(subject, NID_commonName, last)) >= 0;) last = next;
  if (last < 0) return -1;
  unsigned char *text = NULL;
  int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
  if (length < 0) {
    ERR_clear_error();
    return -1;
  }
  if (length > size) length = size;
  memcpy(buffer, text, (size_t)length);
  OPENSSL_free(text);
  return length;
}

int copenssl_fingerprint(X509 *certificate, uint8_t output[32]) {
  unsigned int length = 0;
  if (X509_digest(certificate, EVP_sha256(), output, &length) == 1 && length == 32) return 1;
  ERR_clear_error();
  return 0;
}

static int64_t seconds(const ASN1_TIME *moment) {
  struct tm time;
  if (!ASN1_TIME_to_tm(moment, &time)) return 0;
  return (int64_t)timegm(&time);
}

int64_t copenssl_not_before(X509 *certificate) { return seconds(X509_get0_notBefore(certificate)); }

int64_t copenssl_not_after(X509 *certificate) { return seconds(X509_get0_notAfter(certificate)); }

int copenssl_serial(X509 *certificate, char *buffer, int size) {
  BIO *output = BIO_new(BIO_s_mem());
  if (output == NULL) return 0;
  i2a_ASN1_INTEGER(output, X509_get0_serialNumber(certificate));
  return copy_out(output, buffer, size);
}

void *copenssl_names(X509 *certificate) {
  void *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  ERR_clear_error();
  // There, but not readable: an empty list, so that nobody takes the common name instead.
  if (names == NULL && X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0) names = GENERAL_NAMES_new();
  return names;
}

int copenssl_names_count(void *names) { return sk_GENERAL_NAME_num((GENERAL_NAMES *)names); }

int copenssl_names_get(void *names, int index, const uint8_t **octets, size_t *length) {
  GENERAL_NAME *name = sk_GENERAL_NAME_value((GENERAL_NAMES *)names, index);
  int type = 0;
  const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
  *octets = NULL;
  *length = 0;
  if (type != GEN_DNS && type != GEN_URI && type != GEN_IPADD) return type;
  *octets = ASN1_STRING_get0_data(value);
  *length = (size_t)ASN1_STRING_length(value);
  return type;
}

void copenssl_names_free(void *names) { GENERAL_NAMES_free((GENERAL_NAMES *)names); }

// ---- making

EVP_PKEY *copenssl_key_make(int kind) {
  ERR_clear_error();
  if (kind == copenssl_key_p256) return EVP_EC_gen("P-256");
  return EVP_RSA_gen((unsigned)kind);
}

static bool add_extension(X509 *certificate, X509 *issuer, int identifier, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, identifier, value);
  bool good = extension != NULL && X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return good;
}

static bool add_names(X509 *certificate, const struct copenssl_alternative *names, int count) {
  if (count == 0) return true;
  GENERAL_NAMES *list = GENERAL_NAMES_new();
  bool good = list != NULL;
  for (int index = 0; good && index < count; index++) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    bool address = names[index].type == copenssl_name_address;
    ASN1_STRING *value = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    good = name != NULL && value != NULL && names[index].length <= INT_MAX &&
           ASN1_STRING_set(value, names[index].octets, (int)names[index].length);
    if (good) GENERAL_NAME_set0_value(name, names[index].type, value);
    else ASN1_STRING_free(value);
    good = good && sk_GENERAL_NAME_push(list, name) > 0;
    if (!good) GENERAL_NAME_free(name);
  }
  good = good && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) > 0;
  GENERAL_NAMES_free(list);
  return good;
}

static bool set_serial(X509 *certificate) {
  BIGNUM *number = BN_new();
  bool good = number != NULL && BN_rand(number, 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  return good;
}

static bool set_common_name(X509 *certificate, const char *common_name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                    (const unsigned char *)common_name, -1, -1, 0);
}

static bool add_uses(X509 *certificate, X509 *issuer, int use) {
  if (use == copenssl_use_authority) {
    return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  // A proxy's certificate serves it as a server and, towards other proxies, as a client.
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_ext_key_usage,
                       use == copenssl_use_server ? "serverAuth,clientAuth" : "clientAuth");
}

X509 *copenssl_certificate_make(EVP_PKEY *key, const char *common_name, const struct copenssl_alternative *names,
                                int count, int use, int days, X509 *issuer, EVP_PKEY *issuer_key) {
  ERR_clear_error();
  X509 *certificate = X509_new();
  if (certificate == NULL) return NULL;
  X509 *signer = issuer == NULL ? certificate : issuer;
  bool good = X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
              X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) != NULL &&
              X509_set_pubkey(certificate, key) && set_common_name(certificate, common_name) &&
              X509_set_issuer_name(certificate, X509_get_subject_name(signer)) &&
              add_uses(certificate, signer, use) && add_names(certificate, names, count) &&
              add_extension(certificate, signer, NID_subject_key_identifier, "hash") &&
              add_extension(certificate, signer, NID_authority_key_identifier, "keyid:always") &&
              X509_sign(certificate, issuer == NULL ? key : issuer_key, EVP_sha256()) > 0;
  if (good) return certificate;
  X509_free(certificate);
  return NULL;
}

bool copenssl_key_belongs(X509 *certificate, EVP_PKEY *key) {
  bool belongs = X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();
  return belongs;
}

static uint8_t *take_pem(BIO *output, bool good, size_t *length) {
  char *data = NULL;
  long size = good ? BIO_get_mem_data(output, &data) : 0;
  uint8_t *copy = size > 0 ? OPENSSL_malloc((size_t)size) : NULL;
  if (copy != NULL) memcpy(copy, data, (size_t)size);
  if (size > 0) OPENSSL_cleanse(data, (size_t)size);
  *length = copy == NULL ? 0 : (size_t)size;
  BIO_free(output);
  return copy;
}

uint8_t *copenssl_certificate_pem(X509 *certificate, size_t *length) {
  BIO *output = BIO_new(BIO_s_mem());
  return output == NULL ? NULL : take_pem(output, PEM_write_bio_X509(output, certificate), length);
}

uint8_t *copenssl_key_pem(EVP_PKEY *key, size_t *length) {
  BIO *output = BIO_new(BIO_s_mem());
  if (output == NULL) return NULL;
  return take_pem(output, PEM_write_bio_PKCS8PrivateKey(output, key, NULL, NULL, 0, NULL, NULL), length);
}

void copenssl_pem_free(uint8_t *pem, size_t length) { OPENSSL_clear_free(pem, length); }

const char *copenssl_certificate_check(X509 *leaf, X509 *trusted, int use) {
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  const char *reason = "out of memory";
  if (store != NULL && context != NULL && X509_STORE_add_cert(store, trusted) &&
      X509_STORE_CTX_init(context, store, leaf, NULL)) {
    X509_STORE_CTX_set_purpose(context, use == copenssl_use_client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
    bool good = X509_verify_cert(context) == 1;
    reason = good ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  }
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  ERR_clear_error();
  return reason;
}
