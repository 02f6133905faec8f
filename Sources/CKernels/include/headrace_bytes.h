/* Loops over bytes and tokens that need vector instructions chosen at run time: the widening copy, and xxh64.
 *
 * Every function here is pure: it reads `source`, writes `destination`, and keeps nothing. Pointers need only the
 * alignment of their element type; source and destination must not overlap.
 */
#ifndef HEADRACE_BYTES_H
#define HEADRACE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Copies `count` tokens and widens each to the element type of `destination`.
 *
 * `upcoming` is where the caller reads next, or NULL: its first `count` tokens are prefetched into cache while this row
 * is copied, which hides the latency of rows that lie scattered in a pool. It is never dereferenced, so any address is
 * allowed. */
void headrace_copy_u16_u16(uint16_t *destination, const uint16_t *source, size_t count, const uint16_t *upcoming);
void headrace_copy_u16_u32(uint32_t *destination, const uint16_t *source, size_t count, const uint16_t *upcoming);
void headrace_copy_u16_i64(int64_t *destination, const uint16_t *source, size_t count, const uint16_t *upcoming);
void headrace_copy_u32_u32(uint32_t *destination, const uint32_t *source, size_t count, const uint32_t *upcoming);
void headrace_copy_u32_i64(int64_t *destination, const uint32_t *source, size_t count, const uint32_t *upcoming);

/* XXH64 of `byte_count` bytes, as the xxHash specification defines it. */
uint64_t headrace_xxh64(const void *bytes, size_t byte_count, uint64_t seed);

/* The same of bytes that come in pieces: begin, add any number of pieces of any size, end. Ending changes nothing, so
   more may be added after it. */
typedef struct {
  uint64_t lanes[4];
  uint64_t seed;
  uint64_t byte_count; /* How many bytes were added. */
  uint8_t rest[32];    /* The last byte_count % 32 of them, which are not in the lanes yet. */
} headrace_xxh64_state;

void headrace_xxh64_begin(headrace_xxh64_state *state, uint64_t seed);
void headrace_xxh64_add(headrace_xxh64_state *state, const void *bytes, size_t byte_count);
uint64_t headrace_xxh64_end(const headrace_xxh64_state *state);

#endif
