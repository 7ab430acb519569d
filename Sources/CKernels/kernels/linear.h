// y[t, o] = Σᵢ x[t, i] · weight[o, i]. T tokens, K columns, N outputs.
//
// Outputs stand in lanes. A block of the weight, some outputs and a chunk of columns, is turned once and stays in the
// second cache while all tokens go by, as many at a time as a register tile has rows. The sums of the chunks are added up
// in their order, which depends on K alone. Until the last chunk they lie in scratch, tile by tile in whole cache lines:
// the rows of y begin anywhere and lie far apart.

#define V4_BLOCK_OUTPUTS (2 * V4_LANES)         // of a tile: two vectors
#define V4_TILE_TOKENS (V4_LANES == 16 ? 14 : 6) // with them 28 of the 32 registers, or 12 of 16
#define V4_MOST_OUTPUTS 384                      // of a block, and
#define V4_MOST_COLUMNS 384                      // these many columns: 576 KiB
// Rows of x are copied next to each other: in place they lie a power of two apart and would share one cache set.
#define V4_PANEL_STRIDE (V4_MOST_COLUMNS + 16)
#define V4_LINE 16 // floats of a cache line

/// A turned block, a panel of tokens, and the sums of all tokens so far; each begins at a cache line if scratch does.
static int64_t V4_NAME(multiply_scratch)(int64_t tokens) {
  return V4_MOST_OUTPUTS * V4_MOST_COLUMNS + V4_TILE_TOKENS * V4_PANEL_STRIDE + tokens * V4_MOST_OUTPUTS;
}

/// `count` ≤ V4_BLOCK_OUTPUTS rows of weight, turned: block[i, o], 0 where there is no output.
V4_INLINE void V4_NAME(turn_weight)(const float *weight, int64_t stride, int64_t count, int64_t columns, float *block) {
  for (int64_t o = 0; o < V4_BLOCK_OUTPUTS; o += V4_LANES) {
    const int64_t height = count - o < V4_LANES ? (count > o ? count - o : 0) : V4_LANES;
    for (int64_t i = 0; i < columns; i += V4_LANES) {
      const int64_t width = V4_NAME(least)(columns - i, V4_LANES);
      const float *corner = weight + o * stride + i;
      float *target = block + i * V4_BLOCK_OUTPUTS + o;
      if (height == V4_LANES && width == V4_LANES) {
        V4_NAME(turn_square)(corner, stride, V4_LANES, V4_LANES, target, V4_BLOCK_OUTPUTS);
      } else {
        V4_NAME(turn_square)(corner, stride, height, width, target, V4_BLOCK_OUTPUTS);
      }
    }
  }
}

/// Rows that will be wanted soon.
typedef struct {
  const float *start;
  int64_t stride, count;
} V4_NAME(coming_rows);

/// The part of `rows` that is due in step `step` of `steps`.
V4_INLINE V4_NAME(coming_rows) V4_NAME(due)(V4_NAME(coming_rows) rows, int64_t step, int64_t steps) {
  const int64_t first = rows.count * step / steps, end = rows.count * (step + 1) / steps;
  return (V4_NAME(coming_rows)){rows.start + first * rows.stride, rows.stride, end - first};
}

/// Where a chunk of columns stands among all of them.
typedef struct {
  int is_first, is_last;
} V4_NAME(chunk_place);

