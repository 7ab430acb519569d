// y[t, o] = Σᵢ x[t, i] · weight[o, i] for weights that stay packed: FP8 E4M3 or FP4 E2M1 in blocks that share a scale.
//
// Axes: T tokens, K columns, N outputs. The matrix is never unpacked as a whole: `tall` unpacks panels, `flat` unpacks
// in registers. A scale is a power of two, so it commutes with every rounding but at the ends of float's range:
// - `tall` sums x · (code · scale) in order of columns, from 0 for every 1024 of them;
// - `flat` sums x · code over a block, then adds sum · scale; lanes are added at the end.

#include "codes.h"
#include "panels.h"

#if V4_LANES == 16
#define V4_PANEL_ROWS 14  // with two vectors of tokens 28 of the 32 registers
#else
#define V4_PANEL_ROWS 6  // 12 of 16
#endif

/// `count` ≤ 2 · V4_LANES rows of x, turned.
static void V4_NAME(pack_panel_tokens)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, int64_t padded, float *packed) {
  for (int64_t t = 0; t < 2 * V4_LANES; t += V4_LANES) {
    for (int64_t i = 0; i < padded; i += V4_LANES) {
      const int64_t width = V4_NAME(least)(columns - i, V4_LANES);
      v4_vec square[V4_LANES];
      V4_UNROLL for (int r = 0; r < V4_LANES; r++) {
        square[r] = t + r < count ? V4_NAME(load)(x + (t + r) * x_stride + i, width) : V4_SPLAT(0);
      }
      V4_NAME(transpose)(square);
      for (int64_t r = 0; r < width; r++) V4_STORE(packed + (i + r) * 2 * V4_LANES + t, square[r]);
    }
  }
}

/// `vectors`, 1 or 2, must be a constant.
V4_INLINE void V4_NAME(panel_tile_of)(
    const float *panel, int64_t panel_stride, const float *packed, int64_t width, const int vectors, float *sums,
    int64_t sums_stride) {
  v4_vec tile[V4_PANEL_ROWS][2];
  V4_UNROLL for (int r = 0; r < V4_PANEL_ROWS; r++) tile[r][0] = tile[r][1] = V4_SPLAT(0);
  for (int64_t i = 0; i < width; i++) {
    v4_vec tokens[2];
    V4_UNROLL for (int v = 0; v < vectors; v++) tokens[v] = V4_LOAD(packed + (2 * i + v) * V4_LANES);
    V4_UNROLL for (int r = 0; r < V4_PANEL_ROWS; r++) {
      const v4_vec weight = V4_SPLAT(panel[r * panel_stride + i]);
      V4_UNROLL for (int v = 0; v < vectors; v++) tile[r][v] = weight * tokens[v] + tile[r][v];
    }
  }
  V4_UNROLL for (int r = 0; r < V4_PANEL_ROWS; r++) {
    V4_UNROLL for (int v = 0; v < vectors; v++) {
      float *sum = sums + r * sums_stride + v * V4_LANES;
      V4_STORE(sum, V4_LOAD(sum) + tile[r][v]);
    }
  }
}

static void V4_NAME(panel_tile)(
    const float *panel, int64_t panel_stride, const float *packed, int64_t width, int64_t count, float *sums,
    int64_t sums_stride) {
  if (count > V4_LANES) {
    V4_NAME(panel_tile_of)(panel, panel_stride, packed, width, 2, sums, sums_stride);
  } else {
    V4_NAME(panel_tile_of)(panel, panel_stride, packed, width, 1, sums, sums_stride);
  }
}

static const v4_panel_plan V4_NAME(panel_plan) = {
    .rows = V4_PANEL_ROWS,
    .tokens = 2 * V4_LANES,
    .block_tokens = 128,
    .chunk = 1024,
    .columns_in_float = 1,
    .multiple = 1,
    .pack = V4_NAME(pack_panel_tokens),
    .tile = V4_NAME(panel_tile),
};

static int64_t V4_NAME(tall_packed_scratch)(int64_t tokens, int64_t columns) {
  return V4_NAME(panel_scratch)(&V4_NAME(panel_plan), tokens, columns);
}

static void V4_NAME(tall_fp8)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(panel_plan), V4_NAME(fp8_row), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

static void V4_NAME(tall_fp4)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(panel_plan), V4_NAME(fp4_row), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

// Few tokens: lanes along the columns, each code is read once for up to 8 tokens. Rows go in groups, and columns in
// chunks of which the x of all tokens stays in the first cache; `totals` keeps the sums of a group between chunks. x is
// packed [blocks][tokens][columns of a block], so that tokens do not compete for one set of that cache.

