// y[t, o] = Σᵢ x[t, i] · weight[o, i] for weights that have to be decoded first, made for many tokens.
//
// Axes: T tokens, K columns, N outputs. Tokens stand in lanes. A block of tokens is packed once, each tile of tokens as
// [columns][tokens of the tile]. A panel, some rows and a chunk of columns of the weight, is decoded and used for all
// tokens of the block while it is in the first caches. The chunks' sums are added up in their order, which depends on K
// alone.

/// How one arithmetic does it. Panels and packed tokens are floats, or pairs of BF16 in place of a float.
typedef struct {
  /// Rows of a panel and tokens of a tile.
  int64_t rows, tokens;
  /// Tokens of a block, a multiple of `tokens`, and columns of a chunk, a multiple of 128.
  int64_t block_tokens, chunk;
  /// Columns in a float's place, 1 or 2, and what the packed columns are a multiple of.
  int64_t columns_in_float, multiple;
  /// x [count, columns] to packed [padded / columns_in_float][tokens]; 0 where there is no token or no column.
  void (*pack)(const float *x, int64_t x_stride, int64_t count, int64_t columns, int64_t padded, float *packed);
  /// sums[r, t] += Σᵢ panel[r, i] · packed[i, t], over `width` columns, a multiple of `multiple`, for all rows of a
  /// panel and the first `count` tokens of the tile at least.
  void (*tile)(
      const float *panel, int64_t panel_stride, const float *packed, int64_t width, int64_t count, float *sums,
      int64_t sums_stride);
} v4_panel_plan;

/// `count` columns of a row; beyond them nothing is written.
typedef void (*v4_row_decoder)(
    const v4_packed_matrix *matrix, int64_t row, int64_t column, int64_t count, float *y);

#define V4_PANELS_IN_GROUP 8

/// Floats in a row of a panel. One cache line more than the chunk, or all rows would share one set of the first cache.
V4_INLINE int64_t V4_NAME(panel_stride)(const v4_panel_plan *plan) { return plan->chunk / plan->columns_in_float + 16; }

/// Floats of scratch: packed tokens, a panel, sums, and what it takes to begin at a cache line.
static int64_t V4_NAME(panel_scratch)(const v4_panel_plan *plan, int64_t tokens, int64_t columns) {
  const int64_t block = V4_NAME(least)(V4_NAME(round_up)(tokens, plan->tokens), plan->block_tokens);
  return block * V4_NAME(round_up)(columns, plan->multiple) / plan->columns_in_float
       + plan->rows * V4_NAME(panel_stride)(plan) + V4_PANELS_IN_GROUP * plan->rows * block + 3 * 16;
}

/// y[t, o] = sums[o, t].
static void V4_NAME(write_sums)(
    const float *sums, int64_t sums_stride, int64_t outputs, int64_t tokens, float *y, int64_t y_stride) {
  for (int64_t o = 0; o < outputs; o += V4_LANES) {
    const int64_t height = V4_NAME(least)(outputs - o, V4_LANES);
    for (int64_t t = 0; t < tokens; t += V4_LANES) {
      const int64_t width = V4_NAME(least)(tokens - t, V4_LANES);
      v4_vec square[V4_LANES];
#pragma clang loop unroll(full)
      for (int r = 0; r < V4_LANES; r++) {
        square[r] = r < height ? V4_LOAD(sums + (o + r) * sums_stride + t) : V4_SPLAT(0);
      }
      V4_NAME(transpose)(square);
      for (int64_t s = 0; s < width; s++) V4_NAME(store)(y + (t + s) * y_stride + o, square[s], height);
    }
  }
}

/// The sums of `outputs` rows from `row` on, at most a group of panels, and `count` packed tokens.
static void V4_NAME(panel_group)(
    const v4_panel_plan *plan, v4_row_decoder decode, const v4_packed_matrix *weight, int64_t row, int64_t outputs,
    const float *packed, int64_t count, int64_t columns, float *panel, float *sums, int64_t sums_stride) {
  const int64_t padded = V4_NAME(round_up)(columns, plan->multiple), stride = V4_NAME(panel_stride)(plan);
  memset(sums, 0, (size_t)(V4_NAME(round_up)(outputs, plan->rows) * sums_stride) * sizeof(float));
  for (int64_t i = 0; i < columns; i += plan->chunk) {
    const int64_t width = V4_NAME(least)(columns - i, plan->chunk);
    const int64_t padded_width = V4_NAME(round_up)(width, plan->multiple);
    for (int64_t o = 0; o < outputs; o += plan->rows) {
      const int64_t height = V4_NAME(least)(outputs - o, plan->rows);
      if (height < plan->rows || width < padded_width) {
        memset(panel, 0, (size_t)(plan->rows * stride) * sizeof(float));
      }
      for (int64_t r = 0; r < height; r++) decode(weight, row + o + r, i, width, panel + r * stride);
      for (int64_t t = 0; t < count; t += plan->tokens) {
        plan->tile(
            panel, stride, packed + (t * padded + i * plan->tokens) / plan->columns_in_float, padded_width, count - t,
            sums + o * sums_stride + t, sums_stride);
      }
    }
  }
}

static void V4_NAME(panel_product)(
    const v4_panel_plan *plan, v4_row_decoder decode, const float *x, int64_t x_stride, int64_t tokens,
    int64_t columns, const v4_packed_matrix *weight, int64_t first, int64_t outputs, float *y, int64_t y_stride,
    float *scratch) {
  const int64_t padded = V4_NAME(round_up)(columns, plan->multiple), group = V4_PANELS_IN_GROUP * plan->rows;
  const int64_t block = V4_NAME(least)(V4_NAME(round_up)(tokens, plan->tokens), plan->block_tokens);
  float *packed = (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
  float *sums = packed + V4_NAME(round_up)(block * padded / plan->columns_in_float, 16);
  float *panel = sums + V4_NAME(round_up)(group * block, 16);
  for (int64_t t = 0; t < tokens; t += block) {
    const int64_t count = V4_NAME(least)(tokens - t, block);
    for (int64_t s = 0; s < count; s += plan->tokens) {
      plan->pack(
          x + (t + s) * x_stride, x_stride, V4_NAME(least)(count - s, plan->tokens), columns, padded,
          packed + s * padded / plan->columns_in_float);
    }
    for (int64_t o = 0; o < outputs; o += group) {
      const int64_t height = V4_NAME(least)(outputs - o, group);
      V4_NAME(panel_group)(plan, decode, weight, first + o, height, packed, count, columns, panel, sums, block);
      V4_NAME(write_sums)(sums, block, height, count, y + t * y_stride + o, y_stride);
    }
  }
}
