// What a message in and one out cost an established connection: OpenSSL's SSL_read and SSL_write beside the record layer of a
// detached connection.
//
//   records CONNECTIONS MESSAGES OCTETS SUITE CERTIFICATE KEY
//
// Prints microseconds of processor time, user and system, for a message of so many octets read and one written: of OpenSSL with
// its buffers kept, of OpenSSL with them released (as servers with many connections have it), and of the record layer. The peers,
// on OpenSSL, are another process; all connections are TCP over loopback and take turns.
#define _GNU_SOURCE
#include "CTLSRecords.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind { kept, released, detached };
enum { most = 16384 };

// Messages that are under way at a time, each over another connection.
static int at_once = 64;

static void fail(const char *what) {
  perror(what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

struct end {
  SSL *connection;
  struct tlsrecords *records;
  int descriptor;
};

static void make_pair(int listener, const struct sockaddr_in *address, struct end *server, struct end *client) {
  int on = 1;
  client->descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client->descriptor, (const struct sockaddr *)address, sizeof *address) != 0) fail("connect");
  server->descriptor = accept(listener, NULL, NULL);
  if (server->descriptor < 0) fail("accept");
  setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(server->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(client->descriptor, F_SETFL, O_NONBLOCK);
  fcntl(server->descriptor, F_SETFL, O_NONBLOCK);
}

static int step(SSL *connection) {
  int result = SSL_do_handshake(connection);
  if (result == 1) return 1;
  int reason = SSL_get_error(connection, result);
  if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) fail("handshake");
  return 0;
}

static void establish(SSL_CTX *servers, SSL_CTX *clients, enum kind kind, struct end *server, struct end *client) {
  server->connection = SSL_new(servers);
  client->connection = SSL_new(clients);
  SSL_set_fd(server->connection, server->descriptor);
  SSL_set_fd(client->connection, client->descriptor);
  SSL_set_accept_state(server->connection);
  SSL_set_connect_state(client->connection);
  server->records = kind == detached ? tlsrecords_watch(server->connection) : NULL;
  for (int done = 0; done != 3;) {
    if ((done & 1) == 0 && step(client->connection)) done |= 1;
    if ((done & 2) == 0 && step(server->connection)) done |= 2;
  }
  if (kind != detached) return;
  if (!tlsrecords_take_over(server->records, server->connection)) fail("take over");
  tlsrecords_release(server->connection);
}

static void read_whole(struct end *end, uint8_t *buffer, int octets) {
  for (int count = 0; count < octets;) {
    int got;
    if (end->records != NULL) {
      struct tlsrecords_result result = tlsrecords_read(end->records, end->descriptor, buffer + count, (size_t)(most - count));
      got = result.status == tlsrecords_done ? result.count : result.status == tlsrecords_want_read ? 0 : -1;
    } else {
      got = SSL_read(end->connection, buffer + count, most - count);
      if (got <= 0) got = SSL_get_error(end->connection, got) == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    if (got < 0) fail("read");
    count += got;
  }
}

static void write_whole(struct end *end, const uint8_t *buffer, int octets) {
  if (end->records != NULL) {
    struct tlsrecords_result result = tlsrecords_write(end->records, end->descriptor, buffer, (size_t)octets);
    if (result.status != tlsrecords_done || result.count != octets) fail("write");
  } else if (SSL_write(end->connection, buffer, octets) != octets) {
    fail("write");
  }
}

static double processor_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void await(int descriptor) {
  char octet;
  if (read(descriptor, &octet, 1) != 1) exit(1);
}

static void tell(int descriptor) {
  if (write(descriptor, "", 1) != 1) exit(1);
}

// The peers: so many messages at a time, and then their answers.
static void peers(struct end *clients, int connections, int messages, int octets, int go, int ready) {
  uint8_t buffer[most];
  memset(buffer, 'c', sizeof buffer);
  for (int done = 0; done < messages; done += at_once) {
    for (int index = 0; index < at_once; index++) write_whole(&clients[(done + index) % connections], buffer, octets);
    tell(ready);
    await(go);
    for (int index = 0; index < at_once; index++) read_whole(&clients[(done + index) % connections], buffer, octets);
  }
  _exit(0);
}

static double measure(enum kind kind, int connections, int messages, int octets, const char *suite, SSL_CTX *servers) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (strncmp(suite, "TLS_", 4) == 0) {
    if (SSL_CTX_set_ciphersuites(context, suite) != 1) fail("suite");
  } else if (SSL_CTX_set_cipher_list(context, suite) != 1 || SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) != 1) {
    fail("suite");
  }
  if (kind == released) SSL_CTX_set_mode(servers, SSL_MODE_RELEASE_BUFFERS);
  else SSL_CTX_clear_mode(servers, SSL_MODE_RELEASE_BUFFERS);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 16) != 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  struct end *server = calloc((size_t)connections, sizeof *server), *client = calloc((size_t)connections, sizeof *client);
  for (int index = 0; index < connections; index++) {
    make_pair(listener, &address, &server[index], &client[index]);
    establish(servers, context, kind, &server[index], &client[index]);
  }
  int go[2], ready[2];
  if (pipe(go) != 0 || pipe(ready) != 0) fail("pipe");
  pid_t child = fork();
  if (child == 0) peers(client, connections, messages, octets, go[0], ready[1]);
  uint8_t buffer[most];
  double spent = 0;
  for (int done = 0; done < messages; done += at_once) {
    await(ready[0]);
    double begin = processor_time();
    for (int index = 0; index < at_once; index++) {
      struct end *end = &server[(done + index) % connections];
      read_whole(end, buffer, octets);
      write_whole(end, buffer, octets);
    }
    spent += processor_time() - begin;
    tell(go[1]);
  }
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) fail("the peers failed");
  for (int index = 0; index < connections; index++) {
    if (server[index].records != NULL) tlsrecords_free(server[index].records);
    else SSL_free(server[index].connection);
    SSL_free(client[index].connection);
    close(server[index].descriptor);
    close(client[index].descriptor);
  }
  free(server);
  free(client);
  close(listener);
  for (int index = 0; index < 2; index++) close(go[index]), close(ready[index]);
  SSL_CTX_free(context);
  return spent / messages;
}

int main(int count, char **words) {
  if (count != 7) {
    fputs("usage: records CONNECTIONS MESSAGES OCTETS SUITE CERTIFICATE KEY\n", stderr);
    return 2;
  }
  int connections = atoi(words[1]), octets = atoi(words[3]);
  if (connections < at_once) at_once = connections;
  int messages = atoi(words[2]) / at_once * at_once;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  SSL_CTX *servers = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(servers, words[5]) != 1 ||
      SSL_CTX_use_PrivateKey_file(servers, words[6], SSL_FILETYPE_PEM) != 1)
    fail("certificate");
  double plain[2] = {0};
  plain[kept] = measure(kept, connections, messages, octets, words[4], servers);
  plain[released] = measure(released, connections, messages, octets, words[4], servers);
  // From here on handshakes of this context tell their secrets.
  tlsrecords_prepare(servers);
  printf("%.3f %.3f %.3f\n", plain[kept], plain[released], measure(detached, connections, messages, octets, words[4], servers));
  return 0;
}
