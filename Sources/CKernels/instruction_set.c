#include "headrace_instruction_set.h"

int32_t headrace_supports(headrace_instruction_set set) {
  if (set == HEADRACE_GENERIC) return 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  int32_t avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (set == HEADRACE_AVX2) return avx2;
  if (set == HEADRACE_AVX512) return avx2 && __builtin_cpu_supports("avx512f");
#endif
  return 0;
}

headrace_instruction_set headrace_best_instruction_set(void) {
  if (headrace_supports(HEADRACE_AVX512)) return HEADRACE_AVX512;
  if (headrace_supports(HEADRACE_AVX2)) return HEADRACE_AVX2;
  return HEADRACE_GENERIC;
}

const char *headrace_instruction_set_name(headrace_instruction_set set) {
  if (set == HEADRACE_AVX512) return "avx512";
  if (set == HEADRACE_AVX2) return "avx2";
  return "generic";
}
