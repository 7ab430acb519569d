// The arithmetic of panels in BF16 pairs: a float's place holds two neighbouring columns, the lower one first.
//
// BF16 is the upper half of a float. FP8 and FP4 codes times a scale have few enough bits for it.

/// x [count, columns] rounded to BF16 (to nearest, ties to even; NaN stays NaN), in pairs [padded / 2][tokens].
V4_INLINE void V4_NAME(pack_pairs)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, int64_t padded, int64_t tokens, float *packed) {
  for (int64_t t = 0; t < tokens; t += V4_LANES) {
    for (int64_t i = 0; i < padded; i += 2 * V4_LANES) {
      uint16_t halves[V4_LANES][2 * V4_LANES];
      for (int64_t r = 0; r < V4_LANES; r++) {
        const float *token = x + (t + r) * x_stride + i;
        const int64_t width = t + r < count ? V4_NAME(least)(columns - i, 2 * V4_LANES) : 0;
        uint32_t bits[2 * V4_LANES] = {};
        if (width > 0) memcpy(bits, token, (size_t)width * sizeof(float));
        for (int64_t j = 0; j < 2 * V4_LANES; j++) {
          const uint32_t nan = (bits[j] & 0x7FFFFFFF) > 0x7F800000;
          const uint32_t rounded = (bits[j] + 0x7FFF + (bits[j] >> 16 & 1)) >> 16;
          halves[r][j] = (uint16_t)(nan ? bits[j] >> 16 | 0x40 : rounded);
        }
      }
      v4_vec square[V4_LANES];
      memcpy(square, halves, sizeof(square));
      V4_NAME(transpose)(square);
      const int64_t pairs = V4_NAME(least)((padded - i) / 2, V4_LANES);
      for (int64_t r = 0; r < pairs; r++) V4_STORE(packed + (i / 2 + r) * tokens + t, square[r]);
    }
  }
}

/// Floats without their lower halves, which hold nothing.
V4_INLINE void V4_NAME(halve)(const float *x, int64_t count, float *y) {
  uint16_t *halves = (uint16_t *)y;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof(bits));
    const uint16_t half = (uint16_t)(bits >> 16);
    memcpy(halves + i, &half, sizeof(half));
  }
}

static void V4_NAME(fp8_pairs)(const v4_packed_matrix *matrix, int64_t row, int64_t column, int64_t count, float *y) {
  float values[V4_FP8_BLOCK];
  for (int64_t i = 0; i < count; i += V4_FP8_BLOCK) {
    const int64_t width = V4_NAME(least)(count - i, V4_FP8_BLOCK);
    V4_NAME(fp8_row)(matrix, row, column + i, width, values);
    V4_NAME(halve)(values, width, y + i / 2);
  }
}

static void V4_NAME(fp4_pairs)(const v4_packed_matrix *matrix, int64_t row, int64_t column, int64_t count, float *y) {
  float values[V4_FP8_BLOCK];
  for (int64_t i = 0; i < count; i += V4_FP8_BLOCK) {
    const int64_t width = V4_NAME(least)(count - i, V4_FP8_BLOCK);
    V4_NAME(fp4_row)(matrix, row, column + i, width, values);
    V4_NAME(halve)(values, width, y + i / 2);
  }
}
