#include "COpenSSL.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

const int copenssl_library_ssl = ERR_LIB_SSL;
const int copenssl_reason_certificate_verify_failed = SSL_R_CERTIFICATE_VERIFY_FAILED;
const int copenssl_reason_no_shared_cipher = SSL_R_NO_SHARED_CIPHER;
const int copenssl_reason_wrong_version_number = SSL_R_WRONG_VERSION_NUMBER;
const int copenssl_reason_http_request = SSL_R_HTTP_REQUEST;
const int copenssl_reason_unsupported_protocol = SSL_R_UNSUPPORTED_PROTOCOL;
const int copenssl_reason_unexpected_eof = SSL_R_UNEXPECTED_EOF_WHILE_READING;
const int copenssl_reason_peer_did_not_return_a_certificate = SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
const int copenssl_reason_alert = SSL_AD_REASON_OFFSET;

struct copenssl_error copenssl_take_error(void) {
  struct copenssl_error error = {0, 0, NULL};
  unsigned long code = ERR_peek_last_error();
  if (code != 0) {
    error.library = ERR_GET_LIB(code);
    error.reason = ERR_GET_REASON(code);
    error.text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    if (error.text == NULL) error.text = "unknown error";
  }
  ERR_clear_error();
  return error;
}

const char *copenssl_alert_name(int alert) { return SSL_alert_desc_string_long(alert); }

const char *copenssl_system_text(int error) { return strerror(error); }

void copenssl_clear_errors(void) { ERR_clear_error(); }

int copenssl_has_error(void) { return ERR_peek_error() != 0; }

const char *copenssl_version(void) { return OpenSSL_version(OPENSSL_VERSION); }

// ---- contexts

SSL_CTX *copenssl_context(bool server, int minimum_version, int maximum_version) {
  SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  if (context == NULL) return NULL;
  // RELEASE_BUFFERS halves the memory of an idle connection; the other two let output be one queue that grows and moves
  // between attempts.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // With it a peer that sends one key update after the other would keep a read busy, and all other connections waiting,
  // for as long as it likes.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // read_ahead stays off: a connection that leaves its SSL object right after the handshake may have no octets inside.
  SSL_CTX_set_read_ahead(context, 0);
  bool good = SSL_CTX_set_num_tickets(context, 1) && SSL_CTX_set_max_early_data(context, 0) &&
              SSL_CTX_set_min_proto_version(context, minimum_version) &&
              SSL_CTX_set_max_proto_version(context, maximum_version);
  if (good) return context;
  SSL_CTX_free(context);
  return NULL;
}

void copenssl_context_free(SSL_CTX *context) { SSL_CTX_free(context); }

static int no_passphrase(char *buffer, int size, int writing, void *argument) {
  (void)buffer, (void)size, (void)writing, (void)argument;
  return -1;
}

