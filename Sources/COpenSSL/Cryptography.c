#include "COpenSSL.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

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

// An EVP context of this cipher serves one message only, and keying one fetches algorithms: two keyed contexts are kept
// and copied into a working one.
struct copenssl_siv {
  EVP_CIPHER_CTX *sealing;
  EVP_CIPHER_CTX *opening;
  EVP_CIPHER_CTX *working;
};

struct copenssl_siv *copenssl_siv_make(const uint8_t key[32]) {
  struct copenssl_siv *siv = OPENSSL_zalloc(sizeof *siv);
  if (siv == NULL) return NULL;
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
  siv->sealing = EVP_CIPHER_CTX_new();
  siv->opening = EVP_CIPHER_CTX_new();
  siv->working = EVP_CIPHER_CTX_new();
  bool good = cipher != NULL && siv->sealing != NULL && siv->opening != NULL && siv->working != NULL &&
              EVP_EncryptInit_ex2(siv->sealing, cipher, key, NULL, NULL) &&
              EVP_DecryptInit_ex2(siv->opening, cipher, key, NULL, NULL);
  EVP_CIPHER_free(cipher);
  if (good) return siv;
  copenssl_siv_free(siv);
  return NULL;
}

void copenssl_siv_free(struct copenssl_siv *siv) {
  if (siv == NULL) return;
  EVP_CIPHER_CTX_free(siv->sealing);
  EVP_CIPHER_CTX_free(siv->opening);
  EVP_CIPHER_CTX_free(siv->working);
  OPENSSL_free(siv);
}

int copenssl_siv_seal(struct copenssl_siv *siv, const uint8_t *plain, size_t length, uint8_t *output) {
  int count = 0, rest = 0;
  if (length == 0 || length > INT_MAX) return 0;
  return EVP_CIPHER_CTX_copy(siv->working, siv->sealing) &&
         EVP_EncryptUpdate(siv->working, output + 16, &count, plain, (int)length) &&
         EVP_EncryptFinal_ex(siv->working, output + 16 + count, &rest) && (size_t)(count + rest) == length &&
         EVP_CIPHER_CTX_ctrl(siv->working, EVP_CTRL_AEAD_GET_TAG, 16, output) > 0;
}

int copenssl_siv_open(struct copenssl_siv *siv, const uint8_t *sealed, size_t length, uint8_t *output) {
  int count = 0, rest = 0;
  if (length <= 16 || length > INT_MAX) return 0;
  bool good = EVP_CIPHER_CTX_copy(siv->working, siv->opening) &&
              EVP_CIPHER_CTX_ctrl(siv->working, EVP_CTRL_AEAD_SET_TAG, 16, (void *)sealed) > 0 &&
              EVP_DecryptUpdate(siv->working, output, &count, sealed + 16, (int)length - 16) > 0 &&
              EVP_DecryptFinal_ex(siv->working, output + count, &rest) > 0 && (size_t)(count + rest) == length - 16;
  if (!good) ERR_clear_error();
  return good;
}

bool copenssl_equal(const void *left, const void *right, size_t length) {
  return CRYPTO_memcmp(left, right, length) == 0;
}

void copenssl_wipe(void *octets, size_t length) { OPENSSL_cleanse(octets, length); }

int copenssl_random(void *octets, size_t length) {
  return length <= INT_MAX && RAND_bytes(octets, (int)length) == 1;
}
