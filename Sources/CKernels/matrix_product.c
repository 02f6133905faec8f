#include "headrace_matrix.h"

#include "vector_support.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The layout of the computation, after Goto and van de Geijn (2008), "Anatomy of high-performance matrix
   multiplication":
 *
 *     for each block of COLUMN_BLOCK columns of C
 *       for each block of HEADRACE_DEPTH_BLOCK terms
 *         for each `height` rows of C
 *           pack A's rows into one panel                                 (stays in the first-level cache)
 *           for each panel of `width` columns of B                       (stays in the second-level cache)
 *             one tile of C, held in registers; the first rows' tile reads B where it lies and packs it
 *
 * A panel of A holds `height` values per term, a panel of B `width`, term after term, so that a tile reads both
 * forwards. B transposed, and panels that are not full, are packed just before the first rows' tile. An operand that is
 * used by a few tiles only is read where it lies, since packing would cost more than it saves. Tiles at the edge have
 * fewer rows or columns but add the same terms in the same order, which is why a result does not depend on where a
 * range of rows begins.
 */
enum { COLUMN_BLOCK = 512, HEIGHT_MAXIMUM = 12, WIDTH_MAXIMUM = 32 };

/* Up to how many panels of columns A is read in place, and up to how many rows B of so few panels is.
 * Measured on attention heads of 32 and 64 columns. */
enum { PANELS_WITHOUT_PACKING = 2, ROWS_WITHOUT_PACKING = 64 };

/* A stride of a whole page maps the same place of every row to one set of the first-level cache, so that rows evict
   each other. */
enum { PAGE_FLOATS = 1024 };

/* One operand of a tile: element (row or column i, term k) of A is start[i * row_step + k * term_step]; B's columns are
   adjacent. */
typedef struct {
  const float *start;
  size_t row_step;
  size_t term_step;
} operand;

/* Computes one tile of C from `depth` terms; `columns` is how many of the tile's columns exist. A tile that packs
   copies B's rows to `panel` as it reads them; others ignore `panel`. */
typedef void tile_function(
    size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns, int accumulates, float *panel);

/* What an instruction set offers. `tiles[(rows - 1) * 3 + n]` is the tile of that many rows by `narrow` columns
   (n = 0), width / 2 (n = 1) or width (n = 2). */
typedef struct {
  size_t height, width, narrow;
  tile_function *const *tiles;
  tile_function *packing_tile; /* The full tile, height by width. */
} tile_set;

size_t headrace_matrix_workspace_byte_count(void) {
  return sizeof(float) * HEADRACE_DEPTH_BLOCK * (COLUMN_BLOCK + HEIGHT_MAXIMUM);
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* Packs `count` consecutive rows of `source` as one panel: panel[k * width + i] = source[i * stride + k]. Missing rows
   become 0. */
HEADRACE_INLINE void pack_rows(
    float *panel, size_t width, const float *source, size_t stride, size_t count, size_t depth) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float *rows = source + i * stride;
    size_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      quad a = *(const quad *)(rows + k), b = *(const quad *)(rows + stride + k);
      quad c = *(const quad *)(rows + 2 * stride + k), d = *(const quad *)(rows + 3 * stride + k);
      quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      float *to = panel + k * width + i;
      *(quad *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
      *(quad *)(to + width) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
      *(quad *)(to + 2 * width) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
      *(quad *)(to + 3 * width) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
    }
    for (; k < depth; k++)
      for (size_t j = 0; j < 4; j++) panel[k * width + i + j] = rows[j * stride + k];
  }
  for (; i < count; i++)
    for (size_t k = 0; k < depth; k++) panel[k * width + i] = source[i * stride + k];
  for (; i < width; i++)
    for (size_t k = 0; k < depth; k++) panel[k * width + i] = 0;
}

/* Packs `count` consecutive columns of `source` as one panel: panel[k * width + i] = source[k * stride + i]. Missing
   columns become 0. */