#define V4_FLAT_TOKENS 8
#define V4_FLAT_GROUP 16
/// Floats of x in a chunk, of all tokens together.
#define V4_FLAT_CHUNK 4096
/// Bytes that are asked for ahead of their use: mostly of rows that follow.
#define V4_FLAT_AHEAD 8192
/// Columns of FP4 that are decoded together: 8 codes fill a lane.
#define V4_FP4_GROUP (8 * V4_LANES)

static int64_t V4_NAME(flat_packed_scratch)(int64_t tokens, int64_t columns) {
  return V4_NAME(least)(tokens, V4_FLAT_TOKENS) * V4_NAME(round_up)(columns, V4_FP8_BLOCK);
}

/// One block of FP8 of some rows: totals[r, t] += scale · Σ x · code. `height` and `count` must be constants.
V4_INLINE void V4_NAME(flat_fp8_block)(
    const float *x, const int count, const uint8_t *codes, int64_t code_stride, const uint8_t *const *scales,
    int64_t block, const int height, v4_vec *totals) {
  v4_vec low[8], high[8];
  V4_UNROLL for (int s = 0; s < height * count; s++) low[s] = high[s] = V4_SPLAT(0);
  for (int i = 0; i < V4_FP8_BLOCK; i += 2 * V4_LANES) {
    V4_UNROLL for (int r = 0; r < height; r++) {
      const v4_vec_pair values = V4_NAME(fp8)(codes + r * code_stride + i, 0);
      V4_UNROLL for (int t = 0; t < count; t++) {
        const float *token = x + t * V4_FP8_BLOCK + i;
        low[r * count + t] = values.low * V4_LOAD(token) + low[r * count + t];
        high[r * count + t] = values.high * V4_LOAD(token + V4_LANES) + high[r * count + t];
      }
    }
  }
  V4_UNROLL for (int r = 0; r < height; r++) {
    const v4_vec scale = V4_SPLAT(V4_NAME(scale)(scales[r][block]));
    const float factor = V4_NAME(fp8_has_nan)(codes + r * code_stride) ? NAN : V4_FP8_FACTOR;
    V4_UNROLL for (int t = 0; t < count; t++) {
      const v4_vec sum = (low[r * count + t] + high[r * count + t]) * V4_SPLAT(factor);
      totals[r * count + t] = sum * scale + totals[r * count + t];
    }
  }
}

/// The columns first ..< last of `height` rows against `count` tokens; `height` · `count` ≤ 8.
V4_INLINE void V4_NAME(flat_fp8_tile)(
    const float *x, const int count, int64_t first, int64_t last, const v4_packed_matrix *weight, int64_t row,
    const int height, v4_vec *totals) {
  const uint8_t *codes = weight->codes + row * weight->code_stride;
  const uint8_t *scales[8];
  V4_UNROLL for (int r = 0; r < height; r++) {
    scales[r] = weight->scales + (row + r) / V4_FP8_BLOCK * weight->scale_stride;
  }
  v4_vec sums[8];
  V4_UNROLL for (int s = 0; s < height * count; s++) sums[s] = totals[s];
  int64_t i = first;
  for (; i + V4_FP8_BLOCK <= last; i += V4_FP8_BLOCK) {
    V4_UNROLL for (int r = 0; r < height; r++) {
      const uintptr_t ahead = (uintptr_t)(codes + r * weight->code_stride + i) + V4_FLAT_AHEAD;
      __builtin_prefetch((const void *)ahead, 0, 2);
      __builtin_prefetch((const void *)(ahead + 64), 0, 2);
    }
    V4_NAME(flat_fp8_block)(
        x + i * count, count, codes + i, weight->code_stride, scales, i / V4_FP8_BLOCK, height, sums);
  }
  if (i < last) {
    uint8_t rest[8 * V4_FP8_BLOCK] = {};
    for (int r = 0; r < height; r++) {
      memcpy(rest + r * V4_FP8_BLOCK, codes + r * weight->code_stride + i, (size_t)(last - i));
    }
    V4_NAME(flat_fp8_block)(x + i * count, count, rest, V4_FP8_BLOCK, scales, i / V4_FP8_BLOCK, height, sums);
  }
  V4_UNROLL for (int s = 0; s < height * count; s++) totals[s] = sums[s];
}

