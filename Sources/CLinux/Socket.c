#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <ifaddrs.h>
#include <time.h>
// After time.h: it uses struct timespec without declaring it.
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_kernel(const struct clinux_address *address, struct sockaddr_storage *storage) {
  memset(storage, 0, sizeof *storage);
  if (address->family == 4) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    v4->sin_addr.s_addr = htonl((uint32_t)address->low);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address->port);
  for (int index = 0; index < 8; index++) {
    v6->sin6_addr.s6_addr[index] = (uint8_t)(address->high >> (56 - 8 * index));
    v6->sin6_addr.s6_addr[index + 8] = (uint8_t)(address->low >> (56 - 8 * index));
  }
  return sizeof *v6;
}

static int from_kernel(const struct sockaddr_storage *storage, struct clinux_address *address) {
  memset(address, 0, sizeof *address);
  if (storage->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
    address->family = 4;
    address->port = ntohs(v4->sin_port);
    address->low = ntohl(v4->sin_addr.s_addr);
    return 0;
  }
  if (storage->ss_family != AF_INET6) return -EAFNOSUPPORT;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
  address->family = 6;
  address->port = ntohs(v6->sin6_port);
  for (int index = 0; index < 8; index++) {
    address->high = address->high << 8 | v6->sin6_addr.s6_addr[index];
    address->low = address->low << 8 | v6->sin6_addr.s6_addr[index + 8];
  }
  return 0;
}

static int set_option(int descriptor, int level, int name, int value) {
  return setsockopt(descriptor, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int open_socket(const struct clinux_address *address, int type) {
  int family = address->family == 4 ? AF_INET : AF_INET6;
  int descriptor = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return descriptor < 0 ? -errno : descriptor;
}

static int fail(int descriptor, int error) {
  close(descriptor);
  return error;
}

static int open_bound(const struct clinux_address *address, int type) {
  int descriptor = open_socket(address, type);
  if (descriptor < 0) return descriptor;
  int error = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (error == 0) error = set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  if (error == 0 && address->family == 6) error = set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  struct sockaddr_storage storage;
  socklen_t length = to_kernel(address, &storage);
  if (error == 0 && bind(descriptor, (struct sockaddr *)&storage, length) < 0) error = -errno;
  return error < 0 ? fail(descriptor, error) : descriptor;
}

int clinux_port_taken(const struct clinux_address *address, bool stream) {
  if (address->port == 0) return 0;
  int descriptor = open_socket(address, stream ? SOCK_STREAM : SOCK_DGRAM);
  if (descriptor < 0) return descriptor;
  // With SO_REUSEADDR old connections in TIME-WAIT don't count for a stream; a datagram socket would share the port.
  int error = stream ? set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
  if (error == 0 && address->family == 6) error = set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  struct sockaddr_storage storage;
  socklen_t length = to_kernel(address, &storage);
  if (error == 0 && bind(descriptor, (struct sockaddr *)&storage, length) < 0) error = -errno;
  // Two bound sockets may share the address under SO_REUSEADDR; two listening ones may not.
  if (error == 0 && stream && listen(descriptor, 1) < 0) error = -errno;
  close(descriptor);
  return error == -EADDRINUSE ? 1 : error;
}

int clinux_listen(const struct clinux_address *address, int backlog) {
  int descriptor = open_bound(address, SOCK_STREAM);
  if (descriptor < 0) return descriptor;
  return listen(descriptor, backlog) < 0 ? fail(descriptor, -errno) : descriptor;
}

int clinux_datagram(const struct clinux_address *address, int receive_buffer) {
  int descriptor = open_bound(address, SOCK_DGRAM);
  // A host may grant less: the socket works all the same.
  if (descriptor >= 0 && receive_buffer > 0) clinux_set_receive_buffer(descriptor, receive_buffer);
  return descriptor;
}

int clinux_connect(const struct clinux_address *address, const struct clinux_address *source) {
  int descriptor = open_socket(address, SOCK_STREAM);
  if (descriptor < 0) return descriptor;
  struct sockaddr_storage storage;
  if (source != NULL) {
    socklen_t length = to_kernel(source, &storage);
    if (bind(descriptor, (struct sockaddr *)&storage, length) < 0) return fail(descriptor, -errno);
  }
  socklen_t length = to_kernel(address, &storage);
  int result;
  do result = connect(descriptor, (struct sockaddr *)&storage, length);
  while (result < 0 && errno == EINTR);
  return result < 0 && errno != EINPROGRESS ? fail(descriptor, -errno) : descriptor;
}

int clinux_socket_error(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
  return -error;
}

int clinux_accept(int listener, struct clinux_address *remote) {
  struct sockaddr_storage storage;
  for (;;) {
    socklen_t length = sizeof storage;
    int descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      int error = from_kernel(&storage, remote);
      return error < 0 ? fail(descriptor, error) : descriptor;
    }
    if (errno != EINTR && errno != ECONNABORTED) return -errno;
  }
}

int clinux_local_address(int descriptor, struct clinux_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  return getsockname(descriptor, (struct sockaddr *)&storage, &length) < 0 ? -errno : from_kernel(&storage, address);
}

int clinux_remote_address(int descriptor, struct clinux_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  return getpeername(descriptor, (struct sockaddr *)&storage, &length) < 0 ? -errno : from_kernel(&storage, address);
}

int clinux_interface_addresses(struct clinux_address *addresses, int capacity) {
  struct ifaddrs *list;
  if (getifaddrs(&list) < 0) return -errno;
  int count = 0;
  for (struct ifaddrs *entry = list; entry && count < capacity; entry = entry->ifa_next) {
    if (!entry->ifa_addr) continue;
    struct sockaddr_storage storage = {0};
    int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    memcpy(&storage, entry->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    if (from_kernel(&storage, &addresses[count]) == 0) count++;
  }
  freeifaddrs(list);
  return count;
}

int clinux_set_no_delay(int descriptor) { return set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1); }

int clinux_set_keep_alive(int descriptor, int idle, int interval, int count) {
  int error = set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (error == 0) error = set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  if (error == 0) error = set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval);
  return error < 0 ? error : set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, count);
}

