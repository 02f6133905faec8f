/* Which vector instructions the kernels may use on this machine.
 *
 * Every kernel takes the instruction set as an argument, so that a test can run the fallback on a machine that would
 * never choose it. There is no global setting. A program asks once, with headrace_best_instruction_set, and passes the
 * answer on.
 */
#ifndef HEADRACE_INSTRUCTION_SET_H
#define HEADRACE_INSTRUCTION_SET_H

#include <stdint.h>

/* An instruction set; the values are stable. A caller passes only one that headrace_supports answers 1 for. */
typedef int32_t headrace_instruction_set;

enum {
  HEADRACE_GENERIC = 0, /* Plain C, as the compiler's baseline translates it. */
  HEADRACE_AVX2 = 1,    /* AVX2 and FMA, x86-64 only. */
  HEADRACE_AVX512 = 2,  /* AVX-512 F, x86-64 only. */
};

/* 1 if this machine and this build can run `set`, else 0. */
int32_t headrace_supports(headrace_instruction_set set);

/* The widest instruction set that this machine and this build can run. */
headrace_instruction_set headrace_best_instruction_set(void);

/* "avx512", "avx2" or "generic". */
const char *headrace_instruction_set_name(headrace_instruction_set set);

#endif
