#define _GNU_SOURCE
#include "CLoadGenerator.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

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
    v6->sin6_addr.s6_addr[8 + index] = (uint8_t)(address->low >> (56 - 8 * index));
  }
  return sizeof *v6;
}

static int fail(int descriptor, int error) {
  close(descriptor);
  return error;
}

int cload_connect(const struct clinux_address *address, const struct clinux_address *source, bool datagram) {
  int type = (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int descriptor = socket(address->family == 4 ? AF_INET : AF_INET6, type, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  if (!datagram) setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_storage storage;
  if (source != NULL) {
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    socklen_t length = to_kernel(source, &storage);
    if (bind(descriptor, (struct sockaddr *)&storage, length) < 0) return fail(descriptor, -errno);
  }
  socklen_t length = to_kernel(address, &storage);
  int result;
  do result = connect(descriptor, (struct sockaddr *)&storage, length);
  while (result < 0 && errno == EINTR);
  return result < 0 && errno != EINPROGRESS ? fail(descriptor, -errno) : descriptor;
}

int cload_timer_create(void) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  return timer < 0 ? -errno : timer;
}

int cload_timer_set(int timer, int64_t at) {
  struct itimerspec spec = {.it_value = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000}};
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ? -errno : 0;
}

void cload_timer_drain(int timer) {
  uint64_t count;
  ssize_t ignored = read(timer, &count, sizeof count);
  (void)ignored;
}

int64_t cload_own_cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t cload_descriptor_limit(bool hard) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  rlim_t value = hard ? limit.rlim_max : limit.rlim_cur;
  return value == RLIM_INFINITY ? INT64_MAX : (int64_t)value;
}

int64_t cload_ticks_per_second(void) { return sysconf(_SC_CLK_TCK); }

bool cload_is_terminal(int descriptor) { return isatty(descriptor); }

ptrdiff_t cload_read_file(const char *path, void *buffer, size_t capacity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  size_t length = 0;
  while (length < capacity) {
    ptrdiff_t count = clinux_read(file, (char *)buffer + length, capacity - length);
    if (count < 0) return fail(file, (int)count);
    if (count == 0) break;
    length += (size_t)count;
  }
  close(file);
  return (ptrdiff_t)length;
}

int cload_write_file(const char *path, const void *buffer, size_t length) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return -errno;
  size_t written = 0;
  while (written < length) {
    ptrdiff_t count = clinux_write(file, (const char *)buffer + written, length - written);
    if (count < 0) return fail(file, (int)count);
    written += (size_t)count;
  }
  return close(file) < 0 ? -errno : 0;
}

int cload_list(const char *path, void (*visit)(void *context, const char *name), void *context) {
  DIR *directory = opendir(path);
  if (directory == NULL) return -errno;
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (entry->d_name[0] != '.') visit(context, entry->d_name);
  }
  closedir(directory);
  return 0;
}

int cload_shell(const char *command) {
  char *arguments[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, NULL};
  return clinux_spawn(arguments[0], arguments, NULL, NULL, 0, 0);
}

void cload_local_time(char text[20]) {
  time_t now = time(NULL);
  struct tm parts;
  localtime_r(&now, &parts);
  strftime(text, 20, "%Y-%m-%d %H:%M:%S", &parts);
}

bool cload_equal(const void *left, const void *right, size_t length) { return memcmp(left, right, length) == 0; }

double cload_logarithm(double number) { return log(number); }
