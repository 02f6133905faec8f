/* What the kernels of this module share: inlining, one clone of a loop per instruction set, and vectors of 16 floats.
 *
 * A kernel is written once, as NAME_body, over vectors of 16 floats; the compiler maps a vector to one, two or four
 * registers. The body is inlined into one function per instruction set, so that all of them do the same additions in
 * the same order. AVX2 and AVX-512 both contract a product and a sum into one rounding, and therefore give the same
 * bits; the plain clone rounds twice on x86-64.
 *
 * Function attributes are used and not `target_clones`, because a clone that the dynamic linker chooses cannot be asked
 * for by a test. Vectors are passed by pointer: by value, their calling convention would depend on the instruction set
 * of the caller.
 */
#ifndef HEADRACE_VECTOR_SUPPORT_H
#define HEADRACE_VECTOR_SUPPORT_H

#include "headrace_instruction_set.h"

#include <stddef.h>
#include <stdint.h>

#define HEADRACE_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define HEADRACE_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define HEADRACE_TARGET_AVX512 __attribute__((target("avx512f,avx2,fma")))
#endif

#define HEADRACE_LIST(...) __VA_ARGS__

/* Defines NAME(set, PARAMETERS…), which runs NAME_body(ARGUMENTS…) in the clone for `set`. */
#if defined(__x86_64__)
#define HEADRACE_DEFINE_CLONES(NAME, PARAMETERS, ARGUMENTS)                                   \
  HEADRACE_TARGET_AVX512 static void NAME##_avx512 PARAMETERS { NAME##_body ARGUMENTS; }      \
  HEADRACE_TARGET_AVX2 static void NAME##_avx2 PARAMETERS { NAME##_body ARGUMENTS; }          \
  static void NAME##_generic PARAMETERS { NAME##_body ARGUMENTS; }                            \
  void NAME(headrace_instruction_set set, HEADRACE_LIST PARAMETERS) {                         \
    if (set == HEADRACE_AVX512) NAME##_avx512 ARGUMENTS;                                      \
    else if (set == HEADRACE_AVX2) NAME##_avx2 ARGUMENTS;                                     \
    else NAME##_generic ARGUMENTS;                                                            \
  }
#else
#define HEADRACE_DEFINE_CLONES(NAME, PARAMETERS, ARGUMENTS)             \
  void NAME(headrace_instruction_set set, HEADRACE_LIST PARAMETERS) {   \
    (void)set;                                                          \
    NAME##_body ARGUMENTS;                                              \
  }
#endif

enum { LANES = 16 };

typedef float vector __attribute__((vector_size(64)));
typedef int32_t vector_bits __attribute__((vector_size(64)));
/* The same as `vector`, wherever it lies: rows of odd width start at any multiple of 4 bytes. */
typedef float vector_in_memory __attribute__((vector_size(64), aligned(4), may_alias));

/* Lane by lane: `a` where `mask` is all ones, `b` where it is 0. */
#define HEADRACE_SELECT(mask, a, b) ((vector)(((vector_bits)(a) & (mask)) | ((vector_bits)(b) & ~(mask))))

/* How many of the lanes that start at `position` are within `count`: at most LANES. */
HEADRACE_INLINE size_t lanes_left(size_t position, size_t count) {
  return count - position < LANES ? count - position : LANES;
}

/* Loads `lanes` floats and sets the other lanes to `fill`, so that a short end goes through the same arithmetic as the
   rest. */
HEADRACE_INLINE void load_lanes(vector *value, const float *source, size_t lanes, float fill) {
  if (lanes == LANES) {
    *value = *(const vector_in_memory *)source;
    return;
  }
  for (size_t i = 0; i < LANES; i++) (*value)[i] = i < lanes ? source[i] : fill;
}

HEADRACE_INLINE void store_lanes(float *destination, const vector *value, size_t lanes) {
  if (lanes == LANES) {
    *(vector_in_memory *)destination = *value;
    return;
  }
  for (size_t i = 0; i < lanes; i++) destination[i] = (*value)[i];
}

/* The sum of the lanes by halving: one order for every instruction set. */
HEADRACE_INLINE float sum_of_lanes(const vector *value) {
  float lanes[LANES];
  for (size_t i = 0; i < LANES; i++) lanes[i] = (*value)[i];
  for (size_t width = LANES / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

HEADRACE_INLINE float maximum_of_lanes(const vector *value) {
  float maximum = (*value)[0];
  for (size_t i = 1; i < LANES; i++) maximum = (*value)[i] > maximum ? (*value)[i] : maximum;
  return maximum;
}

/* Replaces each lane x by exp(x), within 2 units in the last place wherever the result is a normal number.
 *
 *     n = round(x / ln 2),  r = x - n ln 2,  exp(x) = 2^n (1 + r + r² p(r)),  |r| <= ln 2 / 2
 *
 * p is the degree-5 polynomial of the Cephes library's expf (S. Moshier, netlib.org/cephes), and ln 2 is split in two
 * so that n ln 2 is subtracted almost exactly. Results below the least normal number become 0, above the largest
 * infinity; NaN stays NaN. 2^n is applied in two halves because 2^128 itself is no float, although exp(88.7) is. */
HEADRACE_INLINE void exp_lanes(vector *value) {
  const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits. */
  vector x = *value;
  vector_bits below = x < -87.336544f, above = x > 88.722839f;
  x = HEADRACE_SELECT(below, (vector){0}, x);
  x = HEADRACE_SELECT(above, (vector){0}, x);
  vector shifted = x * 1.44269504088896341f + rounder;
  vector n = shifted - rounder;
  vector r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  vector y = p * (r * r) + r;
  y = y + 1.0f;
  vector_bits power = (vector_bits)shifted - 0x4B400000; /* The bits of `rounder`. */
  vector_bits half = power >> 1;
  y = y * (vector)((half + 127) << 23) * (vector)((power - half + 127) << 23);
  y = HEADRACE_SELECT(below, (vector){0}, y);
  *value = HEADRACE_SELECT(above, (vector){0} + __builtin_inff(), y);
}

#endif
