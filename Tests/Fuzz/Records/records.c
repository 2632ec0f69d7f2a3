// A server's established connection beside a client that sends what it likes, and states of connections that may be anything.
// The first octet: 0, the rest is a state to take over; otherwise it chooses a suite, and operations follow.
#include <fcntl.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CTLSRecords.h"

static const struct {
  uint16_t version, suite;
} suites[] = {{0x0304, 0x1301}, {0x0304, 0x1302}, {0x0304, 0x1303}, {0x0303, 0xC02B}, {0x0303, 0xC02C}, {0x0303, 0xCCA9}};

// The most that anyone may have before it is read: less than what a socket takes.
enum { suite_count = sizeof suites / sizeof *suites, room = 1 << 15, longest_run = 200 };

static void unless(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "ERROR: %s\n", what);
  abort();
}

static struct tlsrecords *end_of(bool is_server, int suite) {
  uint8_t state[304] = {'A', 'T', 'L', 'S', 1, is_server};
  state[6] = (uint8_t)(suites[suite].version >> 8), state[7] = (uint8_t)suites[suite].version;
  state[8] = (uint8_t)(suites[suite].suite >> 8), state[9] = (uint8_t)suites[suite].suite;
  state[10] = 0x40;
  // Sequence number, secret, key and nonce of both directions: the one's reading is the other's writing.
  for (int direction = 0; direction < 2; direction++) {
    uint8_t *keys = state + 50 + 100 * direction + 8;
    memset(keys, (direction == 0) == is_server ? 'c' : 's', 92);
  }
  struct tlsrecords *connection = tlsrecords_import(state, sizeof state);
  unless(connection != NULL, "a state like those that are written isn't taken");
  return connection;
}

// A state that is taken is written again as it was.
static void take_state(const uint8_t *octets, size_t length) {
  struct tlsrecords *connection = tlsrecords_import(octets, length);
  if (connection == NULL) return;
  uint8_t *again = malloc(length + 1);
  unless(again != NULL && tlsrecords_export(connection, again, length + 1) == length, "a state changed its length");
  unless(memcmp(octets, again, length) == 0, "a state is written otherwise than it was read");
  free(again);
  tlsrecords_free(connection);
}

struct talk {
  struct tlsrecords *server, *client;
  int sockets[2];
  uint8_t expected[room];  // what was sent in order and not read
  size_t length;
  bool is_honest;  // nothing but data was sent
  bool is_over;
  size_t unread;  // octets in the socket, at most
};

static void move(struct talk *talk) {
  static uint8_t state[1 << 21];
  size_t length = tlsrecords_export(talk->server, state, sizeof state);
  unless(length <= sizeof state, "a state of more than two megabytes");
  tlsrecords_free(talk->server);
  talk->server = tlsrecords_import(state, length);
  unless(talk->server != NULL, "a state that was written isn't taken");
}

static void read_some(struct talk *talk, size_t most) {
  static uint8_t buffer[room];
  struct tlsrecords_result result = tlsrecords_read(talk->server, talk->sockets[0], buffer, most);
  switch (result.status) {
    case tlsrecords_done:
      unless(!talk->is_over, "octets after the end");
      unless(result.count > 0 && (size_t)result.count <= most, "more octets than there is room for");
      if (!talk->is_honest) return;
      unless((size_t)result.count <= talk->length && memcmp(buffer, talk->expected, (size_t)result.count) == 0,
             "other octets than were sent");
      talk->length -= (size_t)result.count;
      memmove(talk->expected, talk->expected + result.count, talk->length);
      return;
    case tlsrecords_want_read:
    case tlsrecords_want_write:
      return;
    default:
      unless(!talk->is_honest, "an end although nothing but data was sent");
      talk->is_over = true;
  }
}

static void send_data(struct talk *talk, const uint8_t *octets, size_t length) {
  if (talk->length + length > sizeof talk->expected) return;
  if (!tlsrecords_send(talk->client, talk->sockets[1], 23, octets, length)) return;
  memcpy(talk->expected + talk->length, octets, length);
  talk->length += length;
}

// Client and server have sent so much that neither is blocked: it is read and forgotten.
static void drain(struct talk *talk) {
  static uint8_t nothing[1 << 16];
  while (recv(talk->sockets[1], nothing, sizeof nothing, MSG_DONTWAIT) > 0) continue;
}

static void run(struct talk *talk, const uint8_t *octets, size_t length) {
  size_t position = 0;
  for (int steps = 0; steps < longest_run && position < length && !talk->is_over; steps++) {
    uint8_t operation = octets[position] & 7, amount = octets[position] >> 3;
    position++;
    size_t count = amount < length - position ? amount : length - position;
    const uint8_t *content = octets + position;
    switch (operation) {
      case 0:
        send_data(talk, content, count);
        // An empty record is no data, and too many are refused.
        if (count == 0) talk->is_honest = false;
        break;
      case 1:
        if (count == 0) break;
        talk->is_honest = false;
        tlsrecords_send(talk->client, talk->sockets[1], content[0], content + 1, count - 1);
        break;
      case 2:
        if (count == 0) break;
        talk->is_honest = false;
        if (send(talk->sockets[1], content, count, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
        break;
      case 3:
        count = 0;
        read_some(talk, (size_t)(amount + 1) * 8);
        break;
      case 4:
        count = 0;
        move(talk);
        break;
      case 5:
        count = 0;
        tlsrecords_update_keys(talk->server, talk->sockets[0], amount & 1);
        break;
      case 6: tlsrecords_write(talk->server, talk->sockets[0], content, count); break;
      default:
        count = 0;
        // Some peers change their keys again and again.
        if (tlsrecords_update_keys(talk->client, talk->sockets[1], amount & 1) && amount > 3) talk->is_honest = false;
        if (++talk->unread > 20) talk->is_honest = false;
    }
    position += count;
    drain(talk);
  }
  // What was sent in order arrives to the last octet.
  for (int reads = 0; reads < 5000 && talk->is_honest && talk->length > 0; reads++) read_some(talk, 4096);
  unless(!talk->is_honest || talk->length == 0, "octets that were sent do not arrive");
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length) {
  if (length == 0) return 0;
  if (octets[0] == 0) {
    take_state(octets + 1, length - 1);
    return 0;
  }
  static struct talk talk;
  memset(&talk, 0, sizeof talk);
  talk.is_honest = true;
  unless(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, talk.sockets) == 0, "no sockets");
  int suite = octets[0] % suite_count;
  talk.server = end_of(true, suite);
  talk.client = end_of(false, suite);
  run(&talk, octets + 1, length - 1);
  tlsrecords_free(talk.server);
  tlsrecords_free(talk.client);
  close(talk.sockets[0]);
  close(talk.sockets[1]);
  unless(tlsrecords_memory().connections == 0, "a connection is left");
  unless(ERR_peek_error() == 0, "an error is left in OpenSSL's queue");
  return 0;
}