HEADRACE_INLINE void pack_columns(
    float *panel, size_t width, const float *source, size_t stride, size_t count, size_t depth) {
  if (count == width) {
    for (size_t k = 0; k < depth; k++) memcpy(panel + k * width, source + k * stride, width * sizeof(float));
    return;
  }
  memset(panel, 0, width * depth * sizeof(float));
  for (size_t k = 0; k < depth; k++)
    for (size_t i = 0; i < count; i++) panel[k * width + i] = source[k * stride + i];
}

HEADRACE_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* What is the same for all tiles of one block of columns and terms. */
typedef struct {
  const headrace_product *product;
  const tile_set *set;
  size_t column, columns; /* The block's first column and how many it has. */
  size_t term, depth;     /* The block's first term and how many it has. */
  float *a_panel, *b_panels;
  int reads_a_in_place, reads_b_in_place;
  int packs_in_tiles; /* The tiles of the first rows pack B's full panels. */
} block;

/* How many columns the tile loads that serves `count` of them: what a panel of B holds per term. */
HEADRACE_INLINE size_t panel_width(const tile_set *set, size_t count) {
  if (count > set->width / 2) return set->width;
  return count > set->width / 4 ? set->width / 2 : set->narrow;
}

/* Where B's column j of the block begins; only if B is not transposed. */
HEADRACE_INLINE const float *place_of_b(const block *k, size_t j) {
  return k->product->b + k->term * k->product->b_stride + k->column + j;
}

HEADRACE_INLINE int reads_in_place(const block *k, size_t count) {
  return k->reads_b_in_place && count == panel_width(k->set, count);
}

HEADRACE_INLINE int packs_in_tile(const block *k, size_t count) { return k->packs_in_tiles && count == k->set->width; }

/* B's columns [j, j + count) of the block, packed unless they are read in place. */
HEADRACE_INLINE operand panel_of_b(const block *k, size_t j, size_t count) {
  if (reads_in_place(k, count)) return (operand){place_of_b(k, j), 1, k->product->b_stride};
  return (operand){k->b_panels + j * k->depth, 1, panel_width(k->set, count)};
}

/* Packs B's columns [j, j + count) of the block, which are neither read in place nor packed by a tile. */
HEADRACE_INLINE void pack_b(const block *k, size_t j, size_t count) {
  const headrace_product *p = k->product;
  size_t width = panel_width(k->set, count);
  float *panel = k->b_panels + j * k->depth;
  if (p->form != HEADRACE_PRODUCT_TRANSPOSED_B)
    pack_columns(panel, width, place_of_b(k, j), p->b_stride, count, k->depth);
  else if (width == k->set->width)
    pack_rows(panel, k->set->width, p->b + (k->column + j) * p->b_stride + k->term, p->b_stride, count, k->depth);
  else pack_rows(panel, width, p->b + (k->column + j) * p->b_stride + k->term, p->b_stride, count, k->depth);
}

/* A's rows [row, row + rows), packed unless they are read in place. */
HEADRACE_INLINE operand panel_of_a(const block *k, size_t row, size_t rows) {
  const headrace_product *p = k->product;
  size_t height = k->set->height;
  int is_transposed = p->form == HEADRACE_PRODUCT_TRANSPOSED_A;
  const float *source = is_transposed ? p->a + k->term * p->a_stride + row : p->a + row * p->a_stride + k->term;
  if (k->reads_a_in_place) return is_transposed ? (operand){source, 1, p->a_stride} : (operand){source, p->a_stride, 1};
  if (is_transposed) pack_columns(k->a_panel, height, source, p->a_stride, rows, k->depth);
  else pack_rows(k->a_panel, height, source, p->a_stride, rows, k->depth);
  return (operand){k->a_panel, 1, height};
}

/* Asks for a part of A's next rows while a tile is computed: the part that the columns [j, j + width) stand for in the
   block. */
