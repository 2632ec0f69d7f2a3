#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(SOCK_STREAM == 1 && SOCK_SEQPACKET == 5, "socket types");

int clinux_unix_listen(const char *path, int type, unsigned mode, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int descriptor = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  // The kernel gives the file the rights of the socket: nobody else can connect between bind and a later chmod.
  int error = fchmod(descriptor, mode) < 0 ? -errno : 0;
  mode_t before = umask(0);
  if (error == 0 && bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) error = -errno;
  umask(before);
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
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int descriptor = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int result;
  do result = connect(descriptor, (struct sockaddr *)&address, sizeof address);
  while (result < 0 && errno == EINTR);
  if (result == 0) return descriptor;
  int error = -errno;
  close(descriptor);
  return error;
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
