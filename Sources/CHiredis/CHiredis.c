#include "CHiredis.h"

#include <hiredis/read.h>
#include <stdlib.h>
#include <string.h>

struct chiredis_reader {
  redisReader *reader;
  struct chiredis_limits limits;
  // The reply that is being read, or was read last.
  struct chiredis_item *items;
  size_t item_count, item_capacity;
  uint8_t *octets;
  size_t octet_count, octet_capacity;
  // Why one of the functions below refused; hiredis can only say that there was no memory.
  int refusal;
  int failure;
};

// Memory that was needed once for a large reply is given back when the next one begins.
enum { kept_items = 4096, kept_octets = 65536, piece = 16384 };

// Any object will do: hiredis only looks whether it is NULL.
static char object;

static int add_item(struct chiredis_reader *self, int kind, int64_t number, size_t start) {
  if (self->item_count >= self->limits.items) {
    self->refusal = chiredis_too_large;
    return 0;
  }
  if (self->item_count == self->item_capacity) {
    size_t capacity = self->item_capacity ? self->item_capacity * 2 : 16;
    struct chiredis_item *items = realloc(self->items, capacity * sizeof *items);
    if (!items) {
      self->refusal = chiredis_no_memory;
      return 0;
    }
    self->items = items;
    self->item_capacity = capacity;
  }
  self->items[self->item_count++] = (struct chiredis_item){kind, number, start};
  return 1;
}

static int add_octets(struct chiredis_reader *self, const char *octets, size_t length) {
  if (length > self->limits.octets - self->octet_count) {
    self->refusal = chiredis_too_large;
    return 0;
  }
  if (length > self->octet_capacity - self->octet_count) {
    size_t capacity = self->octet_capacity ? self->octet_capacity : 1024;
    while (capacity - self->octet_count < length) capacity *= 2;
    uint8_t *grown = realloc(self->octets, capacity);
    if (!grown) {
      self->refusal = chiredis_no_memory;
      return 0;
    }
    self->octets = grown;
    self->octet_capacity = capacity;
  }
  if (length) memcpy(self->octets + self->octet_count, octets, length);
  self->octet_count += length;
  return 1;
}

static void *create_string(const redisReadTask *task, char *octets, size_t length) {
  struct chiredis_reader *self = task->privdata;
  int kind = task->type == REDIS_REPLY_ERROR    ? chiredis_kind_error
             : task->type == REDIS_REPLY_STATUS ? chiredis_kind_text
                                                : chiredis_kind_bulk;
  size_t start = self->octet_count;
  return add_octets(self, octets, length) && add_item(self, kind, (int64_t)length, start) ? &object : NULL;
}

static void *create_array(const redisReadTask *task, int elements) {
  struct chiredis_reader *self = task->privdata;
  int depth = 1;
  for (const redisReadTask *parent = task->parent; parent; parent = parent->parent) depth++;
  if (depth > self->limits.depth || (size_t)elements > self->limits.items) {
    self->refusal = chiredis_too_large;
    return NULL;
  }
  return add_item(self, chiredis_kind_array, elements, 0) ? &object : NULL;
}

static void *create_integer(const redisReadTask *task, long long number) {
  return add_item(task->privdata, chiredis_kind_integer, number, 0) ? &object : NULL;
}

static void *create_nil(const redisReadTask *task) {
  int kind = task->type == REDIS_REPLY_ARRAY ? chiredis_kind_no_array : chiredis_kind_no_bulk;
  return add_item(task->privdata, kind, 0, 0) ? &object : NULL;
}

static void free_object(void *unused) { (void)unused; }

static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil, free_object};

struct chiredis_reader *chiredis_reader_new(struct chiredis_limits limits) {
  struct chiredis_reader *self = calloc(1, sizeof *self);
  if (!self) return NULL;
  self->limits = limits;
  self->reader = redisReaderCreateWithFunctions(&functions);
  if (!self->reader) {
    free(self);
    return NULL;
  }
  self->reader->privdata = self;
  // An empty buffer larger than this is given back.
  self->reader->maxbuf = kept_octets;
  return self;
}

void chiredis_reader_free(struct chiredis_reader *self) {
  if (!self) return;
  redisReaderFree(self->reader);
  free(self->items);
  free(self->octets);
  free(self);
}

size_t chiredis_piece(void) { return piece; }

static int failed(struct chiredis_reader *self) {
  self->failure = self->refusal                            ? self->refusal
                  : self->reader->err == REDIS_ERR_OOM ? chiredis_no_memory
                                                           : chiredis_broken;
  return self->failure;
}

int chiredis_reader_feed(struct chiredis_reader *self, const uint8_t *octets, size_t length) {
  if (self->failure) return self->failure;
  if (length > piece) return self->failure = chiredis_too_large;
  if (!length) return chiredis_none;
  return redisReaderFeed(self->reader, (const char *)octets, length) == REDIS_OK ? chiredis_none : failed(self);
}

static void begin_reply(struct chiredis_reader *self) {
  self->item_count = 0;
  self->octet_count = 0;
  if (self->item_capacity > kept_items) {
    free(self->items);
    self->items = NULL;
    self->item_capacity = 0;
  }
  if (self->octet_capacity > kept_octets) {
    free(self->octets);
    self->octets = NULL;
    self->octet_capacity = 0;
  }
}

int chiredis_reader_next(struct chiredis_reader *self) {
  if (self->failure) return self->failure;
  // No task on the stack: the last reply was complete.
  if (self->reader->ridx == -1) begin_reply(self);
  void *reply = NULL;
  if (redisReaderGetReply(self->reader, &reply) != REDIS_OK) return failed(self);
  if (reply) return chiredis_reply;
  if (self->reader->len - self->reader->pos > self->limits.octets - self->octet_count) {
    self->refusal = chiredis_too_large;
    return failed(self);
  }
  return chiredis_none;
}

size_t chiredis_reader_item_count(const struct chiredis_reader *self) { return self->item_count; }

struct chiredis_item chiredis_reader_item(const struct chiredis_reader *self, size_t index) { return self->items[index]; }

const uint8_t *chiredis_reader_octets(const struct chiredis_reader *self) { return self->octets; }