HEADRACE_INLINE void prefetch_a(const block *k, size_t row, size_t row_end, size_t j) {
  enum { LINE = 64 / sizeof(float) };
  const headrace_product *p = k->product;
  if (row >= row_end || p->form == HEADRACE_PRODUCT_TRANSPOSED_A) return;
  size_t rows = least(k->set->height, row_end - row), end = least(rows, (j + k->set->width) * rows / k->columns);
  for (size_t i = j * rows / k->columns; i < end; i++)
    for (size_t t = 0; t < k->depth; t += LINE) __builtin_prefetch(p->a + (row + i) * p->a_stride + k->term + t, 0, 3);
}

/* Computes the rows [row_begin, row_end) of one block. */
HEADRACE_INLINE void multiply_block(const block *k, size_t row_begin, size_t row_end) {
  const headrace_product *p = k->product;
  size_t height = k->set->height, width = k->set->width;
  int accumulates = p->accumulates || k->term > 0;
  for (size_t row = row_begin; row < row_end; row += height) {
    size_t rows = least(height, row_end - row);
    operand a = panel_of_a(k, row, rows);
    for (size_t j = 0; j < k->columns; j += width) {
      size_t count = least(width, k->columns - j);
      float *c = p->c + row * p->c_stride + k->column + j;
      prefetch_a(k, row + height, row_end, j);
      if (row == row_begin && packs_in_tile(k, count)) {
        operand b = {place_of_b(k, j), 1, p->b_stride};
        k->set->packing_tile(k->depth, a, b, c, p->c_stride, count, accumulates, k->b_panels + j * k->depth);
      } else {
        if (row == row_begin && !reads_in_place(k, count)) pack_b(k, j, count);
        size_t kind = (count > width / 4) + (count > width / 2);
        k->set->tiles[(rows - 1) * 3 + kind](
            k->depth, a, panel_of_b(k, j, count), c, p->c_stride, count, accumulates, NULL);
      }
    }
  }
}

HEADRACE_INLINE void multiply(
    const headrace_product *p, size_t row_begin, size_t row_end, float *workspace, const tile_set *set) {
  int is_transposed_b = p->form == HEADRACE_PRODUCT_TRANSPOSED_B;
  /* Half as deep where both operands are as long as the batch: their panels then share the second-level cache. */
  size_t depth_block = p->form == HEADRACE_PRODUCT_TRANSPOSED_A ? HEADRACE_DEPTH_BLOCK / 2 : HEADRACE_DEPTH_BLOCK;
  for (size_t column = 0; column < p->column_count; column += COLUMN_BLOCK) {
    for (size_t term = 0; term < p->depth; term += depth_block) {
      block k = {
          .product = p, .set = set, .column = column, .columns = least(COLUMN_BLOCK, p->column_count - column),
          .term = term, .depth = least(depth_block, p->depth - term),
          .b_panels = workspace, .a_panel = workspace + HEADRACE_DEPTH_BLOCK * COLUMN_BLOCK,
      };
      int is_narrow = k.columns <= PANELS_WITHOUT_PACKING * set->width;
      k.reads_a_in_place = is_narrow && p->a_stride % PAGE_FLOATS != 0;
      k.reads_b_in_place = is_narrow && !is_transposed_b && row_end - row_begin <= ROWS_WITHOUT_PACKING &&
                           p->b_stride % PAGE_FLOATS != 0;
      k.packs_in_tiles = !is_transposed_b && !k.reads_b_in_place && row_end - row_begin >= set->height;
      multiply_block(&k, row_begin, row_end);
    }
  }
}

/* The plain tile: `rows` of at most GENERIC_HEIGHT rows by GENERIC_WIDTH columns. */
enum { GENERIC_HEIGHT = 4, GENERIC_WIDTH = 8 };

HEADRACE_INLINE void generic_tile(
    size_t rows, size_t width, size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns,
    int accumulates, float *panel) {
  float sums[GENERIC_HEIGHT][GENERIC_WIDTH] = {{0}};
  if (panel)
    for (size_t k = 0; k < depth; k++) memcpy(panel + k * width, b.start + k * b.term_step, width * sizeof(float));
  for (size_t k = 0; k < depth; k++)
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < width; j++)
        sums[i][j] += a.start[i * a.row_step + k * a.term_step] * b.start[k * b.term_step + j];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      c[i * c_stride + j] = accumulates ? c[i * c_stride + j] + sums[i][j] : sums[i][j];
}

