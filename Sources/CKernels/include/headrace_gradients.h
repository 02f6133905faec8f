/* What is done to the gradients of single domains: credited, multiplied with each other, smoothed, projected.
 *
 * Every function adds in one order that depends on the count alone. Inner products are sums of doubles: the product of
 * two floats is exact in double, so that they are the same, bit for bit, for every instruction set. Counts may be 0.
 */
#ifndef HEADRACE_GRADIENTS_H
#define HEADRACE_GRADIENTS_H

#include "headrace_instruction_set.h"

#include <stddef.h>
#include <stdint.h>

/* row[i] += gradient[i], or row[i] = gradient[i] if `begins` is not 0; *sum = the sum of the squares of `gradient`. */
void headrace_credit(
    headrace_instruction_set set, double *sum, float *row, const float *gradient, size_t count, int32_t begins);

/* The same of after[i] - before[i], what an accumulator has gained since the last call; then before[i] = after[i]. */
void headrace_credit_gain(
    headrace_instruction_set set, double *sum, float *row, float *before, const float *after, size_t count,
    int32_t begins);

/* destination[i] = after[i] - before[i], then before[i] = after[i]. */
void headrace_gain(
    headrace_instruction_set set, float *destination, float *before, const float *after, size_t count);

/* sums[r] += the inner product of `a` and rows[r], for each of `row_count` rows of `count` floats. */
void headrace_inner_products(
    headrace_instruction_set set, double *sums, const float *a, const float *const *rows, size_t row_count,
    size_t count);

/* values[i] += weight * (factor * goal[i] - values[i]). */
void headrace_move_toward(
    headrace_instruction_set set, float *values, const float *goal, float factor, float weight, size_t count);

/* destination[i] += or -= source[i], by bit (first + i) of an endless random sequence of bits that follows from `key`:
   plus where it is 0. */
void headrace_add_signed(
    headrace_instruction_set set, float *destination, const float *source, size_t count, uint64_t key, uint64_t first);

#endif