// The reader of a PEM list ends with "no start line": that is no failure once something was read.
static bool ended_well(int count) {
  unsigned long code = ERR_peek_last_error();
  if (count == 0 || ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

int copenssl_use_chain(SSL_CTX *context, const uint8_t *pem, size_t length) {
  ERR_clear_error();
  BIO *input = BIO_new_mem_buf(pem, (int)length);
  if (input == NULL) return 0;
  int count = 0;
  bool good = true;
  for (X509 *next; good && (next = PEM_read_bio_X509(input, NULL, no_passphrase, NULL)) != NULL; count++) {
    good = count == 0 ? SSL_CTX_use_certificate(context, next) : SSL_CTX_add1_chain_cert(context, next);
    X509_free(next);
  }
  BIO_free(input);
  return good && ended_well(count);
}

int copenssl_use_key(SSL_CTX *context, const uint8_t *pem, size_t length) {
  ERR_clear_error();
  EVP_PKEY *key = copenssl_key_parse(pem, length);
  if (key == NULL) return 0;
  int good = SSL_CTX_use_PrivateKey(context, key) && SSL_CTX_check_private_key(context);
  EVP_PKEY_free(key);
  return good;
}

// Whether clients are told of the authority already: directories have the same file under several names.
static bool names(SSL_CTX *context, X509 *authority) {
  STACK_OF(X509_NAME) *list = SSL_CTX_get_client_CA_list(context);
  for (int index = 0; index < sk_X509_NAME_num(list); index++) {
    if (X509_NAME_cmp(sk_X509_NAME_value(list, index), X509_get_subject_name(authority)) == 0) return true;
  }
  return false;
}

int copenssl_use_trust(SSL_CTX *context, const uint8_t *pem, size_t length) {
  ERR_clear_error();
  BIO *input = BIO_new_mem_buf(pem, (int)length);
  if (input == NULL) return 0;
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  int count = 0;
  bool good = true;
  for (X509 *next; good && (next = PEM_read_bio_X509(input, NULL, no_passphrase, NULL)) != NULL; count++) {
    good = X509_STORE_add_cert(store, next) && (names(context, next) || SSL_CTX_add_client_CA(context, next));
    X509_free(next);
  }
  BIO_free(input);
  return good && ended_well(count);
}

int copenssl_use_system_trust(SSL_CTX *context) { return SSL_CTX_set_default_verify_paths(context); }

void copenssl_set_verify(SSL_CTX *context, int mode) {
  int flags = SSL_VERIFY_NONE;
  if (mode != copenssl_verify_off) flags = SSL_VERIFY_PEER;
  if (mode == copenssl_verify_required) flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, flags, copenssl_judge_purpose);
}

int copenssl_set_ciphers(SSL_CTX *context, const char *list) { return SSL_CTX_set_cipher_list(context, list); }

int copenssl_set_suites(SSL_CTX *context, const char *list) { return SSL_CTX_set_ciphersuites(context, list); }

int copenssl_set_session_identity(SSL_CTX *context, const uint8_t *identity, size_t length) {
  return SSL_CTX_set_session_id_context(context, identity, (unsigned)length);
}

struct name_choice {
  SSL_CTX *(*choose)(const char *name, void *argument);
  void *argument;
};

static void free_choice(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent, (void)data, (void)index, (void)number, (void)argument;
  OPENSSL_free(pointer);
}

// The host name of a server name extension (RFC 6066 §3) as text without a zero inside; false when there is none.
static bool find_name(SSL *connection, char *name, size_t size) {
  const uint8_t *octets;
  size_t length;
  if (!SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &octets, &length)) return false;
  // A list with one entry: length of the list, type of the name, length of the name.
  if (length < 5 || octets[2] != TLSEXT_NAMETYPE_host_name) return false;
  size_t list = (size_t)octets[0] << 8 | octets[1], count = (size_t)octets[3] << 8 | octets[4];
  if (list != length - 2 || count != length - 5 || count == 0 || count >= size) return false;
  if (memchr(octets + 5, 0, count) != NULL) return false;
  memcpy(name, octets + 5, count);
  name[count] = 0;
  return true;
}