/* Defines SET_tile_ROWS_KIND from SET_tile; SIZE is what that function wants to know about the tile's width. */
#define DEFINE_TILE(SET, TARGET, ROWS, KIND, SIZE)                                                                   \
  TARGET static void SET##_tile_##ROWS##_##KIND(                                                                     \
      size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns, int accumulates,                \
      float *panel) {                                                                                                \
    (void)panel;                                                                                                     \
    SET##_tile(ROWS, SIZE, depth, a, b, c, c_stride, columns, accumulates, NULL);                                    \
  }

/* Defines SET_packing_tile likewise. */
#define DEFINE_PACKING_TILE(SET, TARGET, ROWS, SIZE)                                                                 \
  TARGET static void SET##_packing_tile(                                                                             \
      size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns, int accumulates,                \
      float *panel) {                                                                                                \
    SET##_tile(ROWS, SIZE, depth, a, b, c, c_stride, columns, accumulates, panel);                                   \
  }

#define DEFINE_GENERIC_TILES(ROWS)                            \
  DEFINE_TILE(generic, , ROWS, 0, GENERIC_WIDTH / 4)          \
  DEFINE_TILE(generic, , ROWS, 1, GENERIC_WIDTH / 2)          \
  DEFINE_TILE(generic, , ROWS, 2, GENERIC_WIDTH)

DEFINE_GENERIC_TILES(1)
DEFINE_GENERIC_TILES(2)
DEFINE_GENERIC_TILES(3)
DEFINE_GENERIC_TILES(4)
DEFINE_PACKING_TILE(generic, , GENERIC_HEIGHT, GENERIC_WIDTH)

#define TILES(SET, ROWS) SET##_tile_##ROWS##_0, SET##_tile_##ROWS##_1, SET##_tile_##ROWS##_2

static void multiply_generic(const headrace_product *p, size_t row_begin, size_t row_end, float *workspace) {
  static tile_function *const tiles[] = {TILES(generic, 1), TILES(generic, 2), TILES(generic, 3), TILES(generic, 4)};
  static const tile_set set = {GENERIC_HEIGHT, GENERIC_WIDTH, GENERIC_WIDTH / 4, tiles, generic_packing_tile};
  multiply(p, row_begin, row_end, workspace, &set);
}

#if defined(__x86_64__)

/* How many terms ahead a tile that packs asks for B's rows: some hundred cycles, the latency of the outer caches. */
enum { TERMS_AHEAD = 8 };

/* Asks for a tile of C while its terms are added: otherwise its stores, to lines that no cache holds, stop the next
   tile. */
HEADRACE_INLINE void prefetch_c(const int rows, const int columns, const float *c, size_t c_stride) {
  enum { LINE = 64 / sizeof(float) };
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < columns; j += LINE) __builtin_prefetch(c + (size_t)i * c_stride + j, 0, 3);
    __builtin_prefetch(c + (size_t)i * c_stride + columns - 1, 0, 3);
  }
}

/* One vector of AVX2. */
enum { NARROW_WIDTH = 8 };

/* AVX2: 6 rows by 16 columns, 12 of the 16 registers hold sums. */
enum { AVX2_HEIGHT = 6, AVX2_WIDTH = 16 };

HEADRACE_TARGET_AVX2 HEADRACE_INLINE void avx2_add_terms(
    const int rows, const int vectors, size_t depth, operand a, const size_t row_step, operand b, float *panel,
    __m256 sums[][2]) {
  for (size_t k = 0; k < depth; k++, a.start += a.term_step, b.start += b.term_step) {
    __m256 right[2];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) right[v] = _mm256_loadu_ps(b.start + 8 * v);
    if (panel) {
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++, panel += 8) {
        _mm256_storeu_ps(panel, right[v]);
        __builtin_prefetch(b.start + 8 * v + TERMS_AHEAD * b.term_step, 0, 3);
      }
      __builtin_prefetch(b.start + 8 * vectors - 1 + TERMS_AHEAD * b.term_step, 0, 3);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      __m256 left = _mm256_broadcast_ss(a.start + i * row_step);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sums[i][v] = _mm256_fmadd_ps(left, right[v], sums[i][v]);
    }
  }
}

