#include "headrace_stored_tokens.h"

#include <string.h>

#include "clones.h"

/* One maximum for all tokens in place of a comparison for each: that is what vector instructions can do. */
#define HEADRACE_DEFINE_LARGEST(NAME, FROM)                                                                      \
  HEADRACE_CLONES                                                                                                \
  uint64_t NAME(const void *source, size_t count) {                                                              \
    const uint8_t *from = source;                                                                                \
    FROM largest = 0;                                                                                            \
    for (size_t i = 0; i < count; i++) {                                                                         \
      FROM token;                                                                                                \
      memcpy(&token, from + i * sizeof token, sizeof token);                                                     \
      largest = token > largest ? token : largest;                                                               \
    }                                                                                                            \
    return largest;                                                                                              \
  }

#define HEADRACE_DEFINE_CONVERT(NAME, FROM, TO)                                                                  \
  HEADRACE_CLONES                                                                                                \
  uint64_t NAME(void *restrict destination, const void *restrict source, size_t count) {                         \
    uint8_t *to = destination;                                                                                   \
    const uint8_t *from = source;                                                                                \
    FROM largest = 0;                                                                                            \
    for (size_t i = 0; i < count; i++) {                                                                         \
      FROM token;                                                                                                \
      memcpy(&token, from + i * sizeof token, sizeof token);                                                     \
      largest = token > largest ? token : largest;                                                               \
      TO converted = (TO)token;                                                                                  \
      memcpy(to + i * sizeof converted, &converted, sizeof converted);                                           \
    }                                                                                                            \
    return largest;                                                                                              \
  }

HEADRACE_DEFINE_LARGEST(headrace_largest_u16, uint16_t)
HEADRACE_DEFINE_LARGEST(headrace_largest_u32, uint32_t)

HEADRACE_DEFINE_CONVERT(headrace_convert_u8_u16, uint8_t, uint16_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u8_u32, uint8_t, uint32_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u16_u16, uint16_t, uint16_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u16_u32, uint16_t, uint32_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u32_u16, uint32_t, uint16_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u32_u32, uint32_t, uint32_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u64_u16, uint64_t, uint16_t)
HEADRACE_DEFINE_CONVERT(headrace_convert_u64_u32, uint64_t, uint32_t)
