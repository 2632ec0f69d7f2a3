// hiredis' protocol reader for Swift: octets in, replies out as flat lists. hiredis' own sockets, contexts and reply objects are not used.
//
// Limits of hiredis 0.14, which these functions keep or tighten:
// - It knows RESP2 only: `+ - : $ *`. HELLO 3 must never be sent.
// - Arrays nest seven deep at most; the bound given here may be lower.
// - The announced length of a bulk string has no bound, and its octets are collected until all are there: what is collected
//   is bounded here after each piece, so that a reply never holds more than `octets` and one piece.
// - The announced count of an array may be up to 2^31: nothing is set aside for it, each element is counted when it comes.
// - A line without an end is searched anew from its beginning with each piece: pieces should be some kilobytes, and are no more than
//   16 kB, because taking a reply moves what is left of the buffer.
// - An error is for good: the reader must be freed with its connection.
#ifndef CHIREDIS_H
#define CHIREDIS_H

#include <stddef.h>
#include <stdint.h>

struct chiredis_reader;

enum chiredis_kind {
  chiredis_kind_text = 1,
  chiredis_kind_error = 2,
  chiredis_kind_integer = 3,
  chiredis_kind_bulk = 4,
  chiredis_kind_no_bulk = 5,
  chiredis_kind_array = 6,
  chiredis_kind_no_array = 7,
};

// One value of a reply. The elements of an array follow it, each with all that it holds.
struct chiredis_item {
  int kind;
  // The integer; the count of an array's elements; the length in octets of a text, an error or a bulk string.
  int64_t number;
  // Where the octets begin in those of the reply.
  size_t start;
};

struct chiredis_limits {
  int depth;        // arrays within arrays, 1 to 7
  size_t items;     // values of a reply, arrays counted
  size_t octets;    // octets of a reply, those counted that are not complete yet
};

enum chiredis_outcome {
  chiredis_reply = 1,     // a reply is complete: items and octets hold it until the next call
  chiredis_none = 0,      // more octets are needed
  chiredis_broken = -1,   // the octets are not RESP2
  chiredis_too_large = -2,  // a limit was passed
  chiredis_no_memory = -3,
};

// NULL when there is no memory.
struct chiredis_reader *chiredis_reader_new(struct chiredis_limits limits);
void chiredis_reader_free(struct chiredis_reader *reader);
// The most octets that one call of chiredis_reader_feed takes: 16384.
size_t chiredis_piece(void);
// Adds octets, at most chiredis_piece(). Returns chiredis_none, or what is wrong.
int chiredis_reader_feed(struct chiredis_reader *reader, const uint8_t *octets, size_t length);
// Takes the next complete reply.
int chiredis_reader_next(struct chiredis_reader *reader);
size_t chiredis_reader_item_count(const struct chiredis_reader *reader);
struct chiredis_item chiredis_reader_item(const struct chiredis_reader *reader, size_t index);
// The octets of all values of the reply; NULL when there are none.
const uint8_t *chiredis_reader_octets(const struct chiredis_reader *reader);

#endif
