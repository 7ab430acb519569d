// y[t, o] = Σᵢ x[t, i] · weight[o, i]. T tokens, K columns, N outputs.

#if V4_LANES == 16
#define V4_TILE_OUTPUTS 14  // with two vectors of tokens 28 of the 32 registers
#else
#define V4_TILE_OUTPUTS 6  // 12 of 16
#endif
#define V4_TILE_TOKENS (2 * V4_LANES)
#define V4_BLOCK_TOKENS 192   // of x at a time, and
#define V4_BLOCK_COLUMNS 1024 // these many columns: 768 KiB, which stay in the second cache
// Rows of weight are copied next to each other: in place they lie a power of two apart and would share one cache set.
#define V4_PANEL_STRIDE (V4_BLOCK_COLUMNS + V4_LANES)

static int64_t V4_NAME(tall_scratch)(int64_t tokens, int64_t columns) {
  const int64_t rows = tokens < V4_BLOCK_TOKENS ? tokens : V4_BLOCK_TOKENS;
  const int64_t padded = (rows + V4_TILE_TOKENS - 1) / V4_TILE_TOKENS * V4_TILE_TOKENS;
  return padded * (columns < V4_BLOCK_COLUMNS ? columns : V4_BLOCK_COLUMNS) + V4_TILE_OUTPUTS * V4_PANEL_STRIDE;
}

/// `count` ≤ V4_TILE_TOKENS rows of x, turned: packed[i, t], 0 where there is no token.
V4_INLINE void V4_NAME(pack_tokens)(const float *x, int64_t stride, int64_t count, int64_t columns, float *packed) {
  for (int64_t t = 0; t < V4_TILE_TOKENS; t += V4_LANES) {
    for (int64_t i = 0; i < columns; i += V4_LANES) {
      const int64_t width = columns - i < V4_LANES ? columns - i : V4_LANES;
      v4_vec square[V4_LANES];
#pragma clang loop unroll(full)
      for (int r = 0; r < V4_LANES; r++) {
        square[r] = V4_SPLAT(0);
        if (t + r < count) square[r] = V4_NAME(load)(x + (t + r) * stride + i, width);
      }
      V4_NAME(transpose)(square);
      for (int64_t r = 0; r < width; r++) V4_STORE(packed + (i + r) * V4_TILE_TOKENS + t, square[r]);
    }
  }
}

/// A register tile: tile[r, t] = Σᵢ panel[r, i] · packed[i, t].
V4_INLINE void V4_NAME(tile)(
    const float *panel, const float *packed, int64_t columns, float tile[V4_TILE_OUTPUTS][V4_TILE_TOKENS]) {
  v4_vec sums[V4_TILE_OUTPUTS][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_TILE_OUTPUTS; r++) sums[r][0] = sums[r][1] = V4_SPLAT(0);
  for (int64_t i = 0; i < columns; i++) {
    const v4_vec low = V4_LOAD(packed + i * V4_TILE_TOKENS), high = V4_LOAD(packed + i * V4_TILE_TOKENS + V4_LANES);
#pragma clang loop unroll(full)
    for (int r = 0; r < V4_TILE_OUTPUTS; r++) {
      const v4_vec weight = V4_SPLAT(panel[r * V4_PANEL_STRIDE + i]);
      sums[r][0] = weight * low + sums[r][0];
      sums[r][1] = weight * high + sums[r][1];
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_TILE_OUTPUTS; r++) {
    V4_STORE(tile[r], sums[r][0]);
    V4_STORE(tile[r] + V4_LANES, sums[r][1]);
  }
}

/// One block of tokens and columns against all outputs; `fresh` says that y holds no sum of earlier columns yet.
V4_INLINE void V4_NAME(tall_block)(
    const float *packed, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride, int64_t outputs,
    float *y, int64_t y_stride, int fresh, float *panel) {
  float tile[V4_TILE_OUTPUTS][V4_TILE_TOKENS];
  for (int64_t o = 0; o < outputs; o += V4_TILE_OUTPUTS) {
    const int64_t height = outputs - o < V4_TILE_OUTPUTS ? outputs - o : V4_TILE_OUTPUTS;
    for (int64_t r = 0; r < V4_TILE_OUTPUTS; r++) {  // what lies beyond the last output repeats it, and is not used
      const float *row = weight + (o + (r < height ? r : height - 1)) * weight_stride;
      memcpy(panel + r * V4_PANEL_STRIDE, row, (size_t)columns * sizeof(float));
    }
    for (int64_t t = 0; t < tokens; t += V4_TILE_TOKENS) {
      const int64_t width = tokens - t < V4_TILE_TOKENS ? tokens - t : V4_TILE_TOKENS;
      float *corner = y + t * y_stride + o;
      for (int64_t s = 0; s < width; s++) __builtin_prefetch(corner + s * y_stride, 1, 2);
      V4_NAME(tile)(panel, packed + t * columns, columns, tile);
      for (int64_t s = 0; s < width; s++) {
        for (int64_t r = 0; r < height; r++) {
          corner[s * y_stride + r] = fresh ? tile[r][s] : corner[s * y_stride + r] + tile[r][s];
        }
      }
    }
  }
}

static void V4_NAME(tall)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  float *packed = scratch + V4_TILE_OUTPUTS * V4_PANEL_STRIDE;
  for (int64_t t = 0; t < tokens; t += V4_BLOCK_TOKENS) {
    const int64_t rows = tokens - t < V4_BLOCK_TOKENS ? tokens - t : V4_BLOCK_TOKENS;
    for (int64_t i = 0; i < columns; i += V4_BLOCK_COLUMNS) {
      const int64_t width = columns - i < V4_BLOCK_COLUMNS ? columns - i : V4_BLOCK_COLUMNS;
      for (int64_t s = 0; s < rows; s += V4_TILE_TOKENS) {
        const int64_t count = rows - s < V4_TILE_TOKENS ? rows - s : V4_TILE_TOKENS;
        V4_NAME(pack_tokens)(x + (t + s) * x_stride + i, x_stride, count, width, packed + s * width);
      }
      V4_NAME(tall_block)(
          packed, rows, width, weight + i, weight_stride, outputs, y + t * y_stride, y_stride, i == 0, scratch);
    }
  }
}

