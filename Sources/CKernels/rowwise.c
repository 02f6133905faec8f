#include "headrace_elementwise.h"

#include "vector_support.h"

#include <math.h>

HEADRACE_INLINE float maximum_of(const float *values, size_t count) {
  vector maximum = (vector){0} - __builtin_inff();
  for (size_t i = 0; i < count; i += LANES) {
    vector x;
    load_lanes(&x, values + i, lanes_left(i, count), -__builtin_inff());
    maximum = HEADRACE_SELECT(x > maximum, x, maximum);
  }
  return maximum_of_lanes(&maximum);
}

/* Replaces each value x by exp(factor (x - maximum)) and returns the sum. */
HEADRACE_INLINE float exponentiate(float *values, size_t count, float maximum, float factor) {
  vector sum = {0};
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector x;
    load_lanes(&x, values + i, lanes, -__builtin_inff());
    x = (x - maximum) * factor;
    exp_lanes(&x);
    sum = sum + x;
    store_lanes(values + i, &x, lanes);
  }
  return sum_of_lanes(&sum);
}

HEADRACE_INLINE void multiply_all(float *values, size_t count, float factor) {
  for (size_t i = 0; i < count; i++) values[i] *= factor;
}

HEADRACE_INLINE void headrace_causal_softmax_body(
    float *rows, size_t stride, size_t row_count, size_t column_count, size_t first_length, float factor) {
  for (size_t row = 0; row < row_count; row++) {
    float *values = rows + row * stride;
    size_t length = first_length + row < column_count ? first_length + row : column_count;
    float sum = exponentiate(values, length, maximum_of(values, length), factor);
    multiply_all(values, length, 1.0f / sum);
    for (size_t i = length; i < column_count; i++) values[i] = 0;
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_causal_softmax,
    (float *rows, size_t stride, size_t row_count, size_t column_count, size_t first_length, float factor),
    (rows, stride, row_count, column_count, first_length, factor))

HEADRACE_INLINE void headrace_softmax_body(float *rows, size_t stride, size_t row_count, size_t column_count) {
  headrace_causal_softmax_body(rows, stride, row_count, column_count, column_count, 1);
}
HEADRACE_DEFINE_CLONES(
    headrace_softmax, (float *rows, size_t stride, size_t row_count, size_t column_count),
    (rows, stride, row_count, column_count))

HEADRACE_INLINE float dot(const float *a, const float *b, size_t count) {
  vector sum = {0};
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector x, y;
    load_lanes(&x, a + i, lanes, 0);
    load_lanes(&y, b + i, lanes, 0);
    sum = sum + x * y;
  }
  return sum_of_lanes(&sum);
}

HEADRACE_INLINE void headrace_softmax_gradient_body(
    float *gradient, const float *p, size_t stride, size_t row_count, size_t column_count, float factor) {
  for (size_t row = 0; row < row_count; row++) {
    float *g = gradient + row * stride;
    const float *probabilities = p + row * stride;
    float mean = dot(g, probabilities, column_count);
    for (size_t i = 0; i < column_count; i++) g[i] = (g[i] - mean) * probabilities[i] * factor;
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_softmax_gradient,
    (float *gradient, const float *p, size_t stride, size_t row_count, size_t column_count, float factor),
    (gradient, p, stride, row_count, column_count, factor))

HEADRACE_INLINE void headrace_rms_norm_body(
    float *destination, float *inverses, const float *x, const float *gain, size_t row_count, size_t width,
    float epsilon) {
  for (size_t row = 0; row < row_count; row++) {
    const float *from = x + row * width;
    float *to = destination + row * width;
    float inverse = 1.0f / __builtin_sqrtf(dot(from, from, width) / (float)width + epsilon);
    for (size_t i = 0; i < width; i++) to[i] = from[i] * inverse * gain[i];
    inverses[row] = inverse;
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_rms_norm,
    (float *destination, float *inverses, const float *x, const float *gain, size_t row_count, size_t width,
     float epsilon),
    (destination, inverses, x, gain, row_count, width, epsilon))

/* With r = 1 / rms(x) and y = gain * x * r:  dx = r (gain dy) - x r^3 / width * sum(gain dy x). */
HEADRACE_INLINE void headrace_rms_norm_gradient_body(
    float *gradient_x, const float *gradient, const float *inverses, const float *x, const float *gain,
    size_t row_count, size_t width) {
  for (size_t row = 0; row < row_count; row++) {
    const float *g = gradient + row * width, *from = x + row * width;
    float *to = gradient_x + row * width;
    float inverse = inverses[row];
    vector sum = {0};
    for (size_t i = 0; i < width; i += LANES) {
      size_t lanes = lanes_left(i, width);
      vector a, b, c;
      load_lanes(&a, g + i, lanes, 0);
      load_lanes(&b, from + i, lanes, 0);
      load_lanes(&c, gain + i, lanes, 0);
      sum = sum + a * c * b;
    }
    float factor = sum_of_lanes(&sum) * inverse * inverse * inverse / (float)width;
    for (size_t i = 0; i < width; i++) to[i] += g[i] * gain[i] * inverse - from[i] * factor;
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_rms_norm_gradient,
    (float *gradient_x, const float *gradient, const float *inverses, const float *x, const float *gain,
     size_t row_count, size_t width),
    (gradient_x, gradient, inverses, x, gain, row_count, width))

/* One vector of columns after the other, so that a column's sum does not depend on where the range begins. */
HEADRACE_INLINE void headrace_rms_norm_gain_gradient_body(
    float *gradient_gain, const float *gradient, const float *inverses, const float *x, size_t row_count, size_t width,
    size_t column_begin, size_t column_end) {
  for (size_t j = column_begin; j < column_end; j += LANES) {
    size_t lanes = lanes_left(j, column_end);
    vector sum = {0}, total;
    for (size_t row = 0; row < row_count; row++) {
      vector a, b;
      load_lanes(&a, gradient + row * width + j, lanes, 0);
      load_lanes(&b, x + row * width + j, lanes, 0);
      sum = sum + a * (b * inverses[row]);
    }
    load_lanes(&total, gradient_gain + j, lanes, 0);
    total = total + sum;
    store_lanes(gradient_gain + j, &total, lanes);
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_rms_norm_gain_gradient,
    (float *gradient_gain, const float *gradient, const float *inverses, const float *x, size_t row_count, size_t width,
     size_t column_begin, size_t column_end),
    (gradient_gain, gradient, inverses, x, row_count, width, column_begin, column_end))

HEADRACE_INLINE void headrace_cross_entropy_body(
    double *losses, float *logits, size_t stride, const int32_t *tokens, size_t row_count, size_t column_count,
    float factor) {
  for (size_t row = 0; row < row_count; row++) {
    float *values = logits + row * stride;
    float maximum = maximum_of(values, column_count), chosen = values[tokens[row]];
    float sum = exponentiate(values, column_count, maximum, 1);
    losses[row] = log((double)sum) + ((double)maximum - (double)chosen);
    if (factor == 0) continue;
    multiply_all(values, column_count, factor / sum);
    values[tokens[row]] -= factor;
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_cross_entropy,
    (double *losses, float *logits, size_t stride, const int32_t *tokens, size_t row_count, size_t column_count,
     float factor),
    (losses, logits, stride, tokens, row_count, column_count, factor))
