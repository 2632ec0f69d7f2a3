// What the parts of the record layer share.
#ifndef CTLSRECORDS_INTERNAL_H
#define CTLSRECORDS_INTERNAL_H

#include <openssl/evp.h>

#include "CTLSRecords.h"

enum {
  version_12 = 0x0303,
  version_13 = 0x0304,

  type_change_cipher_spec = 20,
  type_alert = 21,
  type_handshake = 22,
  type_data = 23,

  header_size = 5,
  tag_size = 16,
  explicit_size = 8,
  maximum_content = 1 << 14,
  // RFC 8446 §5.2: a type, padding and a tag take 256 octets at most.
  maximum_ciphertext = maximum_content + 256,

  alert_close_notify = 0,
  alert_unexpected_message = 10,
  alert_bad_record_mac = 20,
  alert_record_overflow = 22,
  alert_handshake_failure = 40,
  alert_illegal_parameter = 47,
  alert_decode_error = 50,
  alert_protocol_version = 70,
  alert_internal_error = 80,
  alert_user_canceled = 90,
  alert_no_renegotiation = 100,
};

enum algorithm { aes_128_gcm, aes_256_gcm, chacha20_poly1305, algorithm_count };

// What a suite (its number is RFC 8446 §B.4's) means for records.
struct suite {
  uint16_t number;
  uint16_t version;
  enum algorithm algorithm;
  bool is_long;  // SHA-384
};

struct direction {
  uint64_t sequence;
  uint8_t secret[48];  // TLS 1.3: the traffic secret
  uint8_t key[32];
  uint8_t iv[12];  // TLS 1.2 with GCM: 4 octets (RFC 5288 §3)
};

// A buffer that exists only while something is in it.
struct octets {
  uint8_t *bytes;
  uint32_t length;
  uint32_t used;
};

struct buffers {
  struct octets input;   // read and not opened
  struct octets plain;   // opened and not asked for yet
  struct octets output;  // sealed and not sent
};

struct tlsrecords {
  struct direction reading;
  struct direction writing;
  uint64_t explicit_nonce;  // of the next record (TLS 1.2 with GCM)
  struct buffers *buffers;  // NULL while nothing is in any: almost always
  uint32_t claimed;         // octets of the caller's that the output holds
  uint32_t handshake_left;  // octets that are to come of the handshake message under way
  uint16_t version;
  uint16_t suite;
  uint16_t fragment;  // the most octets in a record of ours (RFC 6066 §4)
  uint8_t handshake[5];
  uint8_t handshake_length;  // of `handshake`: the header, and the octet of a KeyUpdate
  uint8_t empties;           // in a row
  uint8_t warnings;          // in a row
  uint8_t updates;           // in a row
  bool is_server;
  bool is_closed;    // close_notify was sent, or a fatal alert
  bool asked_update;  // the peer was asked for new keys
  uint8_t ended;         // a status that the next read tells; 0 (done): none
  uint8_t ended_error;
};

// Key schedule

const struct suite *suite_find(uint16_t number);
bool derive_13(const struct suite *suite, struct direction *direction);
bool derive_next_13(const struct suite *suite, struct direction *direction);
bool derive_12(const struct suite *suite, const uint8_t master[48], const uint8_t client_random[32],
               const uint8_t server_random[32], struct direction *client, struct direction *server);

// Protection of one record

// How much longer a record is than its content, header included.
size_t record_overhead(const struct tlsrecords *connection);
// Writes a whole record; 0 when it fails.
size_t record_seal(struct tlsrecords *connection, uint8_t type, const uint8_t *content, size_t length, uint8_t *output);
// Opens the record whose header and body stand at `record`; `output` has room for the body. 0 or the alert that is due.
int record_open(struct tlsrecords *connection, const uint8_t *record, size_t body, uint8_t *output, uint8_t *type,
                size_t *length);

// Memory

struct tlsrecords *slab_take(void);
void slab_give(struct tlsrecords *connection);
// What is in the buffers, also where there are none.
const struct buffers *buffers_of(const struct tlsrecords *connection);
// Buffers to put something into; NULL when memory lacks.
struct buffers *buffers_make(struct tlsrecords *connection);
// Frees them when they are empty.
void buffers_tidy(struct tlsrecords *connection);
bool octets_set(struct octets *octets, const uint8_t *bytes, size_t length);
bool octets_append(struct octets *octets, const uint8_t *bytes, size_t length);
void octets_clear(struct octets *octets);

extern _Thread_local uint64_t record_limit;

#endif
