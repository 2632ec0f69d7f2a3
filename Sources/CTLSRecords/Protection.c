// One record: RFC 8446 §5.2 and §5.3, RFC 5288 §3, RFC 7905 §2.
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "Internal.h"

_Thread_local uint64_t record_limit = 1 << 23;

void tlsrecords_set_limit(uint64_t records) {
  record_limit = records == 0 ? 1 : records > 1 << 24 ? 1 << 24 : records;
}

static void put(uint8_t *output, uint64_t value, int octets) {
  for (int index = octets - 1; index >= 0; index--, value >>= 8) output[index] = (uint8_t)value;
}

static bool has_explicit_nonce(const struct tlsrecords *connection, const struct suite *suite) {
  return connection->version == version_12 && suite->algorithm != chacha20_poly1305;
}

size_t record_overhead(const struct tlsrecords *connection) {
  const struct suite *suite = suite_find(connection->suite);
  size_t extra = connection->version == version_13 ? 1 : suite != NULL && has_explicit_nonce(connection, suite) ? explicit_size : 0;
  return header_size + extra + tag_size;
}

// One context for each algorithm and direction, keyed anew for each record: with many connections that is cheaper than a
// context for each, which would never be in the processor's cache.
static EVP_CIPHER_CTX *cipher(enum algorithm algorithm, bool seals) {
  static _Thread_local EVP_CIPHER_CTX *contexts[algorithm_count][2];
  static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
  EVP_CIPHER_CTX **context = &contexts[algorithm][seals];
  if (*context != NULL) return *context;
  EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, names[algorithm], NULL);
  *context = fetched == NULL ? NULL : EVP_CIPHER_CTX_new();
  if (*context != NULL && !EVP_CipherInit_ex2(*context, fetched, NULL, NULL, seals, NULL)) {
    EVP_CIPHER_CTX_free(*context);
    *context = NULL;
  }
  EVP_CIPHER_free(fetched);
  return *context;
}

static void nonce_from_sequence(const struct direction *direction, uint8_t nonce[12]) {
  memcpy(nonce, direction->iv, 12);
  uint8_t sequence[8];
  put(sequence, direction->sequence, 8);
  for (int index = 0; index < 8; index++) nonce[4 + index] ^= sequence[index];
}

// RFC 5246 §6.2.3.3
static void associated_12(const struct direction *direction, uint8_t type, size_t length, uint8_t output[13]) {
  put(output, direction->sequence, 8);
  output[8] = type;
  put(output + 9, version_12, 2);
  put(output + 11, length, 2);
}

size_t record_seal(struct tlsrecords *connection, uint8_t type, const uint8_t *content, size_t length, uint8_t *output) {
  const struct suite *suite = suite_find(connection->suite);
  EVP_CIPHER_CTX *context = suite == NULL ? NULL : cipher(suite->algorithm, true);
  struct direction *direction = &connection->writing;
  if (context == NULL || length > maximum_content || direction->sequence == UINT64_MAX) return 0;
  bool is_13 = connection->version == version_13, is_explicit = has_explicit_nonce(connection, suite);
  size_t body = length + record_overhead(connection) - header_size;
  output[0] = is_13 ? type_data : type;
  put(output + 1, version_12, 2);
  put(output + 3, body, 2);
  uint8_t nonce[12], associated[13], *text = output + header_size;
  if (is_explicit) {
    memcpy(nonce, direction->iv, 4);
    put(nonce + 4, connection->explicit_nonce, 8);
    memcpy(text, nonce + 4, explicit_size);
    text += explicit_size;
    connection->explicit_nonce++;
  } else {
    nonce_from_sequence(direction, nonce);
  }
  if (!is_13) associated_12(direction, type, length, associated);
  // Before anything is sealed: whatever fails from here on, no nonce is used twice.
  direction->sequence++;
  int count = 0, end = 0;
  bool good = EVP_EncryptInit_ex2(context, NULL, direction->key, nonce, NULL) &&
              EVP_EncryptUpdate(context, NULL, &count, is_13 ? output : associated, is_13 ? header_size : 13) &&
              (length == 0 || EVP_EncryptUpdate(context, text, &count, content, (int)length)) &&
              (!is_13 || EVP_EncryptUpdate(context, text + length, &count, &type, 1)) &&
              EVP_EncryptFinal_ex(context, text, &end) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_size, output + header_size + body - tag_size);
  if (good) return header_size + body;
  ERR_clear_error();
  return 0;
}

static bool decrypt(const struct tlsrecords *connection, const struct suite *suite, const uint8_t *record,
                    const uint8_t *text, size_t length, const uint8_t nonce[12], uint8_t *output) {
  EVP_CIPHER_CTX *context = cipher(suite->algorithm, false);
  const struct direction *direction = &connection->reading;
  bool is_13 = connection->version == version_13;
  uint8_t associated[13], tag[tag_size];
  if (!is_13) associated_12(direction, record[0], length, associated);
  memcpy(tag, text + length, tag_size);
  int count = 0, end = 0;
  bool good = context != NULL && EVP_DecryptInit_ex2(context, NULL, direction->key, nonce, NULL) &&
              EVP_DecryptUpdate(context, NULL, &count, is_13 ? record : associated, is_13 ? header_size : 13) &&
              (length == 0 || EVP_DecryptUpdate(context, output, &count, text, (int)length)) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_size, tag) &&
              EVP_DecryptFinal_ex(context, output + length, &end) > 0;
  if (good) return true;
  // Nobody may see what wasn't proved.
  OPENSSL_cleanse(output, length);
  ERR_clear_error();
  return false;
}

int record_open(struct tlsrecords *connection, const uint8_t *record, size_t body, uint8_t *output, uint8_t *type,
                size_t *length) {
  const struct suite *suite = suite_find(connection->suite);
  struct direction *direction = &connection->reading;
  bool is_13 = connection->version == version_13;
  if (suite == NULL) return alert_internal_error;
  const uint8_t *text = record + header_size;
  uint8_t nonce[12];
  size_t smallest = record_overhead(connection) - header_size - (is_13 ? 1 : 0);
  if (body < smallest) return alert_bad_record_mac;
  size_t count = body - tag_size;
  if (has_explicit_nonce(connection, suite)) {
    memcpy(nonce, direction->iv, 4);
    memcpy(nonce + 4, text, explicit_size);
    text += explicit_size;
    count -= explicit_size;
  } else {
    nonce_from_sequence(direction, nonce);
  }
  // The peer must have taken new keys or closed long before; no key opens more than this.
  if (direction->sequence >= (uint64_t)1 << 32) return alert_unexpected_message;
  if (!decrypt(connection, suite, record, text, count, nonce, output)) return alert_bad_record_mac;
  direction->sequence++;
  *type = record[0];
  if (is_13) {
    // RFC 8446 §5.4: the type is the last octet that isn't zero.
    while (count > 0 && output[count - 1] == 0) count--;
    if (count == 0) return alert_unexpected_message;
    *type = output[--count];
  }
  if (count > maximum_content) return alert_record_overflow;
  *length = count;
  return 0;
}
