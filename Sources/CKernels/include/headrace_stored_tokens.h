/* Tokens as other programs stored them, made tokens of a pool, in the byte order of the machine.
 *
 * Every function here is pure, takes any alignment, and returns the largest of the `count` tokens as an unsigned number
 * of the stored size, 0 where there is none: whoever knows the vocabulary compares it once.
 */
#ifndef HEADRACE_STORED_TOKENS_H
#define HEADRACE_STORED_TOKENS_H

#include <stddef.h>
#include <stdint.h>

/* Looks at tokens that lie where they should already. */
uint64_t headrace_largest_u16(const void *source, size_t count);
uint64_t headrace_largest_u32(const void *source, size_t count);

/* Copies tokens and makes each as wide as `destination`'s are; what does not fit is cut off, and shows in the result.
 * Source and destination must not overlap. */
uint64_t headrace_convert_u8_u16(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u8_u32(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u16_u16(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u16_u32(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u32_u16(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u32_u32(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u64_u16(void *restrict destination, const void *restrict source, size_t count);
uint64_t headrace_convert_u64_u32(void *restrict destination, const void *restrict source, size_t count);

#endif