/// A register tile: sums[t, o] = so_far[t, o] + Σᵢ panel[t, i] · block[i, o], to y if the chunk is the last one, else to
/// `so_far` [tokens, V4_BLOCK_OUTPUTS], which holds nothing yet if it is the first.
/// On the way it asks for the rows that come next, little by little, so that nobody waits for memory later.
V4_INLINE void V4_NAME(tile)(
    const float *panel, const int tokens, const float *block, int64_t columns, V4_NAME(coming_rows) coming_x,
    V4_NAME(coming_rows) coming_weight, int64_t outputs, V4_NAME(chunk_place) chunk, float *so_far, float *y,
    int64_t y_stride) {
  v4_vec sums[V4_TILE_TOKENS][2];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    sums[t][0] = sums[t][1] = V4_SPLAT(0);
    __builtin_prefetch(so_far + t * V4_BLOCK_OUTPUTS, 1, 3);
    __builtin_prefetch(so_far + t * V4_BLOCK_OUTPUTS + V4_LANES, 1, 3);
    if (chunk.is_last) {
      __builtin_prefetch(y + t * y_stride, 1, 3);
      __builtin_prefetch(y + t * y_stride + V4_LANES, 1, 3);
    }
  }
  for (int64_t i = 0; i < columns; i++) {
    if (i % V4_LINE == 0) {
      for (int64_t r = 0; r < coming_x.count; r++) {
        __builtin_prefetch(coming_x.start + r * coming_x.stride + i, 0, 3);
      }
      for (int64_t r = 0; r < coming_weight.count; r++) {
        __builtin_prefetch(coming_weight.start + r * coming_weight.stride + i, 0, 2);
      }
    }
    const v4_vec low = V4_LOAD(block + i * V4_BLOCK_OUTPUTS), high = V4_LOAD(block + i * V4_BLOCK_OUTPUTS + V4_LANES);
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) {
      const v4_vec token = V4_SPLAT(panel[t * V4_PANEL_STRIDE + i]);
      sums[t][0] = token * low + sums[t][0];
      sums[t][1] = token * high + sums[t][1];
    }
  }
  const int64_t left = V4_NAME(least)(outputs, V4_LANES), right = outputs - left;
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    float *earlier = so_far + t * V4_BLOCK_OUTPUTS, *row = y + t * y_stride;
    if (!chunk.is_first) {
      sums[t][0] += V4_LOAD(earlier);
      sums[t][1] += V4_LOAD(earlier + V4_LANES);
    }
    if (chunk.is_last) {
      V4_NAME(store)(row, sums[t][0], left);
      if (right > 0) V4_NAME(store)(row + left, sums[t][1], right);
    } else {
      V4_STORE(earlier, sums[t][0]);
      V4_STORE(earlier + V4_LANES, sums[t][1]);
    }
  }
}

/// How many of `left` tokens the next tile takes: all that it has rows for, or the largest power of two.
V4_INLINE int V4_NAME(tokens_at_once)(int64_t left) {
  if (left >= V4_TILE_TOKENS) return V4_TILE_TOKENS;
  return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/// One tile for each `V4_BLOCK_OUTPUTS` of the outputs. `tokens` must be a constant.
V4_INLINE void V4_NAME(tiles)(
    const float *panel, const int tokens, const float *block, int64_t columns, V4_NAME(coming_rows) coming_x,
    V4_NAME(coming_rows) coming_weight, int64_t outputs, V4_NAME(chunk_place) chunk, float *so_far, float *y,
    int64_t y_stride) {
  const int64_t count = (outputs + V4_BLOCK_OUTPUTS - 1) / V4_BLOCK_OUTPUTS;
  for (int64_t s = 0; s < count; s++) {
    const int64_t o = s * V4_BLOCK_OUTPUTS;
    V4_NAME(tile)(
        panel, tokens, block + o * columns, columns, V4_NAME(due)(coming_x, s, count),
        V4_NAME(due)(coming_weight, s, count), V4_NAME(least)(outputs - o, V4_BLOCK_OUTPUTS), chunk, so_far + o * tokens,
        y + o, y_stride);
  }
}

/// What happens to results as soon as all columns are in them, while the first caches hold them.
typedef struct {
  /// Gets y for some tokens from number `token` on; its outputs are a multiple of `group`.
  void (*body)(const void *context, int64_t token, int64_t tokens, int64_t outputs, float *y, int64_t y_stride);
  const void *context;
  /// So many outputs stay together.
  int64_t group;
} V4_NAME(finish);

/// One block of the weight against all tokens; `next` are the rows that the next block will be turned from. `finish` may
/// be null. `so_far`, one tile after the other, holds what earlier chunks of columns gave.
static void V4_NAME(multiply_block)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *block, V4_NAME(coming_rows) next,
    int64_t outputs, V4_NAME(chunk_place) chunk, const V4_NAME(finish) *finish, float *y, int64_t y_stride, float *panel,
    float *so_far) {
  const int64_t width = V4_NAME(round_up)(outputs, V4_BLOCK_OUTPUTS);
  int count = 0;
  for (int64_t t = 0; t < tokens; t += count) {
    count = V4_NAME(tokens_at_once)(tokens - t);
    for (int64_t r = 0; r < count; r++) {
      memcpy(panel + r * V4_PANEL_STRIDE, x + (t + r) * x_stride, (size_t)columns * sizeof(float));
    }
    const int64_t after = t + count;
    const V4_NAME(coming_rows) coming_x = {
        x + after * x_stride, x_stride, V4_NAME(least)(tokens - after, V4_TILE_TOKENS)};
    // Small tiles at the end ask for nothing: their share was asked for before.
    const V4_NAME(coming_rows) share =
        count == V4_TILE_TOKENS ? V4_NAME(due)(next, t / count, tokens / count) : (V4_NAME(coming_rows)){x, 0, 0};
    float *rows = y + t * y_stride, *sums = so_far + t * width;
    switch (count) {
      case V4_TILE_TOKENS:
        V4_NAME(tiles)(panel, V4_TILE_TOKENS, block, columns, coming_x, share, outputs, chunk, sums, rows, y_stride);
        break;
#if V4_LANES == 16
      case 8: V4_NAME(tiles)(panel, 8, block, columns, coming_x, share, outputs, chunk, sums, rows, y_stride); break;
#endif
      case 4: V4_NAME(tiles)(panel, 4, block, columns, coming_x, share, outputs, chunk, sums, rows, y_stride); break;
      case 2: V4_NAME(tiles)(panel, 2, block, columns, coming_x, share, outputs, chunk, sums, rows, y_stride); break;
      default: V4_NAME(tiles)(panel, 1, block, columns, coming_x, share, outputs, chunk, sums, rows, y_stride);
    }
    if (finish) finish->body(finish->context, t, count, outputs, rows, y_stride);
  }
}