// Comes before the version is agreed upon and before a session is looked for: both then go by the chosen context. In the
// server name callback it would be too late, and a session of one profile could be continued under another.
static int hello_callback(SSL *connection, int *alert, void *argument) {
  struct name_choice *choice = argument;
  char name[TLSEXT_MAXLEN_host_name + 1];
  SSL_CTX *context = find_name(connection, name, sizeof name) ? choice->choose(name, choice->argument) : NULL;
  if (context == NULL || context == SSL_get_SSL_CTX(connection)) return SSL_CLIENT_HELLO_SUCCESS;
  // Changing the context changes the certificate, the trusted ones and the ciphers, but not the rest.
  if (SSL_CTX_get_options(context) & SSL_OP_NO_TICKET) SSL_set_options(connection, SSL_OP_NO_TICKET);
  else SSL_clear_options(connection, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(connection, SSL_CTX_get_num_tickets(context));
  if (SSL_set_SSL_CTX(connection, context) != NULL && copenssl_follow(connection, context)) return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

// Tells the client whether its name made a difference (RFC 6066 §3).
static int name_callback(SSL *connection, int *alert, void *argument) {
  (void)alert;
  struct name_choice *choice = argument;
  const char *name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  if (name == NULL) return SSL_TLSEXT_ERR_NOACK;
  return choice->choose(name, choice->argument) == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

void copenssl_set_name_callback(SSL_CTX *context, SSL_CTX *(*choose)(const char *name, void *argument),
                                void *argument) {
  static int slot = -1;
  if (slot < 0) slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_choice);
  struct name_choice *choice = OPENSSL_malloc(sizeof *choice);
  if (choice == NULL || slot < 0) return;
  *choice = (struct name_choice){choose, argument};
  OPENSSL_free(SSL_CTX_get_ex_data(context, slot));
  SSL_CTX_set_ex_data(context, slot, choice);
  SSL_CTX_set_client_hello_cb(context, hello_callback, choice);
  SSL_CTX_set_tlsext_servername_callback(context, name_callback);
  SSL_CTX_set_tlsext_servername_arg(context, choice);
}

// ---- connections

SSL *copenssl_connection(SSL_CTX *context, int descriptor, bool server) {
  ERR_clear_error();
  SSL *connection = SSL_new(context);
  if (connection == NULL) return NULL;
  if (!SSL_set_fd(connection, descriptor)) {
    SSL_free(connection);
    return NULL;
  }
  if (server) SSL_set_accept_state(connection);
  else SSL_set_connect_state(connection);
  return connection;
}

void copenssl_connection_free(SSL *connection) { SSL_free(connection); }

int copenssl_set_server_name(SSL *connection, const char *name) {
  return (int)SSL_set_tlsext_host_name(connection, name);
}

static struct copenssl_result result_of(SSL *connection, int count) {
  struct copenssl_result result = {copenssl_done, count, 0};
  if (count > 0) return result;
  int system_error = errno;
  result.count = 0;
  switch (SSL_get_error(connection, count)) {
    case SSL_ERROR_WANT_READ: result.status = copenssl_want_read; break;
    case SSL_ERROR_WANT_WRITE: result.status = copenssl_want_write; break;
    case SSL_ERROR_ZERO_RETURN: result.status = copenssl_closed; break;
    case SSL_ERROR_SYSCALL:
      result.status = system_error == 0 ? copenssl_cut : copenssl_system;
      result.error = system_error;
      break;
    default: {
      unsigned long code = ERR_peek_last_error();
      bool cut = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
      result.status = cut ? copenssl_cut : copenssl_failed;
      if (cut) ERR_clear_error();
    }
  }
  return result;
}

// SSL_get_error looks at the queue: what an earlier call left there would be taken for this one's failure.
struct copenssl_result copenssl_handshake(SSL *connection) {
  ERR_clear_error();
  errno = 0;
  return result_of(connection, SSL_do_handshake(connection));
}

struct copenssl_result copenssl_read(SSL *connection, void *buffer, size_t length) {
  ERR_clear_error();
  errno = 0;
  return result_of(connection, SSL_read(connection, buffer, length > INT32_MAX ? INT32_MAX : (int)length));
}

struct copenssl_result copenssl_write(SSL *connection, const void *buffer, size_t length) {
  ERR_clear_error();
  errno = 0;
  return result_of(connection, SSL_write(connection, buffer, length > INT32_MAX ? INT32_MAX : (int)length));
}

int copenssl_pending(SSL *connection) { return SSL_pending(connection); }

void copenssl_shutdown(SSL *connection) {
  if (SSL_in_init(connection)) return;
  ERR_clear_error();
  SSL_shutdown(connection);
  ERR_clear_error();
}

const char *copenssl_protocol_name(SSL *connection) { return SSL_get_version(connection); }

const char *copenssl_cipher_name(SSL *connection) { return SSL_get_cipher_name(connection); }

int copenssl_cipher_bits(SSL *connection) { return SSL_get_cipher_bits(connection, NULL); }

const char *copenssl_server_name(SSL *connection) { return SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name); }

bool copenssl_is_resumed(SSL *connection) { return SSL_session_reused(connection) != 0; }

bool copenssl_is_verified(SSL *connection) {
  return (SSL_get_verify_mode(connection) & SSL_VERIFY_PEER) != 0 && SSL_get0_peer_certificate(connection) != NULL &&
         SSL_get_verify_result(connection) == X509_V_OK;
}

const char *copenssl_verify_error(SSL *connection) {
  long result = SSL_get_verify_result(connection);
  return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

X509 *copenssl_peer_certificate(SSL *connection) { return SSL_get0_peer_certificate(connection); }
