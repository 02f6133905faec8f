#include "headrace_gradients.h"

#include "vector_support.h"

enum { DOUBLE_LANES = 8, ROW_TILE = 4 };

typedef float narrow __attribute__((vector_size(32)));
typedef float narrow_in_memory __attribute__((vector_size(32), aligned(4), may_alias));
typedef double wide __attribute__((vector_size(64)));

/* The first floats from `source` on; lanes that are not within `count` are 0. */
HEADRACE_INLINE void load_narrow(narrow *value, const float *source, size_t count) {
  if (count >= DOUBLE_LANES) {
    *value = *(const narrow_in_memory *)source;
    return;
  }
  *value = (narrow){0};
  for (size_t i = 0; i < count; i++) (*value)[i] = source[i];
}

HEADRACE_INLINE void store_narrow(float *destination, const narrow *value, size_t count) {
  if (count >= DOUBLE_LANES) {
    *(narrow_in_memory *)destination = *value;
    return;
  }
  for (size_t i = 0; i < count; i++) destination[i] = (*value)[i];
}

/* The lanes from `source` on as doubles; those that are not within `count` are 0. */
HEADRACE_INLINE void load_wide(wide *value, const float *source, size_t count) {
  narrow floats;
  load_narrow(&floats, source, count);
  *value = __builtin_convertvector(floats, wide);
}

/* The sum of the lanes by halving: one order for every instruction set. */
HEADRACE_INLINE double sum_of_wide(const wide *value) {
  double lanes[DOUBLE_LANES];
  for (size_t i = 0; i < DOUBLE_LANES; i++) lanes[i] = (*value)[i];
  for (size_t width = DOUBLE_LANES / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

/* Adds a vector to a row, or begins the row with it, and its squares to `squares`. */
HEADRACE_INLINE void credit_narrow(wide *squares, float *row, const narrow *value, size_t left, int32_t begins) {
  wide doubles = __builtin_convertvector(*value, wide);
  *squares = *squares + doubles * doubles;
  narrow sum = *value;
  if (!begins) {
    load_narrow(&sum, row, left);
    sum = sum + *value;
  }
  store_narrow(row, &sum, left);
}

HEADRACE_INLINE void headrace_credit_body(
    double *sum, float *row, const float *gradient, size_t count, int32_t begins) {
  wide squares = {0};
  for (size_t i = 0; i < count; i += DOUBLE_LANES) {
    narrow value;
    load_narrow(&value, gradient + i, count - i);
    credit_narrow(&squares, row + i, &value, count - i, begins);
  }
  *sum = sum_of_wide(&squares);
}
HEADRACE_DEFINE_CLONES(
    headrace_credit, (double *sum, float *row, const float *gradient, size_t count, int32_t begins),
    (sum, row, gradient, count, begins))

HEADRACE_INLINE void headrace_credit_gain_body(
    double *sum, float *row, float *before, const float *after, size_t count, int32_t begins) {
  wide squares = {0};
  for (size_t i = 0; i < count; i += DOUBLE_LANES) {
    narrow old, new;
    load_narrow(&old, before + i, count - i);
    load_narrow(&new, after + i, count - i);
    store_narrow(before + i, &new, count - i);
    new = new - old;
    credit_narrow(&squares, row + i, &new, count - i, begins);
  }
  *sum = sum_of_wide(&squares);
}
HEADRACE_DEFINE_CLONES(
    headrace_credit_gain,
    (double *sum, float *row, float *before, const float *after, size_t count, int32_t begins),
    (sum, row, before, after, count, begins))

HEADRACE_INLINE void headrace_gain_body(float *destination, float *before, const float *after, size_t count) {
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector old, new;
    load_lanes(&old, before + i, lanes, 0);
    load_lanes(&new, after + i, lanes, 0);
    old = new - old;
    store_lanes(destination + i, &old, lanes);
    store_lanes(before + i, &new, lanes);
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_gain, (float *destination, float *before, const float *after, size_t count),
    (destination, before, after, count))

/* The inner products of `a` with `tile` rows, at most ROW_TILE. Each has lanes of its own, so that it does not depend
   on the others. */
HEADRACE_INLINE void add_products(
    double *sums, const float *a, const float *const *rows, size_t tile, size_t count) {
  wide totals[ROW_TILE] = {{0}};
  for (size_t i = 0; i < count; i += DOUBLE_LANES) {
    wide left, right;
    load_wide(&left, a + i, count - i);
    for (size_t row = 0; row < tile; row++) {
      load_wide(&right, rows[row] + i, count - i);
      totals[row] = totals[row] + left * right;
    }
  }
  for (size_t row = 0; row < tile; row++) sums[row] += sum_of_wide(&totals[row]);
}

HEADRACE_INLINE void headrace_inner_products_body(
    double *sums, const float *a, const float *const *rows, size_t row_count, size_t count) {
  size_t row = 0;
  for (; row + ROW_TILE <= row_count; row += ROW_TILE) add_products(sums + row, a, rows + row, ROW_TILE, count);
  for (; row < row_count; row++) add_products(sums + row, a, rows + row, 1, count);
}
HEADRACE_DEFINE_CLONES(
    headrace_inner_products,
    (double *sums, const float *a, const float *const *rows, size_t row_count, size_t count),
    (sums, a, rows, row_count, count))

HEADRACE_INLINE void headrace_move_toward_body(
    float *values, const float *goal, float factor, float weight, size_t count) {
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = lanes_left(i, count);
    vector value, aim;
    load_lanes(&value, values + i, lanes, 0);
    load_lanes(&aim, goal + i, lanes, 0);
    aim = aim * factor;
    value = value + (aim - value) * weight;
    store_lanes(values + i, &value, lanes);
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_move_toward, (float *values, const float *goal, float factor, float weight, size_t count),
    (values, goal, factor, weight, count))

/* 64 random bits that follow from a number: the finalizer of SplitMix64 (S. Vigna, prng.di.unimi.it/splitmix64.c). */
HEADRACE_INLINE uint64_t mixed_bits(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

HEADRACE_INLINE void headrace_add_signed_body(
    float *destination, const float *source, size_t count, uint64_t key, uint64_t first) {
  const vector_bits lane_of = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t i = 0;
  while (i < count) {
    uint64_t place = first + i;
    /* SplitMix64's increment keeps the words of neighboring places apart. */
    uint64_t bits = mixed_bits(key + (place / 64 + 1) * 0x9E3779B97F4A7C15u) >> (place % 64);
    size_t end = i + (64 - place % 64) < count ? i + (64 - place % 64) : count;
    for (; i < end; bits >>= LANES) {
      size_t lanes = lanes_left(i, end);
      vector value, sum;
      load_lanes(&value, source + i, lanes, 0);
      load_lanes(&sum, destination + i, lanes, 0);
      vector_bits signs = (((int32_t)(bits & 0xFFFF) >> lane_of) & 1) << 31;
      value = (vector)((vector_bits)value ^ signs);
      sum = sum + value;
      store_lanes(destination + i, &sum, lanes);
      i += lanes;
    }
  }
}
HEADRACE_DEFINE_CLONES(
    headrace_add_signed, (float *destination, const float *source, size_t count, uint64_t key, uint64_t first),
    (destination, source, count, key, first))
