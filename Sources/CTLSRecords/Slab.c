// Connections live in chunks of memory that aren't swapped out where the system permits it, and never shown in a core dump.
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "Internal.h"

enum { chunk_size = 64 << 10 };

// A free place holds the next one.
union place {
  struct tlsrecords connection;
  union place *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static union place *free_places;
static struct tlsrecords_memory memory = {0, 0, true};

static bool grow(void) {
  void *chunk = mmap(NULL, chunk_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk == MAP_FAILED) return false;
  // A child that is forked has no use for them, and two owners of one key would be fatal.
  if (madvise(chunk, chunk_size, MADV_DONTDUMP) != 0 || madvise(chunk, chunk_size, MADV_WIPEONFORK) != 0) {
    munmap(chunk, chunk_size);
    return false;
  }
  if (mlock(chunk, chunk_size) != 0) memory.is_locked = false;
  memory.octets += chunk_size;
  union place *places = chunk;
  for (size_t index = chunk_size / sizeof *places; index > 0; index--) {
    places[index - 1].next = free_places;
    free_places = &places[index - 1];
  }
  return true;
}

struct tlsrecords *slab_take(void) {
  pthread_mutex_lock(&lock);
  union place *place = free_places != NULL || grow() ? free_places : NULL;
  if (place != NULL) {
    free_places = place->next;
    memory.connections++;
  }
  pthread_mutex_unlock(&lock);
  if (place == NULL) return NULL;
  memset(place, 0, sizeof *place);
  return &place->connection;
}

void slab_give(struct tlsrecords *connection) {
  union place *place = (union place *)connection;
  OPENSSL_cleanse(place, sizeof *place);
  pthread_mutex_lock(&lock);
  place->next = free_places;
  free_places = place;
  memory.connections--;
  pthread_mutex_unlock(&lock);
}

struct tlsrecords_memory tlsrecords_memory(void) {
  pthread_mutex_lock(&lock);
  struct tlsrecords_memory copy = memory;
  pthread_mutex_unlock(&lock);
  return copy;
}

void octets_clear(struct octets *octets) {
  if (octets->bytes != NULL) OPENSSL_clear_free(octets->bytes, octets->length);
  *octets = (struct octets){NULL, 0, 0};
}

bool octets_set(struct octets *octets, const uint8_t *bytes, size_t length) {
  uint8_t *copy = NULL;
  if (length > 0) {
    copy = OPENSSL_malloc(length);
    if (copy == NULL) return false;
    memcpy(copy, bytes, length);
  }
  // What is copied may be a part of what is freed.
  octets_clear(octets);
  *octets = (struct octets){copy, (uint32_t)length, 0};
  return true;
}

bool octets_append(struct octets *octets, const uint8_t *bytes, size_t length) {
  size_t old = octets->length - octets->used;
  uint8_t *both = OPENSSL_malloc(old + length);
  if (both == NULL) return false;
  if (old > 0) memcpy(both, octets->bytes + octets->used, old);
  memcpy(both + old, bytes, length);
  octets_clear(octets);
  *octets = (struct octets){both, (uint32_t)(old + length), 0};
  return true;
}

const struct buffers *buffers_of(const struct tlsrecords *connection) {
  static const struct buffers none;
  return connection->buffers == NULL ? &none : connection->buffers;
}

struct buffers *buffers_make(struct tlsrecords *connection) {
  if (connection->buffers == NULL) connection->buffers = OPENSSL_zalloc(sizeof(struct buffers));
  return connection->buffers;
}

void buffers_tidy(struct tlsrecords *connection) {
  struct buffers *buffers = connection->buffers;
  if (buffers == NULL || buffers->input.length + buffers->plain.length + buffers->output.length > 0) return;
  OPENSSL_free(buffers);
  connection->buffers = NULL;
}
