// A connection as octets, to be continued by another process. Version 1, numbers in network order:
//
//   4 "ATLS"  1 version of the format  1 role (1: server)  2 TLS version  2 suite  2 fragment
//   1 flags (1 closed, 2 asked for new keys)  1 empties  1 warnings  1 updates
//   1 length of the handshake header  5 handshake header  4 octets left of the message
//   8 explicit nonce  4 claimed  3 x 4 lengths of input, plain and output
//   2 x (8 sequence, 48 secret, 32 key, 12 iv), reading first
//   zeros up to 304 octets, then input, plain and output.
#include <openssl/crypto.h>
#include <string.h>

#include "Internal.h"

enum { format_version = 1, state_size = 304, maximum_buffer = 1 << 20 };

struct cursor {
  uint8_t *output;
  const uint8_t *input;
};

static void put(struct cursor *cursor, uint64_t value, int octets) {
  for (int index = octets - 1; index >= 0; index--, value >>= 8) cursor->output[index] = (uint8_t)value;
  cursor->output += octets;
}

static void put_octets(struct cursor *cursor, const void *octets, size_t length) {
  if (length > 0) memcpy(cursor->output, octets, length);
  cursor->output += length;
}

static uint64_t get(struct cursor *cursor, int octets) {
  uint64_t value = 0;
  for (int index = 0; index < octets; index++) value = value << 8 | cursor->input[index];
  cursor->input += octets;
  return value;
}

static void get_octets(struct cursor *cursor, void *octets, size_t length) {
  memcpy(octets, cursor->input, length);
  cursor->input += length;
}

static uint32_t waiting(const struct octets *octets) { return octets->length - octets->used; }

static void put_direction(struct cursor *cursor, const struct direction *direction) {
  put(cursor, direction->sequence, 8);
  put_octets(cursor, direction->secret, sizeof direction->secret);
  put_octets(cursor, direction->key, sizeof direction->key);
  put_octets(cursor, direction->iv, sizeof direction->iv);
}

static void get_direction(struct cursor *cursor, struct direction *direction) {
  direction->sequence = get(cursor, 8);
  get_octets(cursor, direction->secret, sizeof direction->secret);
  get_octets(cursor, direction->key, sizeof direction->key);
  get_octets(cursor, direction->iv, sizeof direction->iv);
}

size_t tlsrecords_export(const struct tlsrecords *connection, uint8_t *output, size_t size) {
  const struct octets *const buffers[] = {&buffers_of(connection)->input, &buffers_of(connection)->plain,
                                           &buffers_of(connection)->output};
  size_t length = state_size;
  for (int index = 0; index < 3; index++) length += waiting(buffers[index]);
  if (size < length) return length;
  memset(output, 0, state_size);
  struct cursor cursor = {output, NULL};
  put_octets(&cursor, "ATLS", 4);
  put(&cursor, format_version, 1);
  put(&cursor, connection->is_server, 1);
  put(&cursor, connection->version, 2);
  put(&cursor, connection->suite, 2);
  put(&cursor, connection->fragment, 2);
  put(&cursor, connection->is_closed | connection->asked_update << 1, 1);
  put(&cursor, connection->empties, 1);
  put(&cursor, connection->warnings, 1);
  put(&cursor, connection->updates, 1);
  put(&cursor, connection->handshake_length, 1);
  put_octets(&cursor, connection->handshake, sizeof connection->handshake);
  put(&cursor, connection->handshake_left, 4);
  put(&cursor, connection->explicit_nonce, 8);
  put(&cursor, connection->claimed, 4);
  for (int index = 0; index < 3; index++) put(&cursor, waiting(buffers[index]), 4);
  put_direction(&cursor, &connection->reading);
  put_direction(&cursor, &connection->writing);
  cursor.output = output + state_size;
  for (int index = 0; index < 3; index++) {
    put_octets(&cursor, buffers[index]->bytes + buffers[index]->used, waiting(buffers[index]));
  }
  return length;
}

// Whether the numbers are such as a connection can have.
static bool is_sound(const struct tlsrecords *connection, const uint32_t lengths[3], uint64_t flags, size_t length) {
  const struct suite *suite = suite_find(connection->suite);
  if (suite == NULL || suite->version != connection->version || flags > 3) return false;
  if (connection->fragment < 512 || connection->fragment > maximum_content) return false;
  if (connection->handshake_length > 4 || connection->handshake_left > 1 << 24) return false;
  uint64_t sum = state_size;
  for (int index = 0; index < 3; index++) {
    if (lengths[index] > maximum_buffer) return false;
    sum += lengths[index];
  }
  return sum == length && connection->claimed <= (lengths[2] > 0 ? maximum_buffer : 0) && lengths[1] <= maximum_content;
}

struct tlsrecords *tlsrecords_import(const uint8_t *octets, size_t length) {
  if (length < state_size || memcmp(octets, "ATLS", 4) != 0) return NULL;
  struct cursor cursor = {NULL, octets + 4};
  if (get(&cursor, 1) != format_version) return NULL;
  uint64_t role = get(&cursor, 1);
  struct tlsrecords *connection = role > 1 ? NULL : slab_take();
  if (connection == NULL) return NULL;
  connection->is_server = role == 1;
  connection->version = (uint16_t)get(&cursor, 2);
  connection->suite = (uint16_t)get(&cursor, 2);
  connection->fragment = (uint16_t)get(&cursor, 2);
  uint64_t flags = get(&cursor, 1);
  connection->is_closed = flags & 1;
  connection->asked_update = (flags & 2) != 0;
  connection->empties = (uint8_t)get(&cursor, 1);
  connection->warnings = (uint8_t)get(&cursor, 1);
  connection->updates = (uint8_t)get(&cursor, 1);
  connection->handshake_length = (uint8_t)get(&cursor, 1);
  get_octets(&cursor, connection->handshake, sizeof connection->handshake);
  connection->handshake_left = (uint32_t)get(&cursor, 4);
  connection->explicit_nonce = get(&cursor, 8);
  connection->claimed = (uint32_t)get(&cursor, 4);
  uint32_t lengths[3];
  for (int index = 0; index < 3; index++) lengths[index] = (uint32_t)get(&cursor, 4);
  get_direction(&cursor, &connection->reading);
  get_direction(&cursor, &connection->writing);
  bool good = is_sound(connection, lengths, flags, length);
  for (; cursor.input < octets + state_size; cursor.input++) good = good && *cursor.input == 0;
  struct buffers *made = good ? buffers_make(connection) : NULL;
  good = made != NULL;
  if (good) {
    struct octets *const buffers[] = {&made->input, &made->plain, &made->output};
    for (int index = 0; index < 3 && good; cursor.input += lengths[index++]) {
      good = octets_set(buffers[index], cursor.input, lengths[index]);
    }
    buffers_tidy(connection);
  }
  if (good) return connection;
  tlsrecords_free(connection);
  return NULL;
}

void tlsrecords_wipe(void *octets, size_t length) { OPENSSL_cleanse(octets, length); }
