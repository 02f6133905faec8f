/* Counts a process's calls of the C library's allocator, on Linux with glibc. Built by
 * integration/checks/loader-memory.sh; loaded by LD_PRELOAD.
 *
 * Every call that may give memory counts: malloc, calloc, realloc, reallocarray, and those that align. The real work
 * is done by glibc's own functions under their other names, so nothing in here comes back to it. */

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

extern void *__libc_malloc(size_t byte_count);
extern void *__libc_calloc(size_t count, size_t byte_count);
extern void *__libc_realloc(void *memory, size_t byte_count);
extern void *__libc_memalign(size_t alignment, size_t byte_count);

static atomic_long allocation_count;

/* The calls so far, of all threads. */
long headrace_allocation_count(void) { return atomic_load(&allocation_count); }

static void count_one(void) { atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed); }

void *malloc(size_t byte_count) {
  count_one();
  return __libc_malloc(byte_count);
}

void *calloc(size_t count, size_t byte_count) {
  count_one();
  return __libc_calloc(count, byte_count);
}

void *realloc(void *memory, size_t byte_count) {
  count_one();
  return __libc_realloc(memory, byte_count);
}

void *reallocarray(void *memory, size_t count, size_t byte_count) {
  size_t total;
  if (__builtin_mul_overflow(count, byte_count, &total)) {
    errno = ENOMEM;
    return NULL;
  }
  count_one();
  return __libc_realloc(memory, total);
}

void *memalign(size_t alignment, size_t byte_count) {
  count_one();
  return __libc_memalign(alignment, byte_count);
}

void *aligned_alloc(size_t alignment, size_t byte_count) {
  count_one();
  return __libc_memalign(alignment, byte_count);
}

int posix_memalign(void **memory, size_t alignment, size_t byte_count) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
  count_one();
  void *result = __libc_memalign(alignment, byte_count);
  if (result == NULL) return ENOMEM;
  *memory = result;
  return 0;
}
