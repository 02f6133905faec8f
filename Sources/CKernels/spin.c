#include "headrace_spin.h"

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

int32_t headrace_spin_while(const uint64_t *word, uint64_t value, uint32_t turns) {
  for (uint32_t turn = 0; turn < turns; turn++) {
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) return 1;
    pause_briefly();
  }
  return 0;
}

int32_t headrace_spin_until(const uint64_t *word, uint64_t value, uint32_t turns) {
  for (uint32_t turn = 0; turn < turns; turn++) {
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) return 1;
    pause_briefly();
  }
  return 0;
}

void headrace_publish(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