/// One group of FP4 of one row: sums[t] += scale · Σ x · code, where a lane holds 8 codes that follow each other. `count`
/// must be a constant.
V4_INLINE void V4_NAME(flat_fp4_row)(
    const float *x, const int count, const uint8_t *codes, const uint8_t *scales, v4_vec table, v4_vec *sums) {
  v4_ivec bits;
  memcpy(&bits, codes, sizeof(bits));
  v4_vec products[V4_FLAT_TOKENS];
  V4_UNROLL for (int t = 0; t < count; t++) products[t] = V4_SPLAT(0);
  V4_UNROLL for (int k = 0; k < 8; k++) {
    const v4_vec values = V4_NAME(fp4)(bits >> 4 * k, table);
    V4_UNROLL for (int t = 0; t < count; t++) {
      products[t] = values * V4_LOAD(x + t * V4_FP4_GROUP + k * V4_LANES) + products[t];
    }
  }
  const v4_vec scale = V4_NAME(scales_of_lanes)(scales);
  V4_UNROLL for (int t = 0; t < count; t++) sums[t] = products[t] * scale + sums[t];
}

/// The same for FP4, in groups of 8 · V4_LANES columns; x is packed to match, x[k][lane] = column 8 · lane + k of the
/// group, 0 beyond the last column.
V4_INLINE void V4_NAME(flat_fp4_tile)(
    const float *x, const int count, int64_t first, int64_t last, const v4_packed_matrix *weight, int64_t row,
    const int height, v4_vec *totals) {
  const uint8_t *codes = weight->codes + row * weight->code_stride;
  const uint8_t *scales = weight->scales + row * weight->scale_stride;
  const v4_vec table = V4_NAME(fp4_table)(1);
  v4_vec sums[V4_FLAT_TOKENS];
  V4_UNROLL for (int s = 0; s < height * count; s++) sums[s] = totals[s];
  int64_t i = first;
  for (; i + V4_FP4_GROUP <= last; i += V4_FP4_GROUP) {
    V4_UNROLL for (int r = 0; r < height; r++) {
      const uint8_t *group = codes + r * weight->code_stride + i / 2;
      __builtin_prefetch((const void *)((uintptr_t)group + V4_FLAT_AHEAD), 0, 2);
      V4_NAME(flat_fp4_row)(
          x + i * count, count, group, scales + r * weight->scale_stride + i / V4_FP4_BLOCK, table, sums + r * count);
    }
  }
  for (int r = 0; r < height && i < last; r++) {
    uint8_t rest[V4_FP4_GROUP / 2] = {}, rest_scales[V4_LANES / 4] = {};
    memcpy(rest, codes + r * weight->code_stride + i / 2, (size_t)(last - i) / 2);
    memcpy(rest_scales, scales + r * weight->scale_stride + i / V4_FP4_BLOCK, (size_t)(last - i) / V4_FP4_BLOCK);
    V4_NAME(flat_fp4_row)(x + i * count, count, rest, rest_scales, table, sums + r * count);
  }
  V4_UNROLL for (int s = 0; s < height * count; s++) totals[s] = sums[s];
}

/// A group of rows, `height` at a time and one by one what is left, against `count` tokens; the latter are constants.
#define V4_FLAT_GROUP_OF(name, tile)                                                                                  \
  V4_INLINE void V4_NAME(name)(                                                                                       \
      const float *x, const int count, int64_t columns, const v4_packed_matrix *weight, int64_t row,                  \
      const int height, int64_t outputs, float *y, int64_t y_stride) {                                                \
    v4_vec totals[V4_FLAT_GROUP * V4_FLAT_TOKENS];                                                                    \
    for (int64_t s = 0; s < outputs * count; s++) totals[s] = V4_SPLAT(0);                                            \
    const int64_t chunk = V4_FLAT_CHUNK / count / V4_FP8_BLOCK * V4_FP8_BLOCK;                                        \
    for (int64_t i = 0; i < columns; i += chunk) {                                                                    \
      const int64_t last = V4_NAME(least)(columns, i + chunk);                                                        \
      int64_t o = 0;                                                                                                  \
      for (; o + height <= outputs; o += height) {                                                                    \
        V4_NAME(tile)(x, count, i, last, weight, row + o, height, totals + o * count);                                \
      }                                                                                                               \
      for (; o < outputs; o++) V4_NAME(tile)(x, count, i, last, weight, row + o, 1, totals + o * count);              \
    }                                                                                                                 \
    for (int64_t o = 0; o < outputs; o++) {                                                                           \
      for (int t = 0; t < count; t++) y[t * y_stride + o] = V4_NAME(lane_sum)(totals[o * count + t]);                 \
    }                                                                                                                 \
  }
V4_FLAT_GROUP_OF(flat_fp8_group, flat_fp8_tile)
V4_FLAT_GROUP_OF(flat_fp4_group, flat_fp4_tile)
#undef V4_FLAT_GROUP_OF