/// `height` rows of weight against `count` tokens, lanes along the columns.
V4_INLINE void V4_NAME(flat_tile)(
    const float *x, int64_t x_stride, const int count, int64_t columns, const float *weight, int64_t weight_stride,
    const int height, float *y, int64_t y_stride) {
  v4_vec sums[32];
#pragma clang loop unroll(full)
  for (int s = 0; s < count * height; s++) sums[s] = V4_SPLAT(0);
  const int64_t whole = columns - columns % V4_LANES;
  for (int64_t i = 0; i < whole; i += V4_LANES) {
#pragma clang loop unroll(full)
    for (int r = 0; r < height; r++) {
      const v4_vec row = V4_LOAD(weight + r * weight_stride + i);
#pragma clang loop unroll(full)
      for (int t = 0; t < count; t++) {
        sums[r * count + t] = row * V4_LOAD(x + t * x_stride + i) + sums[r * count + t];
      }
    }
  }
  for (int r = 0; r < height; r++) {
    for (int t = 0; t < count; t++) {
      v4_vec sum = sums[r * count + t];
      if (whole < columns) {
        V4_LOAD_PART(row, weight + r * weight_stride + whole, columns - whole);
        V4_LOAD_PART(token, x + t * x_stride + whole, columns - whole);
        sum = row * token + sum;
      }
      y[t * y_stride + r] = V4_NAME(lane_sum)(sum);
    }
  }
}

static void V4_NAME(flat)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t outputs, float *y, int64_t y_stride) {
  for (int64_t o = 0; o < outputs; o += 4) {
    const float *rows = weight + o * weight_stride;
    int64_t t = 0;
    if (outputs - o >= 4) {
      for (; tokens - t >= 4; t += 4) {
        V4_NAME(flat_tile)(x + t * x_stride, x_stride, 4, columns, rows, weight_stride, 4, y + t * y_stride + o, y_stride);
      }
      for (; t < tokens; t++) {
        V4_NAME(flat_tile)(x + t * x_stride, x_stride, 1, columns, rows, weight_stride, 4, y + t * y_stride + o, y_stride);
      }
    } else {
      for (int64_t r = 0; r < outputs - o; r++) {
        for (t = 0; t < tokens; t++) {
          V4_NAME(flat_tile)(
              x + t * x_stride, x_stride, 1, columns, rows + r * weight_stride, weight_stride, 1,
              y + t * y_stride + o + r, y_stride);
        }
      }
    }
  }
}

#undef V4_PANEL_STRIDE
#undef V4_BLOCK_TOKENS
#undef V4_BLOCK_COLUMNS
#undef V4_TILE_OUTPUTS
#undef V4_TILE_TOKENS
