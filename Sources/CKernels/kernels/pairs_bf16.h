// Panels in BF16 by dot products of pairs: sum += row[2k] · token[2k] + row[2k+1] · token[2k+1] in each lane.

#define V4_PAIR_ROWS 14

static void V4_NAME(pack_lane_pairs)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, int64_t padded, float *packed) {
  V4_NAME(pack_pairs)(x, x_stride, count, columns, padded, 2 * V4_LANES, packed);
}

/// `vectors`, 1 or 2, must be a constant.
V4_INLINE void V4_NAME(pair_tile_of)(
    const float *panel, int64_t panel_stride, const float *packed, int64_t width, const int vectors, float *sums,
    int64_t sums_stride) {
  v4_vec tile[V4_PAIR_ROWS][2];
  V4_UNROLL for (int r = 0; r < V4_PAIR_ROWS; r++) tile[r][0] = tile[r][1] = V4_SPLAT(0);
  for (int64_t i = 0; i < width / 2; i++) {
    v4_vec tokens[2];
    V4_UNROLL for (int v = 0; v < vectors; v++) tokens[v] = V4_LOAD(packed + (2 * i + v) * V4_LANES);
    V4_UNROLL for (int r = 0; r < V4_PAIR_ROWS; r++) {
      const v4_vec weight = V4_SPLAT(panel[r * panel_stride + i]);  // two BF16 in each lane
      V4_UNROLL for (int v = 0; v < vectors; v++) {
        tile[r][v] = (v4_vec)_mm512_dpbf16_ps((__m512)tile[r][v], (__m512bh)weight, (__m512bh)tokens[v]);
      }
    }
  }
  V4_UNROLL for (int r = 0; r < V4_PAIR_ROWS; r++) {
    V4_UNROLL for (int v = 0; v < vectors; v++) {
      float *sum = sums + r * sums_stride + v * V4_LANES;
      V4_STORE(sum, V4_LOAD(sum) + tile[r][v]);
    }
  }
}

static void V4_NAME(pair_tile)(
    const float *panel, int64_t panel_stride, const float *packed, int64_t width, int64_t count, float *sums,
    int64_t sums_stride) {
  if (count > V4_LANES) {
    V4_NAME(pair_tile_of)(panel, panel_stride, packed, width, 2, sums, sums_stride);
  } else {
    V4_NAME(pair_tile_of)(panel, panel_stride, packed, width, 1, sums, sums_stride);
  }
}

static const v4_panel_plan V4_NAME(pair_plan) = {
    .rows = V4_PAIR_ROWS,
    .tokens = 2 * V4_LANES,
    .block_tokens = 256,
    .chunk = 1024,
    .columns_in_float = 2,
    .multiple = 2,
    .pack = V4_NAME(pack_lane_pairs),
    .tile = V4_NAME(pair_tile),
};

static int64_t V4_NAME(pair_scratch)(int64_t tokens, int64_t columns) {
  return V4_NAME(panel_scratch)(&V4_NAME(pair_plan), tokens, columns);
}

static void V4_NAME(pair_fp8)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(pair_plan), V4_NAME(fp8_pairs), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

static void V4_NAME(pair_fp4)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(pair_plan), V4_NAME(fp4_pairs), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

#undef V4_PAIR_ROWS
