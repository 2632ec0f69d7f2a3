// From secrets to keys: RFC 8446 §7, RFC 5246 §6.3.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "Internal.h"

static const struct suite suites[] = {
    {0x1301, version_13, aes_128_gcm, false},       // TLS_AES_128_GCM_SHA256
    {0x1302, version_13, aes_256_gcm, true},        // TLS_AES_256_GCM_SHA384
    {0x1303, version_13, chacha20_poly1305, false}, // TLS_CHACHA20_POLY1305_SHA256
    {0xC02B, version_12, aes_128_gcm, false},       // ECDHE-ECDSA-AES128-GCM-SHA256
    {0xC02C, version_12, aes_256_gcm, true},        // ECDHE-ECDSA-AES256-GCM-SHA384
    {0xC02F, version_12, aes_128_gcm, false},       // ECDHE-RSA-AES128-GCM-SHA256
    {0xC030, version_12, aes_256_gcm, true},        // ECDHE-RSA-AES256-GCM-SHA384
    {0xCCA8, version_12, chacha20_poly1305, false}, // ECDHE-RSA-CHACHA20-POLY1305
    {0xCCA9, version_12, chacha20_poly1305, false}, // ECDHE-ECDSA-CHACHA20-POLY1305
    {0x009E, version_12, aes_128_gcm, false},       // DHE-RSA-AES128-GCM-SHA256
    {0x009F, version_12, aes_256_gcm, true},        // DHE-RSA-AES256-GCM-SHA384
    {0xCCAA, version_12, chacha20_poly1305, false}, // DHE-RSA-CHACHA20-POLY1305
    {0x009C, version_12, aes_128_gcm, false},       // AES128-GCM-SHA256
    {0x009D, version_12, aes_256_gcm, true},        // AES256-GCM-SHA384
};

const struct suite *suite_find(uint16_t number) {
  for (size_t index = 0; index < sizeof suites / sizeof *suites; index++) {
    if (suites[index].number == number) return &suites[index];
  }
  return NULL;
}

static size_t key_size(const struct suite *suite) { return suite->algorithm == aes_128_gcm ? 16 : 32; }

static size_t hash_size(const struct suite *suite) { return suite->is_long ? 48 : 32; }

// The context is made once: deriving keys is a part of every handshake.
static EVP_KDF_CTX *prf(EVP_KDF_CTX **made) {
  if (*made == NULL) {
    EVP_KDF *algorithm = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    *made = algorithm == NULL ? NULL : EVP_KDF_CTX_new(algorithm);
    EVP_KDF_free(algorithm);
  }
  if (*made != NULL) EVP_KDF_CTX_reset(*made);
  return *made;
}

// HMAC (RFC 2104) over one piece, by a digest context that is made once for each hash.
static bool hmac(bool is_long, const uint8_t *key, size_t key_length, const uint8_t *octets, size_t length, uint8_t *output) {
  static _Thread_local EVP_MD_CTX *contexts[2];
  static _Thread_local EVP_MD *hashes[2];
  EVP_MD_CTX **context = &contexts[is_long];
  EVP_MD **hash = &hashes[is_long];
  if (*hash == NULL) *hash = EVP_MD_fetch(NULL, is_long ? "SHA384" : "SHA256", NULL);
  if (*context == NULL) *context = EVP_MD_CTX_new();
  if (*hash == NULL || *context == NULL) return false;
  size_t block = is_long ? 128 : 64, size = is_long ? 48 : 32;
  uint8_t inner[128], outer[128], digest[48];
  for (size_t index = 0; index < block; index++) {
    uint8_t octet = index < key_length ? key[index] : 0;
    inner[index] = octet ^ 0x36;
    outer[index] = octet ^ 0x5C;
  }
  bool good = EVP_DigestInit_ex2(*context, *hash, NULL) && EVP_DigestUpdate(*context, inner, block) &&
              EVP_DigestUpdate(*context, octets, length) && EVP_DigestFinal_ex(*context, digest, NULL) &&
              EVP_DigestInit_ex2(*context, *hash, NULL) && EVP_DigestUpdate(*context, outer, block) &&
              EVP_DigestUpdate(*context, digest, size) && EVP_DigestFinal_ex(*context, output, NULL);
  // What the context keeps must not tell what it was used for.
  EVP_DigestInit_ex2(*context, *hash, NULL);
  OPENSSL_cleanse(inner, sizeof inner);
  OPENSSL_cleanse(outer, sizeof outer);
  OPENSSL_cleanse(digest, sizeof digest);
  return good;
}

// HKDF-Expand-Label of at most as many octets as the hash has: one step of HKDF-Expand (RFC 5869 §2.3).
static int expand(bool is_long, const uint8_t *secret, const char *label, uint8_t *output, size_t length) {
  size_t text = strlen(label), size = is_long ? 48 : 32;
  uint8_t information[64] = {(uint8_t)(length >> 8), (uint8_t)length, (uint8_t)(6 + text), 't', 'l', 's', '1', '3', ' '};
  if (length > size || 9 + text + 2 > sizeof information) return 0;
  memcpy(information + 9, label, text);
  information[9 + text] = 0;
  information[9 + text + 1] = 1;
  uint8_t step[48];
  bool good = hmac(is_long, secret, size, information, 9 + text + 2, step);
  if (good) memcpy(output, step, length);
  else ERR_clear_error();
  OPENSSL_cleanse(step, sizeof step);
  return good;
}

int tlsrecords_expand_label(bool is_long, const uint8_t *secret, const char *label, uint8_t *output, size_t length) {
  return expand(is_long, secret, label, output, length);
}

bool derive_13(const struct suite *suite, struct direction *direction) {
  direction->sequence = 0;
  return expand(suite->is_long, direction->secret, "key", direction->key, key_size(suite)) &&
         expand(suite->is_long, direction->secret, "iv", direction->iv, sizeof direction->iv);
}

bool derive_next_13(const struct suite *suite, struct direction *direction) {
  uint8_t next[48] = {0};
  bool good = expand(suite->is_long, direction->secret, "traffic upd", next, hash_size(suite));
  memcpy(direction->secret, next, sizeof next);
  OPENSSL_cleanse(next, sizeof next);
  return good && derive_13(suite, direction);
}

bool derive_12(const struct suite *suite, const uint8_t master[48], const uint8_t client_random[32],
               const uint8_t server_random[32], struct direction *client, struct direction *server) {
  static _Thread_local EVP_KDF_CTX *made;
  EVP_KDF_CTX *context = prf(&made);
  if (context == NULL) return false;
  uint8_t seed[13 + 64], block[2 * (32 + 12)];
  memcpy(seed, "key expansion", 13);
  memcpy(seed + 13, server_random, 32);
  memcpy(seed + 45, client_random, 32);
  size_t key = key_size(suite), iv = suite->algorithm == chacha20_poly1305 ? 12 : 4;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, suite->is_long ? (char *)"SHA384" : (char *)"SHA256", 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)master, 48),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed), OSSL_PARAM_construct_end()};
  bool good = EVP_KDF_derive(context, block, 2 * (key + iv), parameters) > 0;
  EVP_KDF_CTX_reset(context);
  if (good) {
    memcpy(client->key, block, key);
    memcpy(server->key, block + key, key);
    memcpy(client->iv, block + 2 * key, iv);
    memcpy(server->iv, block + 2 * key + iv, iv);
  } else {
    ERR_clear_error();
  }
  OPENSSL_cleanse(block, sizeof block);
  return good;
}