int clinux_clear_keep_alive(int descriptor) { return set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 0); }

int clinux_set_user_timeout(int descriptor, unsigned milliseconds) {
  return set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)milliseconds);
}

int clinux_unacknowledged(int descriptor) {
  int octets = 0;
  return ioctl(descriptor, SIOCOUTQ, &octets) < 0 ? -errno : octets;
}

int clinux_acknowledgements(int descriptor, struct clinux_acknowledgements *state) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  memset(&info, 0, sizeof info);
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -errno;
  state->in_flight = info.tcpi_unacked;
  state->probes = info.tcpi_probes;
  state->silence = info.tcpi_last_ack_recv;
  state->last_sent = info.tcpi_last_data_sent;
  return 0;
}

int clinux_set_send_buffer(int descriptor, int bytes) {
  return set_option(descriptor, SOL_SOCKET, SO_SNDBUF, bytes);
}

int clinux_set_receive_buffer(int descriptor, int bytes) {
  return set_option(descriptor, SOL_SOCKET, SO_RCVBUF, bytes);
}

int clinux_set_abortive_close(int descriptor) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  return setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

int clinux_shutdown_write(int descriptor) { return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0; }

int clinux_set_error_queue(int descriptor, int family) {
  return family == 4 ? set_option(descriptor, IPPROTO_IP, IP_RECVERR, 1)
                     : set_option(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

int clinux_socket_pair(int type, int descriptors[2]) {
  return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, descriptors) < 0 ? -errno : 0;
}

ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t length) {
  ssize_t count;
  do count = recv(descriptor, buffer, length, 0);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_send(int descriptor, const void *buffer, size_t length) {
  ssize_t count;
  do count = send(descriptor, buffer, length, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_send_at_once(int descriptor, const void *buffer, size_t length) {
  ssize_t count;
  do count = send(descriptor, buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_send_to(int descriptor, const void *buffer, size_t length, const struct clinux_address *address) {
  struct sockaddr_storage storage;
  socklen_t size = to_kernel(address, &storage);
  ssize_t count;
  do count = sendto(descriptor, buffer, length, MSG_NOSIGNAL, (struct sockaddr *)&storage, size);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_send_passing(int descriptor, const void *buffer, size_t length, int passed) {
  union {
    struct cmsghdr align;
    char octets[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec vector = {.iov_base = (void *)buffer, .iov_len = length};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (passed >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
  }
  ssize_t count;
  do count = sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

// Keeps the first descriptor of all that came along and closes the others.
static int take_descriptor(struct msghdr *message) {
  int kept = -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int next;
      memcpy(&next, CMSG_DATA(header) + index * sizeof next, sizeof next);
      if (kept < 0) kept = next;
      else close(next);
    }
  }
  return kept;
}

ptrdiff_t clinux_receive_passing(int descriptor, void *buffer, size_t length, int *passed) {
  // The kernel never passes more than 253 at once.
  union {
    struct cmsghdr align;
    char octets[CMSG_SPACE(253 * sizeof(int))];
  } control;
  struct iovec vector = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count;
  do count = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  *passed = count < 0 ? -1 : take_descriptor(&message);
  if (count < 0) return -errno;
  if (message.msg_flags & MSG_TRUNC) {
    if (*passed >= 0) close(*passed);
    *passed = -1;
    return -EMSGSIZE;
  }
  return count;
}

int clinux_error_queue(int descriptor, struct clinux_address *peer, int *error) {
  struct sockaddr_storage storage;
  union {
    struct cmsghdr align;
    char octets[512];
  } control;
  uint8_t payload[1];
  struct iovec vector = {.iov_base = payload, .iov_len = sizeof payload};
  memset(&storage, 0, sizeof storage);
  struct msghdr message = {.msg_name = &storage,
                           .msg_namelen = sizeof storage,
                           .msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t count;
  do count = recvmsg(descriptor, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
  *error = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
    bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    struct sock_extended_err report;
    memcpy(&report, CMSG_DATA(header), sizeof report);
    *error = (int)report.ee_errno;
  }
  if (from_kernel(&storage, peer) < 0) peer->family = 0;
  return 1;
}

struct clinux_batch {
  int capacity;
  size_t size;
  struct mmsghdr *headers;
  struct iovec *vectors;
  struct sockaddr_storage *senders;
  uint8_t *octets;
};

struct clinux_batch *clinux_batch_create(int capacity, size_t datagram_size) {
  struct clinux_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->capacity = capacity;
  batch->size = datagram_size;
  batch->headers = calloc((size_t)capacity, sizeof *batch->headers);
  batch->vectors = calloc((size_t)capacity, sizeof *batch->vectors);
  batch->senders = calloc((size_t)capacity, sizeof *batch->senders);
  // Pages that no datagram reached stay untouched, so the whole costs only what traffic uses.
  batch->octets = malloc((size_t)capacity * datagram_size);
  if (batch->headers == NULL || batch->vectors == NULL || batch->senders == NULL || batch->octets == NULL) {
    clinux_batch_destroy(batch);
    return NULL;
  }
  for (int index = 0; index < capacity; index++) {
    batch->vectors[index].iov_base = batch->octets + (size_t)index * datagram_size;
    batch->vectors[index].iov_len = datagram_size;
    batch->headers[index].msg_hdr.msg_name = &batch->senders[index];
    batch->headers[index].msg_hdr.msg_iov = &batch->vectors[index];
    batch->headers[index].msg_hdr.msg_iovlen = 1;
  }
  return batch;
}

void clinux_batch_destroy(struct clinux_batch *batch) {
  if (batch == NULL) return;
  free(batch->headers);
  free(batch->vectors);
  free(batch->senders);
  free(batch->octets);
  free(batch);
}

int clinux_batch_receive(struct clinux_batch *batch, int descriptor) {
  for (int index = 0; index < batch->capacity; index++) {
    batch->headers[index].msg_hdr.msg_namelen = sizeof batch->senders[index];
    batch->headers[index].msg_hdr.msg_flags = 0;
  }
  int count;
  do count = recvmmsg(descriptor, batch->headers, (unsigned)batch->capacity, MSG_DONTWAIT, NULL);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

const uint8_t *clinux_batch_octets(const struct clinux_batch *batch, int index) {
  return batch->octets + (size_t)index * batch->size;
}

ptrdiff_t clinux_batch_length(const struct clinux_batch *batch, int index) {
  if (batch->headers[index].msg_hdr.msg_flags & MSG_TRUNC) return -1;
  return (ptrdiff_t)batch->headers[index].msg_len;
}

void clinux_batch_sender(const struct clinux_batch *batch, int index, struct clinux_address *sender) {
  if (from_kernel(&batch->senders[index], sender) < 0) sender->family = 0;
}