HEADRACE_TARGET_AVX2 HEADRACE_INLINE void avx2_tile(
    const int rows, const int vectors, size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns,
    int accumulates, float *panel) {
  __m256 sums[HEIGHT_MAXIMUM][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sums[i][v] = _mm256_setzero_ps();
  prefetch_c(rows, 8 * vectors, c, c_stride);
  if (a.row_step == 1) avx2_add_terms(rows, vectors, depth, a, 1, b, panel, sums);
  else avx2_add_terms(rows, vectors, depth, a, a.row_step, b, panel, sums);
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++, c += c_stride) {
    float edge[AVX2_WIDTH];
    int is_edge = columns != (size_t)(8 * vectors);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      if (is_edge) _mm256_storeu_ps(edge + 8 * v, sums[i][v]);
      else if (accumulates) _mm256_storeu_ps(c + 8 * v, _mm256_add_ps(_mm256_loadu_ps(c + 8 * v), sums[i][v]));
      else _mm256_storeu_ps(c + 8 * v, sums[i][v]);
    }
    /* One at a time: most edges are a column or two, for which a copy of unknown length takes longer than the tile. */
#pragma clang loop vectorize(disable) unroll(disable)
    for (size_t j = 0; is_edge && j < columns; j++) c[j] = accumulates ? c[j] + edge[j] : edge[j];
  }
}

/* AVX-512: 12 rows by 32 columns, 24 of the 32 registers hold sums. */
enum { AVX512_HEIGHT = 12, AVX512_WIDTH = 32 };

HEADRACE_TARGET_AVX512 HEADRACE_INLINE void avx512_add_terms(
    const int rows, const int vectors, size_t depth, operand a, const size_t row_step, operand b, float *panel,
    __m512 sums[][2]) {
  for (size_t k = 0; k < depth; k++, a.start += a.term_step, b.start += b.term_step) {
    __m512 right[2];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) right[v] = _mm512_loadu_ps(b.start + LANES * v);
    if (panel) {
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++, panel += LANES) {
        _mm512_storeu_ps(panel, right[v]);
        __builtin_prefetch(b.start + LANES * v + TERMS_AHEAD * b.term_step, 0, 3);
      }
      __builtin_prefetch(b.start + LANES * vectors - 1 + TERMS_AHEAD * b.term_step, 0, 3);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      __m512 left = _mm512_set1_ps(a.start[i * row_step]);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_fmadd_ps(left, right[v], sums[i][v]);
    }
  }
}

HEADRACE_TARGET_AVX512 HEADRACE_INLINE void avx512_tile(
    const int rows, const int vectors, size_t depth, operand a, operand b, float *c, size_t c_stride, size_t columns,
    int accumulates, float *panel) {
  __m512 sums[AVX512_HEIGHT][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_setzero_ps();
  prefetch_c(rows, LANES * vectors, c, c_stride);
  if (a.row_step == 1) avx512_add_terms(rows, vectors, depth, a, 1, b, panel, sums);
  else avx512_add_terms(rows, vectors, depth, a, a.row_step, b, panel, sums);
  int last = vectors - 1;
  __mmask16 mask = (__mmask16)((1u << (columns - (size_t)(LANES * last))) - 1);
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++, c += c_stride) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      __mmask16 lanes = v < last ? (__mmask16)0xFFFF : mask;
      __m512 sum = sums[i][v];
      if (accumulates) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, c + LANES * v), sum);
      if (lanes == 0xFFFF) _mm512_storeu_ps(c + LANES * v, sum);
      else _mm512_mask_storeu_ps(c + LANES * v, lanes, sum);
    }
  }
}

#define DEFINE_AVX2_TILES(ROWS)                                \
  DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, ROWS, 1, 1)          \
  DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, ROWS, 2, 2)

