#include "headrace_bytes.h"

#include <string.h>

#include "clones.h"

enum { CACHE_LINE_BYTES = 64 };

/* Copies in blocks of one cache line of the source, asking for the same line of the next row first. */
#define HEADRACE_DEFINE_COPY(NAME, TO, FROM)                                                                     \
  HEADRACE_CLONES                                                                                                \
  void NAME(TO *destination, const FROM *source, size_t count, const FROM *upcoming) {                           \
    enum { BLOCK = CACHE_LINE_BYTES / sizeof(FROM) };                                                            \
    size_t position = 0;                                                                                         \
    for (; position + BLOCK <= count; position += BLOCK) {                                                       \
      if (upcoming) __builtin_prefetch(upcoming + position, 0, 3);                                               \
      for (size_t i = 0; i < BLOCK; i++) destination[position + i] = (TO)source[position + i];                   \
    }                                                                                                            \
    if (upcoming && position < count) __builtin_prefetch(upcoming + position, 0, 3);                             \
    for (; position < count; position++) destination[position] = (TO)source[position];                           \
  }

HEADRACE_DEFINE_COPY(headrace_copy_u16_u16, uint16_t, uint16_t)
HEADRACE_DEFINE_COPY(headrace_copy_u16_u32, uint32_t, uint16_t)
HEADRACE_DEFINE_COPY(headrace_copy_u16_i64, int64_t, uint16_t)
HEADRACE_DEFINE_COPY(headrace_copy_u32_u32, uint32_t, uint32_t)
HEADRACE_DEFINE_COPY(headrace_copy_u32_i64, int64_t, uint32_t)

/* The constants of the xxHash specification, version 0.1.1, section "XXH64 algorithm description". */
static const uint64_t PRIME_1 = 0x9E3779B185EBCA87ULL;
static const uint64_t PRIME_2 = 0xC2B2AE3D27D4EB4FULL;
static const uint64_t PRIME_3 = 0x165667B19E3779F9ULL;
static const uint64_t PRIME_4 = 0x85EBCA77C2B2AE63ULL;
static const uint64_t PRIME_5 = 0x27D4EB2F165667C5ULL;

static inline uint64_t rotate_left(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

static inline uint64_t read_64(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

static inline uint32_t read_32(const uint8_t *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap32(value);
#endif
  return value;
}

static inline uint64_t xxh64_round(uint64_t accumulator, uint64_t lane) {
  return rotate_left(accumulator + lane * PRIME_2, 31) * PRIME_1;
}

static inline uint64_t xxh64_merge(uint64_t hash, uint64_t accumulator) {
  return (hash ^ xxh64_round(0, accumulator)) * PRIME_1 + PRIME_4;
}

/* Takes whole stripes of 32 bytes into the four lanes, and returns where they end. */
static inline const uint8_t *xxh64_stripes(uint64_t lanes[4], const uint8_t *cursor, size_t byte_count) {
  uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  for (; byte_count >= 32; byte_count -= 32, cursor += 32) {
    a = xxh64_round(a, read_64(cursor));
    b = xxh64_round(b, read_64(cursor + 8));
    c = xxh64_round(c, read_64(cursor + 16));
    d = xxh64_round(d, read_64(cursor + 24));
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
  return cursor;
}

/* The hash of `byte_count` bytes, of which all but the last `byte_count % 32`, at `cursor`, are in the lanes. */
static inline uint64_t xxh64_finish(
    const uint64_t lanes[4], const uint8_t *cursor, uint64_t byte_count, uint64_t seed) {
  size_t left = (size_t)(byte_count % 32);
  uint64_t hash = seed + PRIME_5;
  if (byte_count >= 32) {
    hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) + rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (int lane = 0; lane < 4; lane++) hash = xxh64_merge(hash, lanes[lane]);
  }
  hash += byte_count;
  for (; left >= 8; left -= 8, cursor += 8)
    hash = rotate_left(hash ^ xxh64_round(0, read_64(cursor)), 27) * PRIME_1 + PRIME_4;
  for (; left >= 4; left -= 4, cursor += 4)
    hash = rotate_left(hash ^ ((uint64_t)read_32(cursor) * PRIME_1), 23) * PRIME_2 + PRIME_3;
  for (; left > 0; left--, cursor++) hash = rotate_left(hash ^ (*cursor * PRIME_5), 11) * PRIME_1;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

uint64_t headrace_xxh64(const void *bytes, size_t byte_count, uint64_t seed) {
  headrace_xxh64_state state;
  headrace_xxh64_begin(&state, seed);
  return xxh64_finish(state.lanes, xxh64_stripes(state.lanes, bytes, byte_count), byte_count, seed);
}

void headrace_xxh64_begin(headrace_xxh64_state *state, uint64_t seed) {
  state->lanes[0] = seed + PRIME_1 + PRIME_2;
  state->lanes[1] = seed + PRIME_2;
  state->lanes[2] = seed;
  state->lanes[3] = seed - PRIME_1;
  state->seed = seed;
  state->byte_count = 0;
}

void headrace_xxh64_add(headrace_xxh64_state *state, const void *bytes, size_t byte_count) {
  const uint8_t *cursor = bytes;
  size_t kept = (size_t)(state->byte_count % 32);
  state->byte_count += byte_count;
  if (kept > 0) {
    size_t taken = byte_count < 32 - kept ? byte_count : 32 - kept;
    if (taken > 0) memcpy(state->rest + kept, cursor, taken);
    cursor += taken;
    byte_count -= taken;
    if (kept + taken < 32) return;
    xxh64_stripes(state->lanes, state->rest, 32);
  }
  cursor = xxh64_stripes(state->lanes, cursor, byte_count);
  if (byte_count % 32 > 0) memcpy(state->rest, cursor, byte_count % 32);
}

uint64_t headrace_xxh64_end(const headrace_xxh64_state *state) {
  return xxh64_finish(state->lanes, state->rest, state->byte_count, state->seed);
}
