// Hyper-connections. T tokens, n streams, d width, M mixes.

#define V4_MIX_TOKENS (V4_LANES == 16 ? 8 : 4) // at a time
#define V4_MIX_ROWS 3                          // of the projection at a time: with the tokens 24 or 12 registers
#define V4_MIX_COLUMNS 4096                    // of a block of the projection, which stays in the second cache
#define V4_MIX_PART 256                        // of these: the tokens' stay in the first cache, and the next ones
// What is used again is copied first: in place rows lie a power of two apart and would share one cache set.
#define V4_MIX_STRIDE (V4_MIX_COLUMNS + 16)
#define V4_PART_STRIDE (V4_MIX_PART + 16)

/// Between the sums of two tokens, each of them in lanes: the mixes, rows beyond the last one, which repeat it and are
/// not used, and the squares.
V4_INLINE int64_t V4_NAME(mix_lanes)(int64_t mixes) { return (mixes + V4_MIX_ROWS + 1) * V4_LANES; }

static int64_t V4_NAME(mix_scratch)(int64_t mixes) {
  return V4_MIX_TOKENS * (V4_NAME(mix_lanes)(mixes) + 2 * V4_PART_STRIDE);
}

/// Copies a row to y, with zeros up to a whole vector, and adds its squares to the lanes of a sum.
V4_INLINE void V4_NAME(copy_and_square)(const float *x, int64_t count, float *y, float *squares) {
  v4_vec sum = V4_LOAD(squares);
  for (int64_t i = 0; i < count; i += V4_LANES) {
    const v4_vec part = V4_NAME(load)(x + i, V4_NAME(least)(count - i, V4_LANES));
    V4_STORE(y + i, part);
    sum = part * part + sum;
  }
  V4_STORE(squares, sum);
}

/// sums[t, r] += weight[r] · x[t] lane by lane, lanes along the columns; `row_sums` floats lie between tokens. On the way
/// it does what `copy_and_square` does with a row that comes next (if there is one), and asks for one after that.
V4_INLINE void V4_NAME(mix_tile)(
    const float *x, const float *const *weight, int64_t columns, const float *next, float *copy, float *squares,
    const float *coming, float *sums, int64_t row_sums) {
  v4_vec tile[V4_MIX_ROWS][V4_MIX_TOKENS];
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_MIX_ROWS; r++) {
#pragma clang loop unroll(full)
    for (int t = 0; t < V4_MIX_TOKENS; t++) tile[r][t] = V4_LOAD(sums + t * row_sums + r * V4_LANES);
  }
  v4_vec square = V4_LOAD(squares);
  for (int64_t i = 0; i < columns; i += V4_LANES) {
    const int64_t part = V4_NAME(least)(columns - i, V4_LANES);
    __builtin_prefetch(coming + i, 0, 2);
    if (next) {
      const v4_vec copied = V4_NAME(load)(next + i, part);
      V4_STORE(copy + i, copied);
      square = copied * copied + square;
    }
    v4_vec rows[V4_MIX_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < V4_MIX_ROWS; r++) rows[r] = V4_NAME(load)(weight[r] + i, part);
#pragma clang loop unroll(full)
    for (int t = 0; t < V4_MIX_TOKENS; t++) {
      const v4_vec token = V4_LOAD(x + t * V4_PART_STRIDE + i);
#pragma clang loop unroll(full)
      for (int r = 0; r < V4_MIX_ROWS; r++) tile[r][t] = rows[r] * token + tile[r][t];
    }
  }
  V4_STORE(squares, square);
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_MIX_ROWS; r++) {
#pragma clang loop unroll(full)
    for (int t = 0; t < V4_MIX_TOKENS; t++) V4_STORE(sums + t * row_sums + r * V4_LANES, tile[r][t]);
  }
}

