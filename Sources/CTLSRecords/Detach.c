// From an SSL object whose handshake is over to a connection of ours. What OpenSSL doesn't tell by a function is seen by
// its callbacks: the secrets of TLS 1.3, how many records were sent, and the nonce that the last one had.
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "Internal.h"

enum {
  random_size = 32,
  // RFC 5246 §7.4.9 with GCM: header, nonce, message of 16 octets, tag.
  finished_record = header_size + explicit_size + 16 + tag_size,
};

// What is noted while the handshake goes on.
struct watch {
  struct tlsrecords *connection;
  bool has_reading, has_writing;
  uint64_t read, written;           // records since the keys changed
  uint8_t tail[finished_record];  // the last octets that were written
};

static void (*key_log)(const SSL *connection, const char *line);

void tlsrecords_set_key_log(void (*sink)(const SSL *connection, const char *line)) { key_log = sink; }

static void free_watch(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent, (void)data, (void)index, (void)number, (void)argument;
  OPENSSL_clear_free(pointer, pointer == NULL ? 0 : sizeof(struct watch));
}

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int slot = -1;

static void make_index(void) { slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_watch); }

static int watch_index(void) {
  pthread_once(&index_once, make_index);
  return slot;
}

static struct watch *watch_of(const SSL *connection) {
  int index = watch_index();
  return index < 0 ? NULL : SSL_get_ex_data(connection, index);
}

static int hexadecimal(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return -1;
}

// `LABEL client-random secret`, in hexadecimal. True when it is one that is needed.
static bool note_secret(const SSL *connection, const char *line) {
  struct watch *watch = watch_of(connection);
  if (watch == NULL) return false;
  bool is_client_s = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0;
  if (!is_client_s && strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) != 0) return false;
  const char *text = strchr(line + 24, ' ');
  if (text == NULL) return false;
  bool reads = is_client_s == (SSL_is_server(connection) != 0);
  struct direction *direction = reads ? &watch->connection->reading : &watch->connection->writing;
  size_t length = strlen(++text) / 2;
  if (length > sizeof direction->secret) return false;
  for (size_t index = 0; index < length; index++) {
    int high = hexadecimal(text[2 * index]), low = hexadecimal(text[2 * index + 1]);
    if (high < 0 || low < 0) return false;
    direction->secret[index] = (uint8_t)(high << 4 | low);
  }
  if (reads) watch->has_reading = true;
  else watch->has_writing = true;
  return true;
}

static void told_secret(const SSL *connection, const char *line);

// OpenSSL writes a secret in hexadecimal before it tells it, which costs more than all else that is noted. So it is asked just
// before the two that are needed: each follows a Finished. A key log gets all.
static void ask_for_secrets(const SSL *connection, bool asks) {
  SSL_CTX *context = SSL_get_SSL_CTX(connection);
  if (context != NULL) SSL_CTX_set_keylog_callback(context, asks || key_log != NULL ? told_secret : NULL);
}

static void told_secret(const SSL *connection, const char *line) {
  if (key_log != NULL) key_log(connection, line);
  if (note_secret(connection, line)) ask_for_secrets(connection, false);
}

// A record counts under the keys that are in force; those change with the message that says so.
static void saw_message(int writes, int version, int type, const void *bytes, size_t length, SSL *connection,
                        void *argument) {
  (void)version;
  struct watch *watch = argument;
  uint64_t *count = writes ? &watch->written : &watch->read;
  const uint8_t *octets = bytes;
  bool is_13 = SSL_version(connection) == version_13;
  if (length == 0) return;
  if (type == SSL3_RT_HEADER) *count = !is_13 && octets[0] == type_change_cipher_spec ? 0 : *count + 1;
  if (type != SSL3_RT_HANDSHAKE) return;
  bool is_finished = is_13 && octets[0] == SSL3_MT_FINISHED;
  if (is_finished) *count = 0;
  if (is_finished || key_log != NULL) ask_for_secrets(connection, true);
}

static long saw_write(BIO *output, int operation, const char *bytes, size_t length, int integer, long number, int status,
                      size_t *done) {
  (void)integer, (void)number;
  struct watch *watch = (struct watch *)BIO_get_callback_arg(output);
  if (operation != (BIO_CB_WRITE | BIO_CB_RETURN) || watch == NULL || status <= 0 || done == NULL) return status;
  size_t count = *done < length ? *done : length;
  if (count >= sizeof watch->tail) {
    memcpy(watch->tail, bytes + count - sizeof watch->tail, sizeof watch->tail);
  } else {
    memmove(watch->tail, watch->tail + count, sizeof watch->tail - count);
    memcpy(watch->tail + sizeof watch->tail - count, bytes, count);
  }
  return status;
}

void tlsrecords_prepare(SSL_CTX *context) { SSL_CTX_set_keylog_callback(context, told_secret); }

