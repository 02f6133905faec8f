/* Loops over text: what stands in a JSON string, and how much of some bytes is ASCII.
 *
 * They look at 16 bytes at a time where the machine has vectors that tell which of their bytes match, else at 8.
 */
#ifndef HEADRACE_TEXT_H
#define HEADRACE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The number of bytes before the first quote, backslash or control character (below 0x20); `count` if there is none. */
size_t headrace_plain_json_count(const uint8_t *bytes, size_t count);

/* Copies the bytes of a JSON string and undoes its escapes of one character (\n, \", \\, \t, \/, \r, \b, \f), up to
 * the first byte that is neither: a quote, a control character, the backslash of any other escape, or the end.
 *
 * Returns how many bytes were written, which is never more than were read; `read` says how many those are. The two
 * do not overlap. Copying goes by vectors: `destination` has room for HEADRACE_JSON_SURPLUS bytes more than are
 * written. */
enum { HEADRACE_JSON_SURPLUS = 16 };
size_t headrace_unescape_json(uint8_t *destination, const uint8_t *source, size_t count, size_t *read);

/* The number of bytes before the first one that is not ASCII; `count` if all are. */
size_t headrace_ascii_count(const uint8_t *bytes, size_t count);

#endif
