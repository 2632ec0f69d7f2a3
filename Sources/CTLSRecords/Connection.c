// Octets in and out, and what the peer says besides: alerts, new keys, messages of a handshake that has ended.
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "Internal.h"

enum {
  // As many as OpenSSL bears.
  maximum_empties = 32,
  maximum_warnings = 5,
  maximum_updates = 32,
  message_hello_request = 0,
  message_client_hello = 1,
  message_new_session_ticket = 4,
  message_key_update = 24,
  // A whole record and the beginning of others.
  incoming_size = header_size + maximum_ciphertext + 2048,
  outgoing_size = 4 * (maximum_content + 64),
};

static _Thread_local uint8_t incoming[incoming_size];
static _Thread_local uint8_t opened[maximum_ciphertext];
static _Thread_local uint8_t outgoing[outgoing_size];

static struct tlsrecords_result result(enum tlsrecords_status status, int value) {
  struct tlsrecords_result made = {status, 0, 0};
  if (status == tlsrecords_done) made.count = value;
  else made.error = value;
  return made;
}

// ---- sending

static ssize_t send_some(int descriptor, const uint8_t *bytes, size_t length) {
  ssize_t count;
  do count = send(descriptor, bytes, length, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count;
}

static bool would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

// Sends what was sealed before: done, want_write or system.
static struct tlsrecords_result flush(struct tlsrecords *connection, int descriptor) {
  if (connection->buffers == NULL) return result(tlsrecords_done, 0);
  struct octets *output = &connection->buffers->output;
  while (output->used < output->length) {
    ssize_t count = send_some(descriptor, output->bytes + output->used, output->length - output->used);
    if (count < 0) return would_block() ? result(tlsrecords_want_write, 0) : result(tlsrecords_system, errno);
    output->used += (uint32_t)count;
  }
  octets_clear(output);
  buffers_tidy(connection);
  return result(tlsrecords_done, 0);
}

// Sends octets that are sealed, behind those that wait. What the socket doesn't take is kept.
static struct tlsrecords_result send_sealed(struct tlsrecords *connection, int descriptor, const uint8_t *bytes,
                                            size_t length) {
  size_t sent = 0;
  if (buffers_of(connection)->output.length == 0) {
    ssize_t count = send_some(descriptor, bytes, length);
    if (count < 0 && !would_block()) return result(tlsrecords_system, errno);
    if (count > 0) sent = (size_t)count;
    if (sent == length) return result(tlsrecords_done, 0);
  }
  struct buffers *buffers = buffers_make(connection);
  if (buffers == NULL || !octets_append(&buffers->output, bytes + sent, length - sent)) {
    return result(tlsrecords_system, ENOMEM);
  }
  return result(tlsrecords_want_write, 0);
}

static struct tlsrecords_result send_record(struct tlsrecords *connection, int descriptor, uint8_t type,
                                            const uint8_t *content, size_t length) {
  uint8_t record[128];
  size_t sealed = record_seal(connection, type, content, length, record);
  if (sealed == 0) return result(tlsrecords_system, EIO);
  return send_sealed(connection, descriptor, record, sealed);
}

int tlsrecords_send(struct tlsrecords *connection, int descriptor, uint8_t type, const void *content, size_t length) {
  size_t sealed = record_seal(connection, type, content, length, outgoing);
  return sealed > 0 && send_sealed(connection, descriptor, outgoing, sealed).status == tlsrecords_done;
}

static struct tlsrecords_result refuse(struct tlsrecords *connection, int descriptor, uint8_t alert) {
  uint8_t content[2] = {2, alert};
  // Told if that can be done at once; the connection is over in any case.
  if (!connection->is_closed) send_record(connection, descriptor, type_alert, content, sizeof content);
  connection->is_closed = true;
  return result(tlsrecords_refused, alert);
}

void tlsrecords_shutdown(struct tlsrecords *connection, int descriptor) {
  if (connection->is_closed) return;
  connection->is_closed = true;
  if (flush(connection, descriptor).status != tlsrecords_done) return;
  uint8_t content[2] = {1, alert_close_notify};
  send_record(connection, descriptor, type_alert, content, sizeof content);
}

int tlsrecords_update_keys(struct tlsrecords *connection, int descriptor, bool asks) {
  if (connection->version != version_13 || connection->is_closed) return 0;
  const struct suite *suite = suite_find(connection->suite);
  uint8_t message[5] = {message_key_update, 0, 0, 1, asks};
  enum tlsrecords_status status =
      send_record(connection, descriptor, type_handshake, message, sizeof message).status;
  if (status != tlsrecords_done && status != tlsrecords_want_write) return 0;
  if (asks) connection->asked_update = true;
  return suite != NULL && derive_next_13(suite, &connection->writing);
}

// Keys that were used often enough are changed before more is sealed; 0 when nothing may be sealed any more.
static bool keep_fresh(struct tlsrecords *connection, int descriptor) {
  if (connection->writing.sequence < record_limit) return true;
  return tlsrecords_update_keys(connection, descriptor, false) != 0;
}

struct tlsrecords_result tlsrecords_write(struct tlsrecords *connection, int descriptor, const void *octets,
                                          size_t length) {
  if (connection->is_closed) return result(tlsrecords_system, EPIPE);
  if (buffers_of(connection)->output.length > 0) {
    struct tlsrecords_result flushed = flush(connection, descriptor);
    if (flushed.status != tlsrecords_done) return flushed;
  }
  if (connection->claimed > 0) {
    int claimed = (int)connection->claimed;
    connection->claimed = 0;
    return result(tlsrecords_done, claimed);
  }
  if (!keep_fresh(connection, descriptor)) {
    tlsrecords_shutdown(connection, descriptor);
    return result(tlsrecords_exhausted, 0);
  }
  const uint8_t *content = octets;
  size_t taken = 0, sealed = 0, overhead = record_overhead(connection);
  while (taken < length && connection->writing.sequence < record_limit) {
    size_t part = length - taken < connection->fragment ? length - taken : connection->fragment;
    if (sealed + part + overhead > sizeof outgoing) break;
    size_t count = record_seal(connection, type_data, content + taken, part, outgoing + sealed);
    if (count == 0) return result(tlsrecords_system, EIO);
    taken += part;
    sealed += count;
  }
  struct tlsrecords_result sent = send_sealed(connection, descriptor, outgoing, sealed);
  if (sent.status == tlsrecords_done) return result(tlsrecords_done, (int)taken);
  if (sent.status == tlsrecords_want_write) connection->claimed = (uint32_t)taken;
  return sent;
}

// ---- what isn't data

static struct tlsrecords_result received_alert(struct tlsrecords *connection, int descriptor, const uint8_t *content,
                                               size_t length) {
  bool is_13 = connection->version == version_13;
  if (length != 2) return refuse(connection, descriptor, is_13 ? alert_unexpected_message : alert_decode_error);
  uint8_t level = content[0], alert = content[1];
  if (alert == alert_close_notify && (is_13 || level == 1)) return result(tlsrecords_closed, 0);
  if (++connection->warnings >= maximum_warnings) return refuse(connection, descriptor, alert_unexpected_message);
  // RFC 8446 §6: the level counts for nothing any more.
  if (is_13 ? alert == alert_user_canceled : level == 1) {
    // RFC 5246 §7.2.2: a client that doesn't want to renegotiate; we never asked.
    if (!is_13 && alert == alert_no_renegotiation) return refuse(connection, descriptor, alert_handshake_failure);
    return result(tlsrecords_done, 0);
  }
  if (!is_13 && level != 2) return refuse(connection, descriptor, alert_illegal_parameter);
  connection->is_closed = true;
  return result(tlsrecords_alerted, alert);
}

static struct tlsrecords_result received_update(struct tlsrecords *connection, int descriptor, bool is_last) {
  uint8_t request = connection->handshake[4];
  const struct suite *suite = suite_find(connection->suite);
  // RFC 8446 §5.1: keys change at the end of a record.
  if (!is_last) return refuse(connection, descriptor, alert_unexpected_message);
  if (request > 1) return refuse(connection, descriptor, alert_illegal_parameter);
  if (++connection->updates > maximum_updates) return refuse(connection, descriptor, alert_unexpected_message);
  connection->asked_update = false;
  if (suite == NULL || !derive_next_13(suite, &connection->reading)) {
    return refuse(connection, descriptor, alert_internal_error);
  }
  // Nothing is answered once we have said that we send no more.
  if (request == 1 && !connection->is_closed && !tlsrecords_update_keys(connection, descriptor, false)) {
    return refuse(connection, descriptor, alert_internal_error);
  }
  return result(tlsrecords_done, 0);
}

// The header of a message is complete: whether it may come, and how much of it has to be looked at.
static int begin_message(struct tlsrecords *connection) {
  const uint8_t *header = connection->handshake;
  connection->handshake_left = (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
  if (connection->version == version_13) {
    if (header[0] == message_key_update) return connection->handshake_left == 1 ? 0 : alert_decode_error;
    if (header[0] != message_new_session_ticket || connection->is_server) return alert_unexpected_message;
    // RFC 8446 §4.6.1: two vectors of 2^16, one of 2^8 and a few numbers.
    return connection->handshake_left > (1 << 18) ? alert_decode_error : 0;
  }
  // RFC 5246 §7.4.1.1: the wish to negotiate anew is ignored by being refused.
  uint8_t expected = connection->is_server ? message_client_hello : message_hello_request;
  if (header[0] != expected) return alert_unexpected_message;
  if (!connection->is_server && connection->handshake_left != 0) return alert_decode_error;
  return 0;
}

static struct tlsrecords_result end_message(struct tlsrecords *connection, int descriptor, bool is_last) {
  uint8_t type = connection->handshake[0];
  connection->handshake_length = 0;
  if (connection->version == version_12) {
    uint8_t content[2] = {1, alert_no_renegotiation};
    if (++connection->warnings >= maximum_warnings) return refuse(connection, descriptor, alert_unexpected_message);
    struct tlsrecords_result sent = send_record(connection, descriptor, type_alert, content, sizeof content);
    return sent.status == tlsrecords_want_write ? result(tlsrecords_done, 0) : sent;
  }
  if (type == message_key_update) return received_update(connection, descriptor, is_last);
  if (++connection->updates > maximum_updates) return refuse(connection, descriptor, alert_unexpected_message);
  return result(tlsrecords_done, 0);
}

static struct tlsrecords_result received_handshake(struct tlsrecords *connection, int descriptor,
                                                   const uint8_t *content, size_t length) {
  size_t position = 0;
  while (position < length) {
    if (connection->handshake_length < 4) {
      connection->handshake[connection->handshake_length++] = content[position++];
      if (connection->handshake_length < 4) continue;
      int alert = begin_message(connection);
      if (alert != 0) return refuse(connection, descriptor, (uint8_t)alert);
    }
    size_t part = length - position < connection->handshake_left ? length - position : connection->handshake_left;
    if (part > 0 && connection->handshake[0] == message_key_update) connection->handshake[4] = content[position];
    position += part;
    connection->handshake_left -= (uint32_t)part;
    if (connection->handshake_left > 0) continue;
    struct tlsrecords_result ended = end_message(connection, descriptor, position == length);
    if (ended.status != tlsrecords_done) return ended;
  }
  return result(tlsrecords_done, 0);
}

static struct tlsrecords_result received_other(struct tlsrecords *connection, int descriptor, uint8_t type,
                                               const uint8_t *content, size_t length) {
  if (length == 0 && connection->version == version_13) {
    return refuse(connection, descriptor, alert_unexpected_message);
  }
  // RFC 8446 §5.1: no other record stands between the pieces of a message.
  if (type != type_handshake && connection->handshake_length > 0) {
    return refuse(connection, descriptor, alert_unexpected_message);
  }
  if (length == 0 && ++connection->empties > maximum_empties) {
    return refuse(connection, descriptor, alert_unexpected_message);
  }
  switch (type) {
    case type_alert: return received_alert(connection, descriptor, content, length);
    case type_handshake: return received_handshake(connection, descriptor, content, length);
    default: return refuse(connection, descriptor, alert_unexpected_message);
  }
}

// ---- receiving

// The length of the body of the record that begins here; -1: more octets are needed, -2: `alert` is due.
static int body_length(const struct tlsrecords *connection, const uint8_t *bytes, size_t length, uint8_t *alert) {
  if (length < header_size) return -1;
  bool is_13 = connection->version == version_13;
  int body = bytes[3] << 8 | bytes[4];
  *alert = 0;
  if (bytes[1] != 3 || (!is_13 && bytes[2] != 3)) *alert = alert_protocol_version;
  else if (is_13 && bytes[0] != type_data) *alert = alert_unexpected_message;
  else if (body > maximum_ciphertext) *alert = alert_record_overflow;
  if (*alert != 0) return -2;
  return length < header_size + (size_t)body ? -1 : body;
}

bool tlsrecords_has_pending(const struct tlsrecords *connection) {
  if (buffers_of(connection)->plain.length > 0 || connection->ended != tlsrecords_done) return true;
  const struct octets *input = &buffers_of(connection)->input;
  uint8_t alert;
  return input->length > 0 && body_length(connection, input->bytes, input->length, &alert) != -1;
}

struct reading {
  struct tlsrecords *connection;
  int descriptor;
  uint8_t *buffer;
  size_t room, count;  // of the caller's buffer, and how much is in it
};

static struct tlsrecords_result received_data(struct reading *reading, const uint8_t *content, size_t length) {
  struct tlsrecords *connection = reading->connection;
  if (connection->handshake_length > 0) {
    return refuse(connection, reading->descriptor, alert_unexpected_message);
  }
  if (length == 0) {
    if (++connection->empties <= maximum_empties) return result(tlsrecords_done, 0);
    return refuse(connection, reading->descriptor, alert_unexpected_message);
  }
  connection->empties = connection->warnings = connection->updates = 0;
  size_t room = reading->room - reading->count, part = length < room ? length : room;
  uint8_t *place = reading->buffer + reading->count;
  if (content != place) memcpy(place, content, part);
  reading->count += part;
  if (part == length) return result(tlsrecords_done, 0);
  struct buffers *buffers = buffers_make(connection);
  if (buffers == NULL || !octets_set(&buffers->plain, content + part, length - part)) {
    return result(tlsrecords_system, ENOMEM);
  }
  return result(tlsrecords_done, 0);
}

static struct tlsrecords_result open_one(struct reading *reading, const uint8_t *record, int body) {
  struct tlsrecords *connection = reading->connection;
  size_t room = reading->room - reading->count, length = 0;
  // Opened where it is wanted, if all of it, padding included, surely fits.
  uint8_t *place = (size_t)body <= room ? reading->buffer + reading->count : opened;
  uint8_t type = 0;
  int alert = record_open(connection, record, (size_t)body, place, &type, &length);
  if (alert != 0) return refuse(connection, reading->descriptor, (uint8_t)alert);
  struct tlsrecords_result done = type == type_data
                                      ? received_data(reading, place, length)
                                      : received_other(connection, reading->descriptor, type, place, length);
  if (place == opened) OPENSSL_cleanse(opened, length);
  // RFC 8446 §5.5: the peer is asked for new keys in time, and once.
  if (done.status == tlsrecords_done && connection->reading.sequence >= record_limit) {
    if (connection->version == version_12) {
      tlsrecords_shutdown(connection, reading->descriptor);
      return result(tlsrecords_exhausted, 0);
    }
    if (!connection->asked_update) tlsrecords_update_keys(connection, reading->descriptor, true);
  }
  return done;
}

// Opens whole records as long as there is room for what they bring; `used` tells how many octets are done with.
static struct tlsrecords_result open_all(struct reading *reading, const uint8_t *bytes, size_t length, size_t *used) {
  struct tlsrecords *connection = reading->connection;
  while (reading->count < reading->room && buffers_of(connection)->plain.length == 0) {
    uint8_t alert;
    int body = body_length(connection, bytes + *used, length - *used, &alert);
    if (body == -1) break;
    // What came before is delivered first.
    size_t most = reading->room - reading->count + record_overhead(connection) - header_size;
    if (reading->count > 0 && (body == -2 || (size_t)body > most)) break;
    if (body == -2) return refuse(connection, reading->descriptor, alert);
    struct tlsrecords_result one = open_one(reading, bytes + *used, body);
    *used += header_size + (size_t)body;
    if (one.status != tlsrecords_done) return one;
  }
  return result(tlsrecords_done, 0);
}

static struct tlsrecords_result take_plain(struct tlsrecords *connection, uint8_t *buffer, size_t length) {
  struct octets *plain = &connection->buffers->plain;
  size_t waiting = plain->length - plain->used, count = waiting < length ? waiting : length;
  memcpy(buffer, plain->bytes + plain->used, count);
  plain->used += (uint32_t)count;
  if (plain->used == plain->length) {
    octets_clear(plain);
    buffers_tidy(connection);
  }
  return result(tlsrecords_done, (int)count);
}

// The octets that are there, in `incoming` behind those that were left over; the status of the socket if there are no new ones.
static struct tlsrecords_result receive(struct tlsrecords *connection, int descriptor, size_t length, size_t *count) {
  const struct octets *input = &buffers_of(connection)->input;
  *count = input->length;
  if (*count > 0) memcpy(incoming, input->bytes, *count);
  // No more than the caller has room for, and what a record has besides.
  size_t wanted = sizeof incoming - *count;
  if (length + 512 < wanted) wanted = length + 512;
  ssize_t got;
  do got = read(descriptor, incoming + *count, wanted);
  while (got < 0 && errno == EINTR);
  if (got < 0) return would_block() ? result(tlsrecords_want_read, 0) : result(tlsrecords_system, errno);
  if (got == 0) return result(tlsrecords_cut, 0);
  *count += (size_t)got;
  return result(tlsrecords_done, 0);
}

static bool keep_rest(struct tlsrecords *connection, const uint8_t *bytes, size_t length) {
  if (length == 0 && connection->buffers == NULL) return true;
  struct buffers *buffers = buffers_make(connection);
  bool good = buffers != NULL && octets_set(&buffers->input, bytes, length);
  buffers_tidy(connection);
  return good;
}

struct tlsrecords_result tlsrecords_read(struct tlsrecords *connection, int descriptor, void *buffer, size_t length) {
  if (buffers_of(connection)->output.length > 0 && connection->claimed == 0) {
    // An answer of ours: nobody else will send it.
    struct tlsrecords_result flushed = flush(connection, descriptor);
    if (flushed.status != tlsrecords_done) return flushed;
  }
  if (buffers_of(connection)->plain.length > 0) return take_plain(connection, buffer, length);
  if (connection->ended != tlsrecords_done) return result(connection->ended, connection->ended_error);
  struct reading reading = {connection, descriptor, buffer, length, 0};
  size_t count = buffers_of(connection)->input.length, used = 0;
  struct tlsrecords_result status = result(tlsrecords_done, 0);
  if (tlsrecords_has_pending(connection)) memcpy(incoming, connection->buffers->input.bytes, count);
  else status = receive(connection, descriptor, length, &count);
  if (status.status != tlsrecords_done) return status;
  status = open_all(&reading, incoming, count, &used);
  if (!keep_rest(connection, incoming + used, count - used)) return result(tlsrecords_system, ENOMEM);
  if (reading.count > 0) {
    // What ends the connection is told by the next call.
    connection->ended = (uint8_t)status.status;
    connection->ended_error = (uint8_t)status.error;
    return result(tlsrecords_done, (int)reading.count);
  }
  if (status.status != tlsrecords_done) return status;
  if (buffers_of(connection)->output.length > 0 && connection->claimed == 0) return result(tlsrecords_want_write, 0);
  return result(tlsrecords_want_read, 0);
}
