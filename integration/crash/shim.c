/* A shim between a program and the C library, for crash tests on Linux. Built and driven by crash.py; loaded by
 * LD_PRELOAD.
 *
 * It sees the calls that make files durable, for files under one folder, writes each into a log, and can end the
 * process at any one of them or make it fail. Its settings are environment variables:
 *
 *   SHIM_ROOT      the folder whose files are watched, as an absolute path without links
 *   SHIM_LOG       the log; lines are appended
 *   SHIM_KILL_AT   n: end the process by SIGKILL at its n-th counted call, counted from 1
 *   SHIM_KILL_MODE before | after | half: before the call, after it, or (a write of m bytes) after m/2 bytes. Calls
 *                  that have no half are not made.
 *   SHIM_FAIL_AT   n:ERRNO or n+:ERRNO: the n-th call fails with that number; with `+` all later ones too, like a full
 *                  disk
 *   SHIM_PAUSE_US  microseconds to wait in the middle of every write, so that kills by the clock fall into one
 *
 * The log has one line per event, its fields separated by tabs:
 *
 *   B number process call path other size    the call begins; number is 0 for calls that are logged but not counted.
 *                                            size: the bytes of a write, the length for ftruncate, 1 for an open that
 *                                            may create
 *   E number process call result errno       it has returned
 *   K number process call mode               the process ends itself now
 *
 * What it cannot see: writes by stdio (inside the C library), mapped memory, and programs that make system calls
 * themselves. It makes the real calls by syscall(), so nothing in here comes back to it. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MODE_BEFORE, MODE_AFTER, MODE_HALF };
static const char *const MODES[] = {"before", "after", "half"};

static char root[PATH_MAX];
static size_t root_length;
static int log_descriptor = -1;
static int kill_at, kill_mode, fail_at, fail_on, fail_code;
static unsigned pause_us;
static atomic_int counter;

/* One watched call, from its beginning to its end. */
struct call {
  int watched, number;
  const char *name;
  char path[PATH_MAX], other[PATH_MAX];
};

static int error_number(const char *name) {
  static const struct {
    const char *name;
    int number;
  } KNOWN[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EFBIG", EFBIG},
               {"EINTR", EINTR}, {"EACCES", EACCES}, {"EROFS", EROFS}};
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
    if (!strcmp(name, KNOWN[i].name)) return KNOWN[i].number;
  return atoi(name);
}

static int setting(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : 0;
}

__attribute__((constructor)) static void start(void) {
  const char *folder = getenv("SHIM_ROOT"), *log = getenv("SHIM_LOG"), *mode = getenv("SHIM_KILL_MODE"),
             *fail = getenv("SHIM_FAIL_AT");
  if (!folder || !log || strlen(folder) >= sizeof root) return;
  strcpy(root, folder);
  root_length = strlen(root);
  kill_at = setting("SHIM_KILL_AT");
  pause_us = (unsigned)setting("SHIM_PAUSE_US");
  for (int i = 0; mode && i < 3; i++)
    if (!strcmp(mode, MODES[i])) kill_mode = i;
  if (fail && strchr(fail, ':')) {
    fail_at = atoi(fail);
    fail_on = strchr(fail, '+') != NULL;
    fail_code = error_number(strchr(fail, ':') + 1);
  }
  int opened = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (opened < 0) return;
  /* Out of the way of programs that expect the next descriptor to be a low one. */
  log_descriptor = fcntl(opened, F_DUPFD_CLOEXEC, 400);
  if (log_descriptor < 0)
    log_descriptor = opened;
  else
    syscall(SYS_close, opened);
}

__attribute__((format(printf, 1, 2))) static void write_log(const char *format, ...) {
  char line[2 * PATH_MAX + 256];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  for (int i = 0; i < length; i++)
    if (line[i] == '\n') line[i] = '?';
  line[length++] = '\n';
  int saved = errno;
  if (syscall(SYS_write, log_descriptor, line, (size_t)length) < 0) _exit(99); /* A log with holes proves nothing. */
  errno = saved;
}

/* The path behind a descriptor; "" if there is none. */
static void path_of_descriptor(int descriptor, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
}

