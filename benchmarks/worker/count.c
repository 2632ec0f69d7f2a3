// Loaded into a worker (LD_PRELOAD): counts heap allocations, those made inside OpenSSL apart, and writes both to standard error at SIGURG.
#define _GNU_SOURCE
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static volatile uint64_t own, openssl;
static struct {
  uintptr_t start, end;
} text[8];
static int texts;

// Every allocation of OpenSSL goes through CRYPTO_malloc and its like, which lie in libcrypto: the caller of malloc tells.
static void count(void *caller) {
  uintptr_t address = (uintptr_t)caller;
  for (int index = 0; index < texts; index++) {
    if (address >= text[index].start && address < text[index].end) {
      openssl++;
      return;
    }
  }
  own++;
}

void *malloc(size_t size) {
  count(__builtin_return_address(0));
  return __libc_malloc(size);
}

void *calloc(size_t members, size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(members, size);
}

void *realloc(void *block, size_t size) {
  count(__builtin_return_address(0));
  return __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  *block = __libc_memalign(alignment, size);
  return *block == NULL ? 12 : 0;
}

static int note(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size;
  (void)unused;
  if (strstr(info->dlpi_name, "libcrypto") == NULL && strstr(info->dlpi_name, "libssl") == NULL) return 0;
  for (int index = 0; index < info->dlpi_phnum; index++) {
    if (info->dlpi_phdr[index].p_type != PT_LOAD || !(info->dlpi_phdr[index].p_flags & PF_X) || texts == 8) continue;
    text[texts].start = info->dlpi_addr + info->dlpi_phdr[index].p_vaddr;
    text[texts].end = text[texts].start + info->dlpi_phdr[index].p_memsz;
    texts++;
  }
  return 0;
}

static void report(int number) {
  (void)number;
  char line[96];
  int length = snprintf(line, sizeof line, "allocations own %lu openssl %lu\n", (unsigned long)own, (unsigned long)openssl);
  if (length > 0 && write(2, line, (size_t)length) < 0) _exit(1);
}

__attribute__((constructor)) static void start(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = report;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, NULL);
  dl_iterate_phdr(note, NULL);
}
