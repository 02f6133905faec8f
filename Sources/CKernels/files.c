#define _GNU_SOURCE
#include "headrace_files.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

int64_t headrace_read_at_once(int32_t descriptor, void *buffer, size_t count, int64_t offset) {
#ifdef RWF_NOWAIT
  struct iovec piece = {buffer, count};
  ssize_t done = preadv2(descriptor, &piece, 1, (off_t)offset, RWF_NOWAIT);
  if (done >= 0) return done;
  /* An old kernel knows neither the call nor the flag; a network file system does not take the flag. */
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return -EAGAIN;
  return -errno;
#else
  (void)descriptor, (void)buffer, (void)count, (void)offset;
  return -EAGAIN;
#endif
}