/// The sums of `count` ≤ V4_MIX_TOKENS tokens over the columns of a block: its products, then its squares.
V4_INLINE void V4_NAME(mix_tokens)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t mixes, float *y, float *scratch) {
  const int64_t row_sums = V4_NAME(mix_lanes)(mixes);
  float *sums = scratch, *squares = sums + row_sums - V4_LANES;
  float *here = sums + V4_MIX_TOKENS * row_sums, *there = here + V4_MIX_TOKENS * V4_PART_STRIDE;
  // The places of tokens that are not there hold zeros.
  const int64_t cleared = V4_MIX_TOKENS * (row_sums + (count < V4_MIX_TOKENS ? 2 * V4_PART_STRIDE : 0));
  memset(scratch, 0, (size_t)cleared * sizeof(float));
  for (int64_t t = 0; t < count; t++) {
    V4_NAME(copy_and_square)(
        x + t * x_stride, V4_NAME(least)(columns, V4_MIX_PART), here + t * V4_PART_STRIDE, squares + t * row_sums);
  }
  for (int64_t i = 0; i < columns; i += V4_MIX_PART) {
    const int64_t width = V4_NAME(least)(columns - i, V4_MIX_PART);
    const float *next = x + i + width;
    const int64_t next_width = V4_NAME(least)(columns - i - width, V4_MIX_PART);
    int64_t copied = 0;
    for (int64_t m = 0; m < mixes; m += V4_MIX_ROWS) {
      const float *rows[V4_MIX_ROWS];
      for (int64_t r = 0; r < V4_MIX_ROWS; r++) rows[r] = weight + V4_NAME(least)(m + r, mixes - 1) * weight_stride + i;
      const int copies = copied < count && next_width == width;
      V4_NAME(mix_tile)(
          here, rows, width, copies ? next + copied * x_stride : NULL, there + copied * V4_PART_STRIDE,
          squares + copied % V4_MIX_TOKENS * row_sums,
          x + (V4_MIX_TOKENS + m / V4_MIX_ROWS % V4_MIX_TOKENS) * x_stride + i, sums + m * V4_LANES, row_sums);
      copied += copies;
    }
    for (; copied < count && next_width > 0; copied++) {
      V4_NAME(copy_and_square)(
          next + copied * x_stride, next_width, there + copied * V4_PART_STRIDE, squares + copied * row_sums);
    }
    float *turn = here;
    here = there;
    there = turn;
  }
  for (int64_t t = 0; t < count; t++, y += mixes + 1) {
    for (int64_t m = 0; m < mixes; m++) y[m] = V4_NAME(lane_sum)(V4_LOAD(sums + t * row_sums + m * V4_LANES));
    y[mixes] = V4_NAME(lane_sum)(V4_LOAD(squares + t * row_sums));
  }
}

static void V4_NAME(mix_sums)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
    int64_t mixes, float *y, float *scratch) {
  for (int64_t t = 0; t < tokens; t += V4_MIX_TOKENS) {
    V4_NAME(mix_tokens)(
        x + t * x_stride, x_stride, V4_NAME(least)(tokens - t, V4_MIX_TOKENS), columns, weight, weight_stride, mixes,
        y + t * (mixes + 1), scratch);
  }
}

static void V4_NAME(mixes)(
    const float *sums, int64_t blocks, int64_t tokens, int64_t mixes, int64_t columns, float epsilon, float *y) {
  for (int64_t t = 0; t < tokens; t++) {
    const float *first = sums + t * (mixes + 1);
    float square = 0;
    for (int64_t b = 0; b < blocks; b++) square += first[b * tokens * (mixes + 1) + mixes];
    const float reciprocal = 1 / sqrtf(square / (float)columns + epsilon);
    for (int64_t m = 0; m < mixes; m++) {
      float sum = 0;
      for (int64_t b = 0; b < blocks; b++) sum += first[b * tokens * (mixes + 1) + m];
      y[t * mixes + m] = sum * reciprocal;
    }
  }
}

/// y[i] = Σⱼ factors[j] · x[j, i] + extra · layer[i] for one row of d channels. Large results go past the caches.
V4_INLINE void V4_NAME(mixed_row)(
    const float *x, const int64_t streams, int64_t width, const float *factors, int64_t factor_stride,
    const float *layer, float extra, int past_caches, float *y) {
  const int64_t misplaced = (int64_t)(((uintptr_t)y / sizeof(float)) % V4_LANES);
  int64_t i = 0;
  // The first part up to an aligned place, then whole vectors, then the rest.
  for (int64_t end = misplaced ? V4_LANES - misplaced : 0; i < width; end = i + V4_LANES) {
    if (end > width || end - i < V4_LANES) {
      const int64_t count = (end > width ? width : end) - i;
      v4_vec sum = V4_SPLAT(0);
      if (layer && count > 0) {
        V4_LOAD_PART(part, layer + i, count);
        sum = V4_SPLAT(extra) * part;
      }
      for (int64_t j = 0; j < streams && count > 0; j++) {
        V4_LOAD_PART(part, x + j * width + i, count);
        sum = V4_SPLAT(factors[j * factor_stride]) * part + sum;
      }
      memcpy(y + i, &sum, (size_t)count * sizeof(float));
      i += count;
      continue;
    }
    v4_vec sum = layer ? V4_SPLAT(extra) * V4_LOAD(layer + i) : V4_SPLAT(0);
    for (int64_t j = 0; j < streams; j++) {
      sum = V4_SPLAT(factors[j * factor_stride]) * V4_LOAD(x + j * width + i) + sum;
    }
    if (past_caches) {
      __builtin_nontemporal_store(sum, (v4_vec *)(y + i));
    } else {
      V4_STORE(y + i, sum);
    }
    i += V4_LANES;
  }
}

/// From this many bytes on a result is written past the caches.
#define V4_LARGE (4 << 20)

