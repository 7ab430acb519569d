// y[t, o] = Σᵢ x[t, i] · weight[o, i]. T tokens, K columns, N outputs.

#if V4_LANES == 16
#define V4_LINEAR_OUTPUTS 14  // with two vectors of tokens 28 of the 32 registers
#else
#define V4_LINEAR_OUTPUTS 6  // 12 of 16
#endif
#define V4_TILE_OUTPUTS V4_LINEAR_OUTPUTS
#define V4_TILE_TOKENS (2 * V4_LANES)
#define V4_BLOCK_TOKENS 192   // of x at a time, and
#define V4_BLOCK_COLUMNS 1024 // these many columns: 768 KiB, which stay in the second cache
// Rows of weight are copied next to each other: in place they lie a power of two apart and would share one cache set.
#define V4_PANEL_STRIDE (V4_BLOCK_COLUMNS + V4_LANES)
#define V4_LINE 16 // floats of a cache line

/// Tokens of the block that begins at token `first`, filled up to whole tiles.
V4_INLINE int64_t V4_NAME(block_tokens)(int64_t tokens, int64_t first) {
  const int64_t rows = tokens - first < V4_BLOCK_TOKENS ? tokens - first : V4_BLOCK_TOKENS;
  return (rows + V4_TILE_TOKENS - 1) / V4_TILE_TOKENS * V4_TILE_TOKENS;
}

static int64_t V4_NAME(packed_count)(int64_t tokens, int64_t columns) {
  const int64_t last = (tokens - 1) / V4_BLOCK_TOKENS * V4_BLOCK_TOKENS;
  return (last + V4_NAME(block_tokens)(tokens, last)) * columns;
}

static int64_t V4_NAME(panel_count)(void) { return V4_TILE_OUTPUTS * V4_PANEL_STRIDE; }

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

/// Rows of weight that the next panel will be copied from.
typedef struct {
  const float *start;
  int64_t stride, count;
} V4_NAME(coming_rows);

/// A register tile: tile[r, t] = Σᵢ panel[r, i] · packed[i, t]. On the way it asks for the coming rows, little by little,
/// so that nobody waits for memory when they are copied.
V4_INLINE void V4_NAME(tile)(
    const float *panel, const float *packed, int64_t columns, V4_NAME(coming_rows) coming,
    float tile[V4_TILE_OUTPUTS][V4_TILE_TOKENS]) {
  v4_vec sums[V4_TILE_OUTPUTS][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_TILE_OUTPUTS; r++) sums[r][0] = sums[r][1] = V4_SPLAT(0);
  for (int64_t i = 0; i < columns; i++) {
    if (i % V4_LINE == 0) {
      for (int64_t r = 0; r < coming.count; r++) __builtin_prefetch(coming.start + r * coming.stride + i, 0, 2);
    }
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
V4_INLINE void V4_NAME(multiply_block)(
    const float *packed, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride, int64_t outputs,
    float *y, int64_t y_stride, int fresh, float *panel) {
  float tile[V4_TILE_OUTPUTS][V4_TILE_TOKENS];
  for (int64_t o = 0; o < outputs; o += V4_TILE_OUTPUTS) {
    const int64_t height = outputs - o < V4_TILE_OUTPUTS ? outputs - o : V4_TILE_OUTPUTS;
    for (int64_t r = 0; r < V4_TILE_OUTPUTS; r++) {  // what lies beyond the last output repeats it, and is not used
      const float *row = weight + (o + (r < height ? r : height - 1)) * weight_stride;
      memcpy(panel + r * V4_PANEL_STRIDE, row, (size_t)columns * sizeof(float));
    }
    // Each tile of tokens asks for a few rows of the next panel.
    const int64_t left = outputs - o - height, next = left < V4_TILE_OUTPUTS ? left : V4_TILE_OUTPUTS;
    const int64_t tiles = (tokens + V4_TILE_TOKENS - 1) / V4_TILE_TOKENS, share = (next + tiles - 1) / tiles;
    int64_t asked = 0;
    for (int64_t t = 0; t < tokens; t += V4_TILE_TOKENS) {
      const V4_NAME(coming_rows) coming = {
          weight + (o + height + asked) * weight_stride, weight_stride, share < next - asked ? share : next - asked};
      asked += coming.count;
      const int64_t width = tokens - t < V4_TILE_TOKENS ? tokens - t : V4_TILE_TOKENS;
      float *corner = y + t * y_stride + o;
      for (int64_t s = 0; s < width; s++) __builtin_prefetch(corner + s * y_stride, 1, 2);
      V4_NAME(tile)(panel, packed + t * columns, columns, coming, tile);
      for (int64_t s = 0; s < width; s++) {
        for (int64_t r = 0; r < height; r++) {
          corner[s * y_stride + r] = fresh ? tile[r][s] : corner[s * y_stride + r] + tile[r][s];
        }
      }
    }
  }
}

/// Block after block of tokens, in each block after block of columns, in each tile after tile: the order of reading.
static void V4_NAME(pack)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, int64_t first, int64_t end, float *packed) {
  for (int64_t t = first; t < end; t += V4_TILE_TOKENS) {
    const int64_t count = tokens - t < V4_TILE_TOKENS ? tokens - t : V4_TILE_TOKENS;
    const int64_t block = t / V4_BLOCK_TOKENS * V4_BLOCK_TOKENS, rows = V4_NAME(block_tokens)(tokens, block);
    for (int64_t i = 0; i < columns; i += V4_BLOCK_COLUMNS) {
      const int64_t width = columns - i < V4_BLOCK_COLUMNS ? columns - i : V4_BLOCK_COLUMNS;
      float *tile = packed + block * columns + rows * i + (t - block) * width;
      V4_NAME(pack_tokens)(x + t * x_stride + i, x_stride, count, width, tile);
    }
  }
}

static void V4_NAME(multiply)(
    const float *packed, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride, int64_t outputs,
    float *y, int64_t y_stride, float *panel) {
  for (int64_t t = 0; t < tokens; t += V4_BLOCK_TOKENS) {
    const int64_t count = tokens - t < V4_BLOCK_TOKENS ? tokens - t : V4_BLOCK_TOKENS;
    const int64_t rows = V4_NAME(block_tokens)(tokens, t);
    for (int64_t i = 0; i < columns; i += V4_BLOCK_COLUMNS) {
      const int64_t width = columns - i < V4_BLOCK_COLUMNS ? columns - i : V4_BLOCK_COLUMNS;
      V4_NAME(multiply_block)(
          packed + t * columns + rows * i, count, width, weight + i, weight_stride, outputs, y + t * y_stride, y_stride,
          i == 0, panel);
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

#undef V4_LINE
#undef V4_PANEL_STRIDE
#undef V4_BLOCK_TOKENS
#undef V4_BLOCK_COLUMNS
#undef V4_TILE_OUTPUTS
#undef V4_TILE_TOKENS
