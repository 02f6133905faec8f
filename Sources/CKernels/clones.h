/* One clone of a function per instruction set, chosen by the loader of the program when it starts; the plain clone
 * serves every other machine. Not under a sanitizer: the program's loader chooses before the sanitizer has set itself
 * up, and crashes. */
#ifndef HEADRACE_CLONES_H
#define HEADRACE_CLONES_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HEADRACE_IS_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__linux__) && !defined(HEADRACE_IS_SANITIZED)
#define HEADRACE_CLONES __attribute__((target_clones("avx512bw", "avx2", "default")))
#else
#define HEADRACE_CLONES
#endif

#endif
