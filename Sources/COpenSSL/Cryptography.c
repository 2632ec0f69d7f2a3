#include "COpenSSL.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

EVP_MD *copenssl_digest_fetch(const char *name) { return EVP_MD_fetch(NULL, name, NULL); }

void copenssl_digest_free(EVP_MD *digest) { EVP_MD_free(digest); }

EVP_MD_CTX *copenssl_digest_context(void) { return EVP_MD_CTX_new(); }

void copenssl_digest_context_free(EVP_MD_CTX *context) { EVP_MD_CTX_free(context); }

int copenssl_digest_start(EVP_MD_CTX *context, const EVP_MD *digest) {
  return EVP_DigestInit_ex2(context, digest, NULL);
}

int copenssl_digest_add(EVP_MD_CTX *context, const void *octets, size_t length) {
  return EVP_DigestUpdate(context, octets, length);
}

int copenssl_digest_end(EVP_MD_CTX *context, uint8_t *output) { return EVP_DigestFinal_ex(context, output, NULL); }

static EVP_MAC_CTX *mac_context(const char *name) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);
  EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  return context;
}

EVP_MAC_CTX *copenssl_hmac(const uint8_t *key, size_t length) {
  EVP_MAC_CTX *context = mac_context("HMAC");
  if (context == NULL) return NULL;
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                             OSSL_PARAM_construct_end()};
  if (EVP_MAC_init(context, key, length, parameters)) return context;
  EVP_MAC_CTX_free(context);
  return NULL;
}

int copenssl_hmac_compute(EVP_MAC_CTX *context, const void *octets, size_t length, uint8_t output[32]) {
  size_t size = 0;
  // No key: the one that it has is kept.
  return EVP_MAC_init(context, NULL, 0, NULL) && EVP_MAC_update(context, octets, length) &&
         EVP_MAC_final(context, output, &size, 32) && size == 32;
}

void copenssl_mac_free(EVP_MAC_CTX *context) { EVP_MAC_CTX_free(context); }

int copenssl_hkdf(const uint8_t *secret, size_t secret_length, const uint8_t *salt, size_t salt_length,
                  const uint8_t *information, size_t information_length, uint8_t *output, size_t length) {
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  if (context == NULL) return 0;
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_length),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_length),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)information, information_length),
      OSSL_PARAM_construct_end()};
  int good = EVP_KDF_derive(context, output, length, parameters) > 0;
  EVP_KDF_CTX_free(context);
  return good;
}

// OpenSSL's own context of this cipher serves one message only, and making another one allocates a dozen times. So CMAC and counter
// mode, whose contexts can be used again, are put together here as RFC 5297 §2.4 to §2.7 say.
struct copenssl_siv {
  EVP_MAC_CTX *mac;
  EVP_CIPHER_CTX *counter;
  uint8_t zero_mac[16];
};

struct copenssl_siv *copenssl_siv_make(const uint8_t key[32]) {
  struct copenssl_siv *siv = OPENSSL_zalloc(sizeof *siv);
  if (siv == NULL) return NULL;
  char cipher[] = "AES-128-CBC";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                             OSSL_PARAM_construct_end()};
  EVP_CIPHER *counter = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
  const uint8_t zero[16] = {0};
  size_t size = 0;
  siv->mac = mac_context("CMAC");
  siv->counter = EVP_CIPHER_CTX_new();
  bool good = counter != NULL && siv->mac != NULL && siv->counter != NULL &&
              EVP_MAC_init(siv->mac, key, 16, parameters) && EVP_MAC_update(siv->mac, zero, 16) &&
              EVP_MAC_final(siv->mac, siv->zero_mac, &size, 16) && size == 16 &&
              EVP_EncryptInit_ex2(siv->counter, counter, key + 16, zero, NULL);
  EVP_CIPHER_free(counter);
  if (good) return siv;
  copenssl_siv_free(siv);
  return NULL;
}

void copenssl_siv_free(struct copenssl_siv *siv) {
  if (siv == NULL) return;
  EVP_MAC_CTX_free(siv->mac);
  EVP_CIPHER_CTX_free(siv->counter);
  OPENSSL_clear_free(siv, sizeof *siv);
}

// RFC 5297 §2.4 for one string, at most 16 octets of which are changed.
static bool siv_synthesize(struct copenssl_siv *siv, const uint8_t *plain, size_t length, uint8_t vector[16]) {
  uint8_t last[16];
  memcpy(last, siv->zero_mac, 16);
  size_t before = length < 16 ? 0 : length - 16;
  if (length < 16) {
    // Doubling in the field of RFC 5297 §2.3.
    unsigned carry = (unsigned)last[0] >> 7;
    for (int index = 0; index < 15; index++) last[index] = (uint8_t)(last[index] << 1 | last[index + 1] >> 7);
    last[15] = (uint8_t)(last[15] << 1 ^ (0x87 & -carry));
    last[length] ^= 0x80;
  }
  for (size_t index = 0; index < length - before; index++) last[index] ^= plain[before + index];
  size_t size = 0;
  // No key: the one that it has is kept.
  return EVP_MAC_init(siv->mac, NULL, 0, NULL) && (before == 0 || EVP_MAC_update(siv->mac, plain, before)) &&
         EVP_MAC_update(siv->mac, last, 16) && EVP_MAC_final(siv->mac, vector, &size, 16) && size == 16;
}

static bool siv_count(struct copenssl_siv *siv, const uint8_t vector[16], const uint8_t *input, size_t length,
                      uint8_t *output) {
  uint8_t start[16];
  int count = 0;
  memcpy(start, vector, 16);
  // RFC 5297 §2.5: so that counting never carries beyond 32 bits.
  start[8] &= 0x7F;
  start[12] &= 0x7F;
  return EVP_EncryptInit_ex2(siv->counter, NULL, NULL, start, NULL) &&
         EVP_EncryptUpdate(siv->counter, output, &count, input, (int)length) && (size_t)count == length;
}

int copenssl_siv_seal(struct copenssl_siv *siv, const uint8_t *plain, size_t length, uint8_t *output) {
  if (length == 0 || length > INT_MAX) return 0;
  return siv_synthesize(siv, plain, length, output) && siv_count(siv, output, plain, length, output + 16);
}

int copenssl_siv_open(struct copenssl_siv *siv, const uint8_t *sealed, size_t length, uint8_t *output) {
  if (length <= 16 || length - 16 > INT_MAX) return 0;
  uint8_t vector[16];
  bool good = siv_count(siv, sealed, sealed + 16, length - 16, output) &&
              siv_synthesize(siv, output, length - 16, vector) && CRYPTO_memcmp(vector, sealed, 16) == 0;
  if (!good) {
    OPENSSL_cleanse(output, length - 16);
    ERR_clear_error();
  }
  return good;
}

bool copenssl_equal(const void *left, const void *right, size_t length) {
  return CRYPTO_memcmp(left, right, length) == 0;
}

void copenssl_wipe(void *octets, size_t length) { OPENSSL_cleanse(octets, length); }

int copenssl_random(void *octets, size_t length) {
  return length <= INT_MAX && RAND_bytes(octets, (int)length) == 1;
}
