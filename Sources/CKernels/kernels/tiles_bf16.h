// Panels in BF16 by matrix tiles of 16 rows of 64 bytes, which four operations use:
//
// - V4_TILES_BEGIN, V4_TILES_END: configure all tiles as 16 × 64 bytes, and release them;
// - V4_TILE_LOAD(n, p, stride), V4_TILE_STORE(n, p, stride): 16 rows of 16 floats or of 32 BF16, stride in bytes;
// - V4_TILE_DOT(c, a, b): c[m, n] += Σₖ a[m, 2k] · b[k, 2n] + a[m, 2k+1] · b[k, 2n+1], c in floats.
//
// a is rows of a panel, b packed pairs of tokens. Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 tokens.

#define V4_TILE_BYTES 64

static void V4_NAME(pack_tile_pairs)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, int64_t padded, float *packed) {
  V4_NAME(pack_pairs)(x, x_stride, count, columns, padded, 32, packed);
}

static void V4_NAME(pair_tiles)(
    const float *panel, int64_t panel_stride, const float *packed, int64_t width, int64_t count, float *sums,
    int64_t sums_stride) {
  const int64_t row_bytes = panel_stride * 4, token_bytes = 2 * V4_TILE_BYTES, sum_bytes = sums_stride * 4;
  const float *upper = panel, *lower = panel + 16 * panel_stride;
  float *upper_sums = sums, *lower_sums = sums + 16 * sums_stride;
  V4_TILES_BEGIN;
  V4_TILE_LOAD(0, upper_sums, sum_bytes);
  V4_TILE_LOAD(1, upper_sums + 16, sum_bytes);
  V4_TILE_LOAD(2, lower_sums, sum_bytes);
  V4_TILE_LOAD(3, lower_sums + 16, sum_bytes);
  for (int64_t i = 0; i < width / 2; i += 16) {  // pairs
    V4_TILE_LOAD(6, packed + i * 32, token_bytes);
    V4_TILE_LOAD(4, upper + i, row_bytes);
    V4_TILE_LOAD(5, lower + i, row_bytes);
    V4_TILE_DOT(0, 4, 6);
    V4_TILE_DOT(2, 5, 6);
    if (count > 16) {
      V4_TILE_LOAD(7, packed + i * 32 + 16, token_bytes);
      V4_TILE_DOT(1, 4, 7);
      V4_TILE_DOT(3, 5, 7);
    }
  }
  V4_TILE_STORE(0, upper_sums, sum_bytes);
  V4_TILE_STORE(1, upper_sums + 16, sum_bytes);
  V4_TILE_STORE(2, lower_sums, sum_bytes);
  V4_TILE_STORE(3, lower_sums + 16, sum_bytes);
  V4_TILES_END;
}

/// Blocks are larger than those of other arithmetics: with so quick sums, decoding must serve more tokens.
static const v4_panel_plan V4_NAME(tile_plan) = {
    .rows = 32,
    .tokens = 32,
    .block_tokens = 512,
    .chunk = 1024,
    .columns_in_float = 2,
    .multiple = 32,
    .pack = V4_NAME(pack_tile_pairs),
    .tile = V4_NAME(pair_tiles),
};

static int64_t V4_NAME(tile_scratch)(int64_t tokens, int64_t columns) {
  return V4_NAME(panel_scratch)(&V4_NAME(tile_plan), tokens, columns);
}

static void V4_NAME(tile_fp8)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(tile_plan), V4_NAME(fp8_pairs), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

static void V4_NAME(tile_fp4)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(panel_product)(
      &V4_NAME(tile_plan), V4_NAME(fp4_pairs), x, x_stride, tokens, columns, weight, first, outputs, y, y_stride,
      scratch);
}

#undef V4_TILE_BYTES