#define DEFINE_AVX512_TILES(ROWS)                              \
  DEFINE_TILE(avx512, HEADRACE_TARGET_AVX512, ROWS, 1, 1)      \
  DEFINE_TILE(avx512, HEADRACE_TARGET_AVX512, ROWS, 2, 2)

DEFINE_AVX2_TILES(1)
DEFINE_AVX2_TILES(2)
DEFINE_AVX2_TILES(3)
DEFINE_AVX2_TILES(4)
DEFINE_AVX2_TILES(5)
DEFINE_AVX2_TILES(6)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 7, 1, 1)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 8, 1, 1)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 9, 1, 1)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 10, 1, 1)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 11, 1, 1)
DEFINE_TILE(avx2, HEADRACE_TARGET_AVX2, 12, 1, 1)
DEFINE_AVX512_TILES(1)
DEFINE_AVX512_TILES(2)
DEFINE_AVX512_TILES(3)
DEFINE_AVX512_TILES(4)
DEFINE_AVX512_TILES(5)
DEFINE_AVX512_TILES(6)
DEFINE_AVX512_TILES(7)
DEFINE_AVX512_TILES(8)
DEFINE_AVX512_TILES(9)
DEFINE_AVX512_TILES(10)
DEFINE_AVX512_TILES(11)
DEFINE_AVX512_TILES(12)
DEFINE_PACKING_TILE(avx2, HEADRACE_TARGET_AVX2, 6, 2)
DEFINE_PACKING_TILE(avx512, HEADRACE_TARGET_AVX512, 12, 2)

/* AVX2 has no tile of a quarter width: the half one serves. That half one, 8 columns, is a quarter of what AVX-512
   computes at once. */
#define AVX2_TILES(ROWS) avx2_tile_##ROWS##_1, avx2_tile_##ROWS##_1, avx2_tile_##ROWS##_2
#define AVX512_TILES(ROWS) avx2_tile_##ROWS##_1, avx512_tile_##ROWS##_1, avx512_tile_##ROWS##_2

HEADRACE_TARGET_AVX2 static void multiply_avx2(
    const headrace_product *p, size_t row_begin, size_t row_end, float *workspace) {
  static tile_function *const tiles[] = {
      AVX2_TILES(1), AVX2_TILES(2), AVX2_TILES(3), AVX2_TILES(4), AVX2_TILES(5), AVX2_TILES(6),
  };
  static const tile_set set = {AVX2_HEIGHT, AVX2_WIDTH, NARROW_WIDTH, tiles, avx2_packing_tile};
  multiply(p, row_begin, row_end, workspace, &set);
}

HEADRACE_TARGET_AVX512 static void multiply_avx512(
    const headrace_product *p, size_t row_begin, size_t row_end, float *workspace) {
  static tile_function *const tiles[] = {
      AVX512_TILES(1), AVX512_TILES(2), AVX512_TILES(3), AVX512_TILES(4),  AVX512_TILES(5),  AVX512_TILES(6),
      AVX512_TILES(7), AVX512_TILES(8), AVX512_TILES(9), AVX512_TILES(10), AVX512_TILES(11), AVX512_TILES(12),
  };
  static const tile_set set = {AVX512_HEIGHT, AVX512_WIDTH, NARROW_WIDTH, tiles, avx512_packing_tile};
  multiply(p, row_begin, row_end, workspace, &set);
}

#endif

void headrace_matrix_product(
    headrace_instruction_set set, const headrace_product *product, size_t row_begin, size_t row_end, float *workspace) {
  if (product->depth == 0 && !product->accumulates) {
    for (size_t row = row_begin; row < row_end; row++)
      memset(product->c + row * product->c_stride, 0, product->column_count * sizeof(float));
    return;
  }
#if defined(__x86_64__)
  if (set == HEADRACE_AVX512) {
    multiply_avx512(product, row_begin, row_end, workspace);
    return;
  }
  if (set == HEADRACE_AVX2) {
    multiply_avx2(product, row_begin, row_end, workspace);
    return;
  }
#endif
  (void)set;
  multiply_generic(product, row_begin, row_end, workspace);
}