/// `multiply`, and what follows it. `finish` may be null.
static void V4_NAME(multiply_and_finish)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t outputs, const V4_NAME(finish) *finish, float *y, int64_t y_stride, float *scratch) {
  const int keeps_groups = finish && V4_MOST_OUTPUTS % finish->group == 0;
  float *block = scratch, *panel = block + V4_MOST_OUTPUTS * V4_MOST_COLUMNS;
  float *so_far = panel + V4_TILE_TOKENS * V4_PANEL_STRIDE;
  for (int64_t o = 0; o < outputs; o += V4_MOST_OUTPUTS) {
    const int64_t height = V4_NAME(least)(outputs - o, V4_MOST_OUTPUTS);
    for (int64_t i = 0; i == 0 || i < columns; i += V4_MOST_COLUMNS) { // sums of no columns are written, too
      const int64_t width = V4_NAME(least)(columns - i, V4_MOST_COLUMNS);
      const V4_NAME(chunk_place) chunk = {.is_first = i == 0, .is_last = i + width == columns};
      const float *corner = weight + o * weight_stride + i;
      for (int64_t s = 0; s < height; s += V4_BLOCK_OUTPUTS) {
        V4_NAME(turn_weight)(corner + s * weight_stride, weight_stride, height - s, width, block + s * width);
      }
      V4_NAME(coming_rows) next = {corner + width, weight_stride, height};
      if (chunk.is_last) {
        const int64_t after = o + height;
        next.start = weight + after * weight_stride;
        next.count = V4_NAME(least)(outputs - after, V4_MOST_OUTPUTS);
      }
      V4_NAME(multiply_block)(
          x + i, x_stride, tokens, width, block, next, height, chunk, keeps_groups && chunk.is_last ? finish : 0, y + o,
          y_stride, panel, so_far);
    }
  }
  if (finish && !keeps_groups) finish->body(finish->context, 0, tokens, outputs, y, y_stride);
}

static void V4_NAME(multiply)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t outputs, float *y, int64_t y_stride, float *scratch) {
  V4_NAME(multiply_and_finish)(
      x, x_stride, tokens, columns, weight, weight_stride, outputs, 0, y, y_stride, scratch);
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
#undef V4_MOST_COLUMNS
#undef V4_MOST_OUTPUTS
#undef V4_TILE_TOKENS
#undef V4_BLOCK_OUTPUTS