/// Stores past the caches are in memory when this returns.
V4_INLINE void V4_NAME(settle)(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

/// From the last token to the first: of the streams that `mixes` has just read the last caches still hold the end.
static void V4_NAME(weighted_sum)(
    const float *x, const float *weights, int64_t tokens, int64_t streams, int64_t width, float *y) {
  const int large = tokens * width * (int64_t)sizeof(float) >= V4_LARGE;
  for (int64_t t = tokens - 1; t >= 0; t--) {
    const float *source = x + t * streams * width;
    if (streams == 4) {
      V4_NAME(mixed_row)(source, 4, width, weights + t * 4, 1, NULL, 0, large, y + t * width);
    } else {
      V4_NAME(mixed_row)(source, streams, width, weights + t * streams, 1, NULL, 0, large, y + t * width);
    }
  }
  V4_NAME(settle)();
}

static void V4_NAME(post_mix)(
    const float *x, const float *layer, const float *post, const float *combination, int64_t tokens, int64_t streams,
    int64_t width, float *y) {
  const int large = tokens * streams * width * (int64_t)sizeof(float) >= V4_LARGE;
  for (int64_t t = 0; t < tokens; t++) {
    const float *source = x + t * streams * width;
    for (int64_t k = 0; k < streams; k++) {
      const float *factors = combination + t * streams * streams + k;
      float *target = y + (t * streams + k) * width;
      const float extra = post[t * streams + k];
      if (streams == 4) {
        V4_NAME(mixed_row)(source, 4, width, factors, 4, layer + t * width, extra, large, target);
      } else {
        V4_NAME(mixed_row)(source, streams, width, factors, streams, layer + t * width, extra, large, target);
      }
    }
  }
  V4_NAME(settle)();
}

static int64_t V4_NAME(sinkhorn_scratch)(int64_t streams) { return streams * streams * V4_LANES; }

/// Divides each row (step 1, stride n) or column (step n, stride 1) of n × n matrices, one in each lane, by its sum + ε.
V4_INLINE void V4_NAME(normalize)(v4_vec *m, const int64_t n, const int64_t stride, const int64_t step, v4_vec epsilon) {
  for (int64_t line = 0; line < n; line++) {
    v4_vec sum = V4_SPLAT(0);
    for (int64_t i = 0; i < n; i++) sum = sum + m[line * stride + i * step];
    sum = sum + epsilon;
    for (int64_t i = 0; i < n; i++) m[line * stride + i * step] = m[line * stride + i * step] / sum;
  }
}

V4_INLINE void V4_NAME(sinkhorn_lanes)(
    v4_vec *m, const int64_t n, int64_t iterations, float epsilon_value, int32_t from_start) {
  const v4_vec epsilon = V4_SPLAT(epsilon_value);
  for (int64_t row = 0; row < n && !from_start; row++) {
    v4_vec largest = V4_SPLAT(-INFINITY), sum = V4_SPLAT(0);
    for (int64_t i = 0; i < n; i++) largest = V4_MAX(largest, m[row * n + i]);
    for (int64_t i = 0; i < n; i++) {
      m[row * n + i] = V4_NAME(exponential)(m[row * n + i] - largest);
      sum = sum + m[row * n + i];
    }
    for (int64_t i = 0; i < n; i++) m[row * n + i] = m[row * n + i] / sum + epsilon;
  }
  V4_NAME(normalize)(m, n, 1, n, epsilon);
  for (int64_t iteration = 1; iteration < iterations; iteration++) {
    V4_NAME(normalize)(m, n, n, 1, epsilon);
    V4_NAME(normalize)(m, n, 1, n, epsilon);
  }
}

static void V4_NAME(sinkhorn)(
    const float *x, int64_t matrices, int64_t streams, int64_t iterations, float epsilon, int32_t from_start, float *y,
    float *scratch) {
  const int64_t size = streams * streams;
  for (int64_t first = 0; first < matrices; first += V4_LANES) {
    const int64_t count = matrices - first < V4_LANES ? matrices - first : V4_LANES;
    // Lanes without a matrix repeat the last one.
    for (int64_t lane = 0; lane < V4_LANES; lane++) {
      const float *source = x + (first + (lane < count ? lane : count - 1)) * size;
      for (int64_t i = 0; i < size; i++) scratch[i * V4_LANES + lane] = source[i];
    }
    if (streams == 4) {
      v4_vec m[16];
      for (int i = 0; i < 16; i++) m[i] = V4_LOAD(scratch + i * V4_LANES);
      V4_NAME(sinkhorn_lanes)(m, 4, iterations, epsilon, from_start);
      for (int i = 0; i < 16; i++) V4_STORE(scratch + i * V4_LANES, m[i]);
    } else {
      V4_NAME(sinkhorn_lanes)((v4_vec *)scratch, streams, iterations, epsilon, from_start);
    }
    for (int64_t lane = 0; lane < count; lane++) {
      for (int64_t i = 0; i < size; i++) y[(first + lane) * size + i] = scratch[i * V4_LANES + lane];
    }
  }
}

#undef V4_MIX_ROWS
#undef V4_MIX_PART
#undef V4_PART_STRIDE
#undef V4_LARGE
