/* Reading from a file without waiting for a disk. */
#ifndef HEADRACE_FILES_H
#define HEADRACE_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Reads up to `count` bytes at `offset` into `buffer`, as pread does, but only what the system holds in memory.
 *
 * Returns the number of bytes read, 0 at the end of the file; or a negated errno, of which -EAGAIN says that the bytes
 * are not there at once, or that the system or the file's file system cannot tell. */
int64_t headrace_read_at_once(int32_t descriptor, void *buffer, size_t count, int64_t offset);

#endif
