/* What a language model does to arrays besides matrix products: float32, one thread, in place where the names allow it.
 *
 * Every function adds in one order that depends on the shape alone, so that a result is the same, bit for bit, for one
 * instruction set; AVX2 and AVX-512 give the same bits (see vector_support.h). Rows are `stride` floats apart. Counts
 * may be 0.
 */
#ifndef HEADRACE_ELEMENTWISE_H
#define HEADRACE_ELEMENTWISE_H

#include "headrace_instruction_set.h"

#include <stddef.h>
#include <stdint.h>

/* destination[i] = exp(source[i]), relative error at most 3e-7; 0 below -87.336, infinity above 88.7228. May work in
   place. */
void headrace_exp(headrace_instruction_set set, float *destination, const float *source, size_t count);

/* destination[i] += source[i]. */
void headrace_add(headrace_instruction_set set, float *destination, const float *source, size_t count);

/* values[i] *= factor. */
void headrace_scale(headrace_instruction_set set, float *values, float factor, size_t count);

/* *sum = the sum of squares, in float within blocks of 256 and in double over the blocks. */
void headrace_sum_of_squares(headrace_instruction_set set, double *sum, const float *values, size_t count);

/* GELU in the tanh form, destination = x / (1 + exp(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3). May work in place. */
void headrace_gelu(headrace_instruction_set set, float *destination, const float *x, size_t count);

/* gradient[i] *= the derivative of headrace_gelu at x[i]. */
void headrace_gelu_gradient(headrace_instruction_set set, float *gradient, const float *x, size_t count);

/* Rotates the pairs (x[j], x[j + half]) of each row by the angle whose cosine and sine are given: [row % period][half]
   each.
 * `direction` is 1, or -1 to rotate back. */
void headrace_rotate(
    headrace_instruction_set set, float *x, size_t stride, size_t row_count, size_t half, const float *cosines,
    const float *sines, size_t period, float direction);

/* One step of AdamW on `count` parameters. The corrections are 1 / (1 - beta^step); decay is the learning rate times
   the weight decay. */
typedef struct {
  float learning_rate;
  float decay;
  float beta1, beta2;
  float correction1, correction2;
  float epsilon;
  float gradient_factor; /* Multiplies every gradient first: the factor of clipping. */
} headrace_adamw_factors;

void headrace_adamw(
    headrace_instruction_set set, float *parameters, float *first_moments, float *second_moments,
    const float *gradients,
    size_t count, const headrace_adamw_factors *factors);

/* Replaces row i by the softmax of factor times its first `first_length + i` values (at most column_count), and the
   rest of its
 * column_count values by 0: attention that looks back only. */
void headrace_causal_softmax(
    headrace_instruction_set set, float *rows, size_t stride, size_t row_count, size_t column_count,
    size_t first_length,
    float factor);

/* Replaces each row by its softmax. */
void headrace_softmax(
    headrace_instruction_set set, float *rows, size_t stride, size_t row_count, size_t column_count);

/* gradient = factor * p * (gradient - sum(p * gradient)), row by row: from the gradient of probabilities p to that of
   the scores. */
void headrace_softmax_gradient(
    headrace_instruction_set set, float *gradient, const float *p, size_t stride, size_t row_count, size_t column_count,
    float factor);

/* destination = gain * x / rms(x), rms(x) = sqrt(mean(x^2) + epsilon); inverses[row] = 1 / rms. Rows of `width` floats,
   dense. */
void headrace_rms_norm(
    headrace_instruction_set set, float *destination, float *inverses, const float *x, const float *gain,
    size_t row_count, size_t width, float epsilon);

/* gradient_x += the gradient of headrace_rms_norm with respect to x. */
void headrace_rms_norm_gradient(
    headrace_instruction_set set, float *gradient_x, const float *gradient, const float *inverses, const float *x,
    const float *gain, size_t row_count, size_t width);

/* gradient_gain[j] += sum over rows of gradient * x / rms, for columns [column_begin, column_end). */
void headrace_rms_norm_gain_gradient(
    headrace_instruction_set set, float *gradient_gain, const float *gradient, const float *inverses, const float *x,
    size_t row_count, size_t width, size_t column_begin, size_t column_end);

/* losses[row] = log(sum(exp(logits))) - logits[token], nats. If `factor` is not 0, the logits become factor times the
   loss's gradient;
 * if it is 0, what the logits become is not defined. Every token must be below column_count. */
void headrace_cross_entropy(
    headrace_instruction_set set, double *losses, float *logits, size_t stride, const int32_t *tokens, size_t row_count,
    size_t column_count, float factor);

#endif