struct tlsrecords *tlsrecords_watch(SSL *source) {
  struct watch *watch = OPENSSL_zalloc(sizeof *watch);
  if (watch == NULL) return NULL;
  struct tlsrecords *connection = slab_take();
  BIO *output = SSL_get_wbio(source);
  if (connection == NULL || output == NULL || watch_index() < 0 || !SSL_set_ex_data(source, watch_index(), watch)) {
    if (connection != NULL) slab_give(connection);
    OPENSSL_free(watch);
    ERR_clear_error();
    return NULL;
  }
  watch->connection = connection;
  ask_for_secrets(source, false);
  SSL_set_msg_callback(source, saw_message);
  SSL_set_msg_callback_arg(source, watch);
  BIO_set_callback_ex(output, saw_write);
  BIO_set_callback_arg(output, (char *)watch);
  return connection;
}

// The SSL object goes on alone: nothing is noted any more.
static void forget_watch(SSL *source, struct watch *watch) {
  SSL_set_msg_callback(source, NULL);
  BIO *output = SSL_get_wbio(source);
  if (output != NULL) BIO_set_callback_ex(output, NULL);
  SSL_set_ex_data(source, watch_index(), NULL);
  OPENSSL_clear_free(watch, sizeof *watch);
}

static bool take_13(struct tlsrecords *connection, const struct suite *suite, const struct watch *watch) {
  if (!watch->has_reading || !watch->has_writing || watch->read != 0) return false;
  // A client has sent nothing under these keys; a server its tickets.
  if (watch->written > (connection->is_server ? 4 : 0)) return false;
  if (!derive_13(suite, &connection->reading) || !derive_13(suite, &connection->writing)) return false;
  connection->writing.sequence = watch->written;
  return true;
}

static bool take_12(struct tlsrecords *connection, const struct suite *suite, const struct watch *watch, SSL *source) {
  if (watch->read != 1 || watch->written != 1) return false;
  uint8_t master[48], client[random_size], server[random_size];
  bool good = SSL_SESSION_get_master_key(SSL_get_session(source), master, sizeof master) == sizeof master &&
              SSL_get_client_random(source, client, sizeof client) == sizeof client &&
              SSL_get_server_random(source, server, sizeof server) == sizeof server;
  struct direction *reading = &connection->reading, *writing = &connection->writing;
  good = good && derive_12(suite, master, client, server, connection->is_server ? reading : writing,
                           connection->is_server ? writing : reading);
  OPENSSL_cleanse(master, sizeof master);
  reading->sequence = writing->sequence = 1;
  if (!good || suite->algorithm == chacha20_poly1305) return good;
  // The nonces of GCM go on from the last one: OpenSSL begins with a random number and counts.
  const uint8_t *tail = watch->tail;
  uint64_t last = 0;
  if (tail[0] != type_handshake || tail[3] != 0 || tail[4] != finished_record - header_size) return false;
  for (int index = 0; index < explicit_size; index++) last = last << 8 | tail[header_size + index];
  connection->explicit_nonce = last + 1;
  return true;
}

static bool nothing_inside(SSL *source) {
  // "RH": it waits for the header of a record, of which it has no octet.
  return SSL_is_init_finished(source) && !SSL_has_pending(source) && strcmp(SSL_rstate_string(source), "RH") == 0 &&
         SSL_get_key_update_type(source) == SSL_KEY_UPDATE_NONE && SSL_get_shutdown(source) == 0 &&
         BIO_wpending(SSL_get_wbio(source)) == 0;
}

bool tlsrecords_take_over(struct tlsrecords *connection, SSL *source) {
  struct watch *watch = watch_of(source);
  if (watch == NULL || watch->connection != connection) return false;
  const SSL_CIPHER *cipher = SSL_get_current_cipher(source);
  const struct suite *suite = cipher == NULL ? NULL : suite_find(SSL_CIPHER_get_protocol_id(cipher));
  bool good = suite != NULL && SSL_version(source) == suite->version && nothing_inside(source);
  if (good) {
    connection->version = suite->version;
    connection->suite = suite->number;
    connection->is_server = SSL_is_server(source) != 0;
    uint8_t length = SSL_SESSION_get_max_fragment_length(SSL_get_session(source));
    // RFC 6066 §4: 2^9 to 2^12.
    connection->fragment = length == 0 ? maximum_content : (uint16_t)(1 << (8 + length));
    good = suite->version == version_13 ? take_13(connection, suite, watch)
                                        : take_12(connection, suite, watch, source);
  }
  forget_watch(source, watch);
  return good;
}

void tlsrecords_release(SSL *source) {
  // Otherwise it would count as broken off, and its session as not to be trusted.
  SSL_set_shutdown(source, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(source);
}

void tlsrecords_free(struct tlsrecords *connection) {
  if (connection->buffers != NULL) {
    octets_clear(&connection->buffers->input);
    octets_clear(&connection->buffers->plain);
    octets_clear(&connection->buffers->output);
    buffers_tidy(connection);
  }
  slab_give(connection);
}

uint16_t tlsrecords_version(const struct tlsrecords *connection) { return connection->version; }

uint16_t tlsrecords_suite(const struct tlsrecords *connection) { return connection->suite; }

bool tlsrecords_is_server(const struct tlsrecords *connection) { return connection->is_server; }

uint64_t tlsrecords_sent(const struct tlsrecords *connection) { return connection->writing.sequence; }

uint64_t tlsrecords_received(const struct tlsrecords *connection) { return connection->reading.sequence; }