/// All outputs for up to 8 tokens. The registers hold 8 totals and what leads to them. One token is a matter of memory,
/// which is best read in one go: FP4 takes two rows since one would wait for its own sums.
#define V4_FLAT_CASE(group, count, height)                                                                            \
  case count:                                                                                                         \
    for (int64_t o = 0; o < outputs; o += V4_FLAT_GROUP) {                                                            \
      const int64_t rows = V4_NAME(least)(outputs - o, V4_FLAT_GROUP);                                                \
      V4_NAME(group)(x, count, columns, weight, first + o, height, rows, y + o, y_stride);                            \
    }                                                                                                                 \
    break;
#define V4_FLAT_COUNTS(name, group, rows_of_one_token)                                                                \
  static void V4_NAME(name)(                                                                                          \
      const float *x, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,                 \
      int64_t outputs, float *y, int64_t y_stride) {                                                                  \
    switch (tokens) {                                                                                                 \
      V4_FLAT_CASE(group, 1, rows_of_one_token)                                                                       \
      V4_FLAT_CASE(group, 2, 2)                                                                                       \
      V4_FLAT_CASE(group, 3, 2)                                                                                       \
      V4_FLAT_CASE(group, 4, 2)                                                                                       \
      V4_FLAT_CASE(group, 5, 1)                                                                                       \
      V4_FLAT_CASE(group, 6, 1)                                                                                       \
      V4_FLAT_CASE(group, 7, 1)                                                                                       \
      V4_FLAT_CASE(group, 8, 1)                                                                                       \
    }                                                                                                                 \
  }
V4_FLAT_COUNTS(flat_fp8_tokens, flat_fp8_group, 1)
V4_FLAT_COUNTS(flat_fp4_tokens, flat_fp4_group, 2)
#undef V4_FLAT_CASE
#undef V4_FLAT_COUNTS

static void V4_NAME(flat_fp8)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  for (int64_t t = 0; t < tokens; t += V4_FLAT_TOKENS) {
    const int64_t count = V4_NAME(least)(tokens - t, V4_FLAT_TOKENS);
    for (int64_t i = 0; i < columns; i += V4_FP8_BLOCK) {
      const int64_t width = V4_NAME(least)(columns - i, V4_FP8_BLOCK);
      for (int64_t s = 0; s < count; s++) {
        float *block = scratch + i * count + s * V4_FP8_BLOCK;
        memcpy(block, x + (t + s) * x_stride + i, (size_t)width * sizeof(float));
        memset(block + width, 0, (size_t)(V4_FP8_BLOCK - width) * sizeof(float));
      }
    }
    V4_NAME(flat_fp8_tokens)(scratch, count, columns, weight, first, outputs, y + t * y_stride, y_stride);
  }
}

static void V4_NAME(flat_fp4)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  for (int64_t t = 0; t < tokens; t += V4_FLAT_TOKENS) {
    const int64_t count = V4_NAME(least)(tokens - t, V4_FLAT_TOKENS);
    for (int64_t i = 0; i < columns; i += V4_FP4_GROUP) {
      for (int64_t s = 0; s < count; s++) {
        const float *token = x + (t + s) * x_stride + i;
        float *group = scratch + i * count + s * V4_FP4_GROUP;
        const int64_t lanes = V4_NAME(least)(columns - i, V4_FP4_GROUP) / 8;
        const int64_t step = V4_NAME(least)(8, V4_LANES);
        for (int64_t k = 0; k < 8; k += step) {
          if (lanes == V4_LANES) {
            V4_NAME(turn_square)(token + k, 8, V4_LANES, step, group + k * V4_LANES, V4_LANES);
          } else {
            V4_NAME(turn_square)(token + k, 8, lanes, step, group + k * V4_LANES, V4_LANES);
          }
        }
      }
    }
    V4_NAME(flat_fp4_tokens)(scratch, count, columns, weight, first, outputs, y + t * y_stride, y_stride);
  }
}

static void V4_NAME(dequantize_fp8)(
    const v4_packed_matrix *matrix, int64_t first, int64_t rows, int64_t columns, float *y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; r++) V4_NAME(fp8_row)(matrix, first + r, 0, columns, y + r * y_stride);
}

static void V4_NAME(dequantize_fp4)(
    const v4_packed_matrix *matrix, int64_t first, int64_t rows, int64_t columns, float *y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; r++) V4_NAME(fp4_row)(matrix, first + r, 0, columns, y + r * y_stride);
}

#undef V4_FP4_GROUP
#undef V4_FLAT_AHEAD
#undef V4_FLAT_CHUNK
#undef V4_FLAT_GROUP
#undef V4_FLAT_TOKENS
#undef V4_PANEL_ROWS
