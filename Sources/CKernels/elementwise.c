#include "headrace_elementwise.h"

#include "vector_support.h"

/* sqrt(2 / pi) and the cubic coefficient of the tanh form of GELU. */
static const float GELU_SCALE = 0.79788456080286536f;
static const float GELU_CUBIC = 0.044715f;

HEADRACE_INLINE void headrace_exp_body(float *destination, const float *source, size_t count) {
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector x;
    load_lanes(&x, source + i, lanes, 0);
    exp_lanes(&x);
    store_lanes(destination + i, &x, lanes);
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_exp, (float *destination, const float *source, size_t count), (destination, source, count))

HEADRACE_INLINE void headrace_add_body(float *destination, const float *source, size_t count) {
  for (size_t i = 0; i < count; i++) destination[i] += source[i];
}
HEADRACE_DEFINE_CLONES(
    headrace_add, (float *destination, const float *source, size_t count), (destination, source, count))

HEADRACE_INLINE void headrace_scale_body(float *values, float factor, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] *= factor;
}
HEADRACE_DEFINE_CLONES(headrace_scale, (float *values, float factor, size_t count), (values, factor, count))

HEADRACE_INLINE void headrace_sum_of_squares_body(double *sum, const float *values, size_t count) {
  enum { BLOCK = 256 };
  double total = 0;
  for (size_t begin = 0; begin < count; begin += BLOCK) {
    size_t end = count - begin < BLOCK ? count : begin + BLOCK;
    vector squares = {0};
    for (size_t i = begin; i < end; i += LANES) {
      vector x;
      load_lanes(&x, values + i, lanes_left(i, end), 0);
      squares = squares + x * x;
    }
    total += sum_of_lanes(&squares);
  }
  *sum = total;
}
HEADRACE_DEFINE_CLONES(
    headrace_sum_of_squares, (double *sum, const float *values, size_t count), (sum, values, count))

/* The share 1 / (1 + exp(-2u)) of x that GELU passes on: (1 + tanh u) / 2 without the cancellation near u = -large. */
HEADRACE_INLINE void gelu_share(vector *share, const vector *x) {
  vector inner = *x * *x * GELU_CUBIC + 1.0f;
  vector exponential = *x * inner * (-2.0f * GELU_SCALE);
  exp_lanes(&exponential);
  *share = 1.0f / (1.0f + exponential);
}

HEADRACE_INLINE void headrace_gelu_body(float *destination, const float *x, size_t count) {
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector value, share;
    load_lanes(&value, x + i, lanes, 0);
    gelu_share(&share, &value);
    value = value * share;
    store_lanes(destination + i, &value, lanes);
  }
}
HEADRACE_DEFINE_CLONES(headrace_gelu, (float *destination, const float *x, size_t count), (destination, x, count))

HEADRACE_INLINE void headrace_gelu_gradient_body(float *gradient, const float *x, size_t count) {
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector value, share, outer;
    load_lanes(&value, x + i, lanes, 0);
    load_lanes(&outer, gradient + i, lanes, 0);
    gelu_share(&share, &value);
    vector slope = value * value * (3 * GELU_CUBIC) + 1.0f;
    vector inner = value * share * (1.0f - share) * slope * (2 * GELU_SCALE) + share;
    outer = outer * inner;
    store_lanes(gradient + i, &outer, lanes);
  }
}
HEADRACE_DEFINE_CLONES(headrace_gelu_gradient, (float *gradient, const float *x, size_t count), (gradient, x, count))

HEADRACE_INLINE void headrace_rotate_body(
    float *x, size_t stride, size_t row_count, size_t half, const float *cosines, const float *sines, size_t period,
    float direction) {
  for (size_t row = 0; row < row_count; row++) {
    float *low = x + row * stride, *high = low + half;
    const float *cosine = cosines + row % period * half, *sine = sines + row % period * half;
    for (size_t j = 0; j < half; j += LANES) {
      size_t lanes = lanes_left(j, half);
      vector a, b, c, s;
      load_lanes(&a, low + j, lanes, 0);
      load_lanes(&b, high + j, lanes, 0);
      load_lanes(&c, cosine + j, lanes, 0);
      load_lanes(&s, sine + j, lanes, 0);
      s = s * direction;
      vector turned_low = a * c - b * s, turned_high = a * s + b * c;
      store_lanes(low + j, &turned_low, lanes);
      store_lanes(high + j, &turned_high, lanes);
    }
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_rotate,
    (float *x, size_t stride, size_t row_count, size_t half, const float *cosines, const float *sines, size_t period,
     float direction),
    (x, stride, row_count, half, cosines, sines, period, direction))

HEADRACE_INLINE void headrace_adamw_body(
    float *parameters, float *first_moments, float *second_moments, const float *gradients, size_t count,
    const headrace_adamw_factors *factors) {
  headrace_adamw_factors f = *factors;
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector p, m, v, g;
    load_lanes(&p, parameters + i, lanes, 0);
    load_lanes(&m, first_moments + i, lanes, 0);
    load_lanes(&v, second_moments + i, lanes, 0);
    load_lanes(&g, gradients + i, lanes, 0);
    g = g * f.gradient_factor;
    m = m * f.beta1 + g * (1 - f.beta1);
    v = v * f.beta2 + g * g * (1 - f.beta2);
    vector root = __builtin_elementwise_sqrt(v * f.correction2);
    vector update = m * f.correction1 / (root + f.epsilon);
    p = p - p * f.decay - update * f.learning_rate;
    store_lanes(parameters + i, &p, lanes);
    store_lanes(first_moments + i, &m, lanes);
    store_lanes(second_moments + i, &v, lanes);
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_adamw,
    (float *parameters, float *first_moments, float *second_moments, const float *gradients, size_t count,
     const headrace_adamw_factors *factors),
    (parameters, first_moments, second_moments, gradients, count, factors))