/* The path of an entry, its folder free of links. */
static void path_of_entry(int folder, const char *entry, char path[PATH_MAX]) {
  char parent[PATH_MAX];
  path[0] = 0;
  size_t length = strlen(entry);
  while (length > 1 && entry[length - 1] == '/') length--;
  if (length == 0 || length >= PATH_MAX) return;
  size_t start = length;
  while (start > 0 && entry[start - 1] != '/') start--;
  memcpy(parent, entry, start);
  parent[start] = 0;
  int opened = (int)syscall(SYS_openat, folder, start ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (opened < 0) return;
  path_of_descriptor(opened, path);
  syscall(SYS_close, opened);
  size_t used = strlen(path);
  if (used + 1 + length - start >= PATH_MAX) return;
  path[used] = '/';
  memcpy(path + used + 1, entry + start, length - start);
  path[used + 1 + length - start] = 0;
}

static int is_under_root(const char *path) {
  return log_descriptor >= 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static void die(struct call *call, int mode) {
  write_log("K\t%d\t%d\t%s\t%s", call->number, getpid(), call->name, MODES[mode]);
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

static int dies_here(const struct call *call, int mode) {
  return call->watched && kill_at && call->number == kill_at && kill_mode == mode;
}

/* Begins a call whose paths are filled in. Returns 0 if the call is to be made, -1 with errno set if it is to fail. */
static int begin(struct call *call, const char *name, long size, int has_half, int counted) {
  int saved = errno;
  call->name = name;
  call->number = 0;
  call->watched = is_under_root(call->path) || is_under_root(call->other);
  errno = saved;
  if (!call->watched) return 0;
  if (counted) call->number = atomic_fetch_add(&counter, 1) + 1;
  write_log("B\t%d\t%d\t%s\t%s\t%s\t%ld", call->number, getpid(), name, call->path, call->other, size);
  if (dies_here(call, MODE_BEFORE) || (dies_here(call, MODE_HALF) && !has_half)) die(call, MODE_BEFORE);
  if (!counted || !fail_at || !(call->number == fail_at || (fail_on && call->number > fail_at))) return 0;
  write_log("E\t%d\t%d\t%s\t-1\t%d", call->number, getpid(), name, fail_code);
  errno = fail_code;
  return -1;
}

static long end(struct call *call, long result) {
  if (!call->watched) return result;
  write_log("E\t%d\t%d\t%s\t%ld\t%d", call->number, getpid(), call->name, result, result < 0 ? errno : 0);
  if (dies_here(call, MODE_AFTER)) die(call, MODE_AFTER);
  return result;
}

static int begin_descriptor(struct call *call, const char *name, int descriptor, long size, int has_half, int counted) {
  int saved = errno;
  path_of_descriptor(descriptor, call->path);
  call->other[0] = 0;
  errno = saved;
  return begin(call, name, size, has_half, counted);
}

static int begin_entry(struct call *call, const char *name, int folder, const char *entry, long size) {
  int saved = errno;
  path_of_entry(folder, entry, call->path);
  call->other[0] = 0;
  errno = saved;
  return begin(call, name, size, 0, 1);
}

/* Opening */

static int open_entry(const char *name, int folder, const char *path, int flags, mode_t mode) {
  struct call call;
  int changes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
  if (!changes) return (int)syscall(SYS_openat, folder, path, flags, mode);
  if (begin_entry(&call, name, folder, path, flags & O_CREAT ? 1 : 0)) return -1;
  return (int)end(&call, syscall(SYS_openat, folder, path, flags, mode));
}

#define MODE_ARGUMENT(last)                                                                                            \
  mode_t mode = 0;                                                                                                     \
  if (last & (O_CREAT | __O_TMPFILE)) {                                                                                \
    va_list arguments;                                                                                                 \
    va_start(arguments, last);                                                                                         \
    mode = va_arg(arguments, mode_t);                                                                                  \
    va_end(arguments);                                                                                                 \
  }

int open(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags) return open_entry("open", AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags) return open_entry("open", AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags) return open_entry("open", folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags) return open_entry("open", folder, path, flags, mode);
}
int __open_2(const char *path, int flags) { return open_entry("open", AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_entry("open", AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return open_entry("open", folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return open_entry("open", folder, path, flags, 0); }
int creat(const char *path, mode_t mode) {
  return open_entry("open", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int descriptor) {
  struct call call;
  int flags = log_descriptor >= 0 ? (int)syscall(SYS_fcntl, descriptor, F_GETFL) : -1;
  if (descriptor == log_descriptor && descriptor >= 0) return 0;
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return (int)syscall(SYS_close, descriptor);
  if (begin_descriptor(&call, "close", descriptor, 0, 0, 0)) return -1;
  return (int)end(&call, syscall(SYS_close, descriptor));
}

/* Writing */

/* offset is -1 for a write at the descriptor's own position. */
static long write_bytes(int descriptor, const void *bytes, size_t count, off_t offset) {
  return offset < 0 ? syscall(SYS_write, descriptor, bytes, count)
                    : syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}

static ssize_t write_call(const char *name, int descriptor, const void *bytes, size_t count, off_t offset) {
  struct call call;
  if (begin_descriptor(&call, name, descriptor, (long)count, 1, 1)) return -1;
  int dies = dies_here(&call, MODE_HALF);
  if (!call.watched || !(dies || pause_us)) return end(&call, write_bytes(descriptor, bytes, count, offset));
  size_t half = count / 2;
  long first = half ? write_bytes(descriptor, bytes, half, offset) : 0;
  if (dies) die(&call, MODE_HALF);
  usleep(pause_us);
  if (first != (long)half) return end(&call, first);
  long second =
      write_bytes(descriptor, (const char *)bytes + half, count - half, offset < 0 ? -1 : offset + (off_t)half);
  return end(&call, second < 0 ? (half ? first : second) : first + second);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  return write_call("write", descriptor, bytes, count, -1);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return write_call("pwrite", descriptor, bytes, count, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return write_call("pwrite", descriptor, bytes, count, offset);
}

/* Joined into one buffer, so that it has a half. */
ssize_t writev(int descriptor, const struct iovec *parts, int part_count) {
  char path[PATH_MAX];
  path_of_descriptor(descriptor, path);
  if (!is_under_root(path)) return syscall(SYS_writev, descriptor, parts, part_count);
  size_t count = 0;
  for (int i = 0; i < part_count; i++) count += parts[i].iov_len;
  char *joined = malloc(count ? count : 1), *cursor = joined;
  if (!joined) return -1;
  for (int i = 0; i < part_count; cursor += parts[i].iov_len, i++) memcpy(cursor, parts[i].iov_base, parts[i].iov_len);
  ssize_t result = write_call("writev", descriptor, joined, count, -1);
  int saved = errno;
  free(joined);
  errno = saved;
  return result;
}

/* Everything else */

static int descriptor_call(const char *name, long number, int descriptor, off_t size) {
  struct call call;
  if (begin_descriptor(&call, name, descriptor, (long)size, 0, 1)) return -1;
  return (int)end(&call, syscall(number, descriptor, size));
}

int fsync(int descriptor) { return descriptor_call("fsync", SYS_fsync, descriptor, 0); }
int fdatasync(int descriptor) { return descriptor_call("fdatasync", SYS_fdatasync, descriptor, 0); }
int ftruncate(int descriptor, off_t size) { return descriptor_call("ftruncate", SYS_ftruncate, descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return descriptor_call("ftruncate", SYS_ftruncate, descriptor, size); }

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  struct call call;
  int saved = errno;
  path_of_entry(from_folder, from, call.path);
  path_of_entry(to_folder, to, call.other);
  errno = saved;
  if (begin(&call, "rename", 0, 0, 1)) return -1;
  return (int)end(&call, syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *path, int flags) {
  struct call call;
  if (begin_entry(&call, flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path, 0)) return -1;
  return (int)end(&call, syscall(SYS_unlinkat, folder, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
  struct call call;
  if (begin_entry(&call, "mkdir", folder, path, 0)) return -1;
  return (int)end(&call, syscall(SYS_mkdirat, folder, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
