#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

_Static_assert(EPOLLIN == 0x001 && EPOLLOUT == 0x004 && EPOLLERR == 0x008 && EPOLLHUP == 0x010, "epoll events");
_Static_assert(EPOLL_CTL_ADD == 1 && EPOLL_CTL_DEL == 2 && EPOLL_CTL_MOD == 3, "epoll operations");

int clinux_epoll_create(void) {
  int descriptor = epoll_create1(EPOLL_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(epoll, operation, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int milliseconds) {
  struct epoll_event ready[256];
  int count = epoll_wait(epoll, ready, capacity < 256 ? capacity : 256, milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int index = 0; index < count; index++) {
    events[index].data = ready[index].data.u64;
    events[index].events = ready[index].events;
  }
  return count;
}

static int64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t clinux_monotonic(void) { return nanoseconds(CLOCK_MONOTONIC); }

int64_t clinux_wall(void) { return nanoseconds(CLOCK_REALTIME); }

int clinux_random(void *buffer, size_t length) {
  uint8_t *next = buffer;
  while (length > 0) {
    ssize_t count = getrandom(next, length, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    next += count;
    length -= (size_t)count;
  }
  return 0;
}

ptrdiff_t clinux_read_at(int descriptor, void *buffer, size_t length, int64_t offset) {
  ptrdiff_t count;
  do {
    count = pread(descriptor, buffer, length, offset);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_read(int descriptor, void *buffer, size_t length) {
  ssize_t count;
  do count = read(descriptor, buffer, length);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

ptrdiff_t clinux_write(int descriptor, const void *buffer, size_t length) {
  ssize_t count;
  do count = write(descriptor, buffer, length);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

// Linux frees the number even when close is interrupted: never repeat it.
void clinux_close(int descriptor) { close(descriptor); }

int clinux_spare(void) {
  int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

static int set_flag(int descriptor, int get, int set, int flag, bool on) {
  int flags = fcntl(descriptor, get);
  if (flags < 0) return -errno;
  return fcntl(descriptor, set, on ? flags | flag : flags & ~flag) < 0 ? -errno : 0;
}

int clinux_set_non_blocking(int descriptor, bool on) {
  return set_flag(descriptor, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int clinux_set_close_on_exec(int descriptor, bool on) {
  return set_flag(descriptor, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int clinux_pipe(int descriptors[2]) { return pipe2(descriptors, O_CLOEXEC) < 0 ? -errno : 0; }

int clinux_memory_file(const char *name) {
  int descriptor = memfd_create(name, MFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int clinux_shared_memory(const char *name, int64_t size) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  // No process that maps it can be hit by another that cuts it short.
  if (ftruncate(descriptor, size) == 0 &&
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
    return descriptor;
  }
  int error = -errno;
  close(descriptor);
  return error;
}

int clinux_map_shared(int descriptor, size_t length, void **address) {
  void *start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (start == MAP_FAILED) return -errno;
  *address = start;
  return 0;
}

void clinux_unmap(void *address, size_t length) { munmap(address, length); }

int clinux_sealed_memory(const char *name, const void *octets, size_t length) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  const uint8_t *next = octets;
  size_t rest = length;
  ptrdiff_t count = 1;
  while (rest > 0 && (count = clinux_write(descriptor, next, rest)) > 0) {
    next += count;
    rest -= (size_t)count;
  }
  int error = count < 0 ? (int)count : 0;
  if (error == 0 && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
    error = -errno;
  }
  if (error == 0 && lseek(descriptor, 0, SEEK_SET) < 0) error = -errno;
  if (error == 0) return descriptor;
  close(descriptor);
  return error;
}

int clinux_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal) < 0 ? -errno : 0; }

int clinux_set_dumpable(bool on) { return prctl(PR_SET_DUMPABLE, on ? 1 : 0) < 0 ? -errno : 0; }

int clinux_set_process_name(const char *name) { return prctl(PR_SET_NAME, name) < 0 ? -errno : 0; }

int64_t clinux_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  }
  return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

int64_t clinux_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  return limit.rlim_max > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_max;
}

void clinux_trim_heap(void) { malloc_trim(0); }

int clinux_processor_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : (int)count;
}

ptrdiff_t clinux_find_octet(const void *buffer, size_t length, uint8_t octet) {
  const uint8_t *found = length == 0 ? NULL : memchr(buffer, octet, length);
  return found == NULL ? -1 : found - (const uint8_t *)buffer;
}

ptrdiff_t clinux_find(const void *buffer, size_t length, const void *needle, size_t needle_length) {
  if (length < needle_length) return -1;
  if (needle_length == 0) return 0;
  const uint8_t *found = memmem(buffer, length, needle, needle_length);
  return found == NULL ? -1 : found - (const uint8_t *)buffer;
}

// Octets that a pipe with any room takes without blocking.
enum { piece = 4096, patience = 100 };

static ptrdiff_t write_piece(int descriptor, const uint8_t *octets, size_t length) {
  // The log stays what it is as long as the process lives.
  static _Atomic int file = -1;
  ptrdiff_t count = descriptor == file ? -ENOTSOCK : clinux_send_at_once(descriptor, octets, length);
  if (count == -ENOTSOCK) file = descriptor;
  if (count == -ENOTSOCK) count = clinux_write(descriptor, octets, length < piece ? length : piece);
  return count;
}

bool clinux_write_log(int descriptor, const void *buffer, size_t length) {
  // Whoever reads the log has stopped: it was waited for once, not for each line again.
  static bool is_stalled = false;
  const uint8_t *next = buffer;
  while (length > 0) {
    struct pollfd wish = {.fd = descriptor, .events = POLLOUT};
    int ready;
    do ready = poll(&wish, 1, is_stalled ? 0 : patience);
    while (ready < 0 && errno == EINTR);
    is_stalled = ready == 0;
    ptrdiff_t count = ready == 1 ? write_piece(descriptor, next, length) : -EAGAIN;
    if (count == 0 || (count < 0 && (count != -EAGAIN || ready != 1))) return false;
    if (count < 0) continue;
    next += count;
    length -= (size_t)count;
  }
  return true;
}

void clinux_write_standard_error(const void *buffer, size_t length) { clinux_write_log(STDERR_FILENO, buffer, length); }

const char *clinux_error_text(int error) {
  const char *text = strerrordesc_np(error);
  return text == NULL ? "Unknown error" : text;
}
