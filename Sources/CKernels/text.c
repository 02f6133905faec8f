#include "headrace_text.h"

#include <string.h>

/* A step looks at STEP bytes; a mask has BITS bits for each of them, in the order of the bytes. */
#if defined(__SSE2__)

#include <emmintrin.h>

enum { STEP = 16, BITS = 1 };
typedef __m128i vector;

static inline vector load(const uint8_t *bytes) { return _mm_loadu_si128((const __m128i *)bytes); }

static inline void store(uint8_t *bytes, vector value) { _mm_storeu_si128((__m128i *)bytes, value); }

static inline uint64_t special_json(vector value) {
  const vector quotes = _mm_cmpeq_epi8(value, _mm_set1_epi8('"'));
  const vector backslashes = _mm_cmpeq_epi8(value, _mm_set1_epi8('\\'));
  const vector last_control = _mm_set1_epi8(0x1F);
  const vector controls = _mm_cmpeq_epi8(_mm_max_epu8(value, last_control), last_control);
  return (uint64_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}

static inline uint64_t not_ascii(vector value) { return (uint64_t)_mm_movemask_epi8(value); }

#else

enum { STEP = 8, BITS = 8 };
typedef uint64_t vector;

static inline vector load(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static inline void store(uint8_t *bytes, vector value) { memcpy(bytes, &value, sizeof value); }

/* The word with its first byte lowest. */
static inline uint64_t in_order(vector value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap64(value);
#else
  return value;
#endif
}

static const uint64_t ONES = 0x0101010101010101ULL;

/* The lowest mark is right: a borrow that marks a wrong byte comes from a right one below it. */
static inline uint64_t special_json(vector value) {
  const uint64_t word = in_order(value);
  const uint64_t quotes = word ^ (ONES * '"');
  const uint64_t backslashes = word ^ (ONES * '\\');
  const uint64_t controls = (word - ONES * 0x20) & ~word;
  return (((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes) | controls) & (ONES * 0x80);
}

static inline uint64_t not_ascii(vector value) { return in_order(value) & (ONES * 0x80); }

#endif

/* The place of the lowest mark, in bytes. */
static inline size_t first_of(uint64_t mask) { return (size_t)__builtin_ctzll(mask) / BITS; }

static inline int is_special_json(uint8_t byte) { return byte == '"' || byte == '\\' || byte < 0x20; }

size_t headrace_plain_json_count(const uint8_t *bytes, size_t count) {
  size_t position = 0;
  for (; position + STEP <= count; position += STEP) {
    const uint64_t mask = special_json(load(bytes + position));
    if (mask) return position + first_of(mask);
  }
  while (position < count && !is_special_json(bytes[position])) position++;
  return position;
}

/* What the escapes of one character stand for; 0 for any other. */
static const uint8_t ESCAPES[256] = {
    ['n'] = '\n', ['"'] = '"', ['\\'] = '\\', ['t'] = '\t', ['/'] = '/', ['r'] = '\r', ['b'] = '\b', ['f'] = '\f',
};

size_t headrace_unescape_json(uint8_t *destination, const uint8_t *source, size_t count, size_t *read) {
  size_t from = 0, to = 0;
  for (;;) {
    uint64_t mask = 0;
    while (from + STEP <= count) {
      const vector value = load(source + from);
      store(destination + to, value);
      mask = special_json(value);
      const size_t plain = mask ? first_of(mask) : STEP;
      from += plain;
      to += plain;
      if (mask) break;
    }
    while (!mask && from < count && !is_special_json(source[from])) destination[to++] = source[from++];
    if (from + 1 >= count || source[from] != '\\') break;
    const uint8_t plain = ESCAPES[source[from + 1]];
    if (!plain) break;
    destination[to++] = plain;
    from += 2;
  }
  *read = from;
  return to;
}

size_t headrace_ascii_count(const uint8_t *bytes, size_t count) {
  size_t position = 0;
  for (; position + STEP <= count; position += STEP) {
    const uint64_t mask = not_ascii(load(bytes + position));
    if (mask) return position + first_of(mask);
  }
  while (position < count && bytes[position] < 0x80) position++;
  return position;
}
