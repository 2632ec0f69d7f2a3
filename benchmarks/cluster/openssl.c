// Loaded into a worker (LD_PRELOAD): knows how many octets of heap OpenSSL holds and writes that to standard error at SIGURG.
#define _GNU_SOURCE
#include <malloc.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile long held;

// What a block takes of the heap: its usable size and the allocator's word in front of it.
static long size_of(void *block) { return block == NULL ? 0 : (long)malloc_usable_size(block) + (long)sizeof(size_t); }

static void *take(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  void *block = malloc(size);
  held += size_of(block);
  return block;
}

static void *change(void *old, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  long before = size_of(old);
  void *block = realloc(old, size);
  if (block != NULL) held += size_of(block) - before;
  return block;
}

static void give(void *block, const char *file, int line) {
  (void)file;
  (void)line;
  held -= size_of(block);
  free(block);
}

static void report(int number) {
  (void)number;
  char line[96];
  int length = snprintf(line, sizeof line, "openssl holds %ld octets\n", held);
  if (length > 0 && write(2, line, (size_t)length) < 0) _exit(1);
}

__attribute__((constructor)) static void start(void) {
  if (CRYPTO_set_mem_functions(take, change, give) != 1) {
    fputs("openssl holds memory already\n", stderr);
    _exit(1);
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = report;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, NULL);
}
