/* The product of two float32 matrices, row-major, on one thread.
 *
 *     plain         C[M,N] (+)= A[M,K] · B[K,N]
 *     transposed B  C[M,N] (+)= A[M,K] · B[N,K]ᵀ
 *     transposed A  C[M,N] (+)= A[K,M]ᵀ · B[K,N]
 *
 * A caller with several threads gives each its own range of C's rows and its own workspace. An element of C is the
 * same, bit for bit, whatever the ranges: it is the sum over blocks of HEADRACE_DEPTH_BLOCK terms (half as many for
 * transposed A), in order, of a sum that runs over k in order, each term added with one rounding (AVX2, AVX-512) or two
 * (generic). AVX2 and AVX-512 therefore agree bit for bit.
 */
#ifndef HEADRACE_MATRIX_H
#define HEADRACE_MATRIX_H

#include "headrace_instruction_set.h"

#include <stddef.h>
#include <stdint.h>

/* How the operands lie in memory; the values are stable. */
typedef int32_t headrace_product_form;

enum {
  HEADRACE_PRODUCT_PLAIN = 0,
  HEADRACE_PRODUCT_TRANSPOSED_B = 1,
  HEADRACE_PRODUCT_TRANSPOSED_A = 2,
};

/* How many terms of a dot product are added up before the partial sum goes to C. A constant of the result, not only of
   the speed. */
enum { HEADRACE_DEPTH_BLOCK = 512 };

/* One product. `*_stride` is the distance in floats between the starts of two rows of that matrix as it lies in memory.
   */
typedef struct {
  headrace_product_form form;
  int32_t accumulates; /* 0: C = A·B; 1: C += A·B. */
  size_t row_count;    /* M */
  size_t column_count; /* N */
  size_t depth;        /* K; 0 gives zeros, or leaves C as it is when it accumulates. */
  const float *a;
  size_t a_stride;
  const float *b;
  size_t b_stride;
  float *c; /* Must not overlap A or B. */
  size_t c_stride;
} headrace_product;

/* How many bytes of workspace one call needs, for matrices of any shape. */
size_t headrace_matrix_workspace_byte_count(void);

/* Computes the rows [row_begin, row_end) of C. `workspace` is the caller's, 64-byte aligned, and used by one call at a
   time. */
void headrace_matrix_product(
    headrace_instruction_set set, const headrace_product *product, size_t row_begin, size_t row_end, float *workspace);

#endif
