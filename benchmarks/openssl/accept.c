// A TLS server that does nothing: it accepts, does the handshake with OpenSSL, reads until the client closes, and closes.
// One process, epoll, level-triggered; the least that a server pays for a handshake.
//
//   accept PORT CERTIFICATE KEY
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static int listener_on(const char *port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) fail("listen");
  return listener;
}

static SSL_CTX *context_of(const char *certificate, const char *key) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    fail("certificate");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_id_context(context, (const unsigned char *)"bare", 4);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return context;
}

// False when the connection is over.
static int serve(SSL *connection) {
  if (!SSL_is_init_finished(connection)) {
    int result = SSL_accept(connection);
    if (result != 1) {
      int reason = SSL_get_error(connection, result);
      return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
    }
  }
  char buffer[4096];
  for (;;) {
    int count = SSL_read(connection, buffer, sizeof buffer);
    if (count > 0) continue;
    return SSL_get_error(connection, count) == SSL_ERROR_WANT_READ;
  }
}

int main(int count, char **words) {
  if (count != 4) fail("usage: accept PORT CERTIFICATE KEY");
  signal(SIGPIPE, SIG_IGN);
  int listener = listener_on(words[1]), poll = epoll_create1(0), on = 1;
  SSL_CTX *context = context_of(words[2], words[3]);
  struct epoll_event wish = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
  if (epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wish) != 0) fail("epoll_ctl");
  for (;;) {
    int ready = epoll_wait(poll, events, 256, -1);
    for (int index = 0; index < ready; index++) {
      SSL *connection = events[index].data.ptr;
      if (connection != NULL) {
        ERR_clear_error();
        if (serve(connection)) continue;
        int descriptor = SSL_get_fd(connection);
        SSL_shutdown(connection);
        SSL_free(connection);
        close(descriptor);
        continue;
      }
      int descriptor;
      while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection = SSL_new(context);
        if (connection == NULL || SSL_set_fd(connection, descriptor) != 1) fail("SSL_new");
        SSL_set_accept_state(connection);
        wish = (struct epoll_event){.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &wish) != 0) fail("epoll_ctl");
      }
    }
  }
}
