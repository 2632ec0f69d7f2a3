#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(SOCK_STREAM == 1 && SOCK_SEQPACKET == 5, "socket types");

// An address holds 107 octets of a path. A longer one is named by way of its directory, which the system calls `/proc/self/fd/N` while it is open:
// `directory` is that descriptor, to be closed after the call, or -1. Returns 0 or -errno.
static int unix_address(const char *path, struct sockaddr_un *address, int *directory) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  *directory = -1;
  size_t length = strlen(path);
  if (length < sizeof address->sun_path) {
    memcpy(address->sun_path, path, length + 1);
    return 0;
  }
  const char *name = strrchr(path, '/');
  char parent[4096];
  if (!name || name == path || (size_t)(name - path) >= sizeof parent) return -ENAMETOOLONG;
  memcpy(parent, path, (size_t)(name - path));
  parent[name - path] = 0;
  int descriptor = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  int written = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", descriptor, name);
  if (written < 0 || (size_t)written >= sizeof address->sun_path) {
    close(descriptor);
    return -ENAMETOOLONG;
  }
  *directory = descriptor;
  return 0;
}

int clinux_unix_listen(const char *path, int type, unsigned mode, int backlog) {
  struct sockaddr_un address;
  int directory;
  int named = unix_address(path, &address, &directory);
  if (named < 0) return named;
  int descriptor = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    int failure = -errno;
    if (directory >= 0) close(directory);
    return failure;
  }
  // The kernel gives the file the rights of the socket: nobody else can connect between bind and a later chmod.
  int error = fchmod(descriptor, mode) < 0 ? -errno : 0;
  mode_t before = umask(0);
  if (error == 0 && bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) error = -errno;
  umask(before);
  if (directory >= 0) close(directory);
  if (error == 0 && listen(descriptor, backlog) < 0) {
    error = -errno;
    unlink(path);
  }
  if (error == 0) return descriptor;
  close(descriptor);
  return error;
}

int clinux_unix_send(const uint8_t *name, size_t length, const void *octets, size_t count) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (length == 0 || length >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, name, length);
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(descriptor, octets, count, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
  int error = sent < 0 ? -errno : 0;
  close(descriptor);
  return error;
}

int clinux_unix_connect(const char *path, int type) {
  struct sockaddr_un address;
  int directory;
  int error = unix_address(path, &address, &directory);
  if (error < 0) return error;
  int descriptor = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) error = -errno;
  while (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
    if (errno == EINTR) continue;
    error = -errno;
    close(descriptor);
    descriptor = -1;
  }
  if (directory >= 0) close(directory);
  return error < 0 ? error : descriptor;
}

int clinux_packet_accept(int listener) {
  int descriptor;
  do descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  while (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
  return descriptor < 0 ? -errno : descriptor;
}

int64_t clinux_peer_user(int descriptor) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? -errno : (int64_t)peer.uid;
}

int64_t clinux_user(void) { return geteuid(); }
