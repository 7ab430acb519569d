// Hyper-connections. T tokens, n streams, d width, M mixes.

// Tokens at a time, and columns of the projection that stand side by side in a vector: with three vectors of them a tile
// has the 24 mixes of four streams, whose sums take 24 or 12 registers.
#if V4_LANES == 16
#define V4_MIX_TOKENS 8
#define V4_MIX_BESIDE 2
#else
#define V4_MIX_TOKENS 4
#define V4_MIX_BESIDE 1
#endif
#define V4_MIX_VECTORS 3
#define V4_MIX_ROWS (V4_MIX_VECTORS * V4_LANES / V4_MIX_BESIDE) // mixes of a tile
#define V4_MIX_COLUMNS 4096                                     // of a block of the projection, for the second cache
#define V4_MIX_PART 256                                         // of these, packed in the first cache

/// Floats of a packed block of the projection.
static int64_t V4_NAME(mix_packed)(int64_t mixes, int64_t columns) {
  return V4_NAME(round_up)(mixes, V4_MIX_ROWS) * V4_NAME(round_up)(columns, V4_LANES);
}

/// packed[tile of mixes][column / beside][mix][beside], 0 where there is no mix or no column.
static void V4_NAME(pack_mixes)(
    const float *weight, int64_t weight_stride, int64_t mixes, int64_t columns, float *packed) {
  const int64_t padded = V4_NAME(round_up)(columns, V4_LANES);
  for (int64_t m = 0; m < mixes; m += V4_MIX_ROWS, packed += V4_MIX_ROWS * padded) {
    const int64_t count = V4_NAME(least)(mixes - m, V4_MIX_ROWS);
    if (count < V4_MIX_ROWS || columns < padded) memset(packed, 0, (size_t)(V4_MIX_ROWS * padded) * sizeof(float));
    for (int64_t first = 0; first < columns; first += V4_MIX_PART) {
      const int64_t end = V4_NAME(least)(first + V4_MIX_PART, columns);
      for (int64_t r = 0; r < count; r++) {
        const float *row = weight + (m + r) * weight_stride;
        float *target = packed + first * V4_MIX_ROWS + r * V4_MIX_BESIDE;
        int64_t i = first;
        for (; i + V4_MIX_BESIDE <= end; i += V4_MIX_BESIDE, target += V4_MIX_ROWS * V4_MIX_BESIDE) {
          memcpy(target, row + i, V4_MIX_BESIDE * sizeof(float));
        }
        if (i < end) *target = row[i];
      }
    }
  }
}

/// The columns that stand side by side, again and again.
V4_INLINE v4_vec V4_NAME(splat_beside)(const float *x) {
#if V4_MIX_BESIDE == 2
  double both;
  memcpy(&both, x, sizeof both);
  const double __attribute__((ext_vector_type(V4_LANES / 2))) pairs = both;
  return __builtin_bit_cast(v4_vec, pairs);
#else
  return V4_SPLAT(*x);
#endif
}

/// sums[v][t] += packed[…][v] · rows[t], over `columns`, a multiple of the lanes. With squares, squares[t] += rows[t]²
/// lane by lane, and on the way it asks for the tokens that come next, which lie `coming` floats after these.
V4_INLINE void V4_NAME(mix_tile)(
    const float *const *rows, int64_t columns, const float *packed, int64_t coming, float (*squares)[V4_LANES],
    v4_vec sums[V4_MIX_VECTORS][V4_MIX_TOKENS]) {
  for (int64_t first = 0; first < columns; first += V4_LANES) {
#pragma clang loop unroll(disable)
    for (int64_t step = 0; step < V4_LANES / V4_MIX_BESIDE; step++, packed += V4_MIX_VECTORS * V4_LANES) {
      if (squares && step < V4_MIX_TOKENS) {
        const v4_vec part = V4_LOAD(rows[step] + first);
        V4_STORE(squares[step], part * part + V4_LOAD(squares[step]));
        __builtin_prefetch(rows[step] + coming + first, 0, 2);
      }
      v4_vec weight[V4_MIX_VECTORS];
#pragma clang loop unroll(full)
      for (int v = 0; v < V4_MIX_VECTORS; v++) weight[v] = V4_LOAD(packed + v * V4_LANES);
#pragma clang loop unroll(full)
      for (int t = 0; t < V4_MIX_TOKENS; t++) {
        const v4_vec token = V4_NAME(splat_beside)(rows[t] + first + step * V4_MIX_BESIDE);
#pragma clang loop unroll(full)
        for (int v = 0; v < V4_MIX_VECTORS; v++) sums[v][t] = weight[v] * token + sums[v][t];
      }
    }
  }
}

/// The sums of `count` ≤ V4_MIX_TOKENS tokens over the columns of a block: its products, then its squares.
V4_INLINE void V4_NAME(mix_tokens)(
    const float *x, int64_t x_stride, int64_t count, int64_t columns, const float *packed, int64_t mixes, float *y) {
  const int64_t whole = columns - columns % V4_LANES, padded = V4_NAME(round_up)(columns, V4_LANES);
  float squares[V4_MIX_TOKENS][V4_LANES] = {0}, rest[V4_MIX_TOKENS][V4_LANES];
  const float *rows[V4_MIX_TOKENS], *ends[V4_MIX_TOKENS];
  for (int64_t t = 0; t < V4_MIX_TOKENS; t++) {
    rows[t] = x + V4_NAME(least)(t, count - 1) * x_stride;  // where there is no token, the last one again
    ends[t] = rest[t];
    V4_STORE(rest[t], V4_NAME(load)(rows[t] + whole, columns - whole));
  }
  for (int64_t m = 0; m < mixes; m += V4_MIX_ROWS, packed += V4_MIX_ROWS * padded) {
    float(*tile_squares)[V4_LANES] = m == 0 ? squares : NULL;
    v4_vec sums[V4_MIX_VECTORS][V4_MIX_TOKENS] = {0};
    V4_NAME(mix_tile)(rows, whole, packed, V4_MIX_TOKENS * x_stride, tile_squares, sums);
    if (whole < columns) V4_NAME(mix_tile)(ends, V4_LANES, packed + whole * V4_MIX_ROWS, 0, tile_squares, sums);
    float lanes[V4_MIX_TOKENS][V4_MIX_VECTORS * V4_LANES];
#pragma clang loop unroll(full)
    for (int t = 0; t < V4_MIX_TOKENS; t++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < V4_MIX_VECTORS; v++) V4_STORE(lanes[t] + v * V4_LANES, sums[v][t]);
    }
    for (int64_t t = 0; t < count; t++) {
      for (int64_t r = 0; r < V4_NAME(least)(mixes - m, V4_MIX_ROWS); r++) {
        float sum = 0;
        for (int64_t i = 0; i < V4_MIX_BESIDE; i++) sum += lanes[t][r * V4_MIX_BESIDE + i];
        y[t * (mixes + 1) + m + r] = sum;
      }
    }
  }
  for (int64_t t = 0; t < count; t++) y[t * (mixes + 1) + mixes] = V4_NAME(lane_sum)(V4_LOAD(squares[t]));
}

static void V4_NAME(mix_sums)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *packed, int64_t mixes, float *y) {
  for (int64_t t = 0; t < tokens; t += V4_MIX_TOKENS) {
    V4_NAME(mix_tokens)(
        x + t * x_stride, x_stride, V4_NAME(least)(tokens - t, V4_MIX_TOKENS), columns, packed, mixes,
        y + t * (mixes + 1));
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

/// y[i] = Σⱼ factors[j] · x[j, i] + extra · layer[i] for one row of d channels. Large results go past the caches. On the
/// way it asks for rows that come next.
V4_INLINE void V4_NAME(mixed_row)(
    const float *x, const int64_t streams, int64_t width, const float *factors, int64_t factor_stride,
    const float *layer, float extra, V4_NAME(coming_rows) coming, int past_caches, float *y) {
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
    for (int64_t r = 0; r < coming.count; r++) __builtin_prefetch(coming.start + r * coming.stride + i, 0, 2);
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
    const int64_t count = t > 0 ? streams : 0;
    const V4_NAME(coming_rows) coming = {source - count * width, width, count};
    if (streams == 4) {
      V4_NAME(mixed_row)(source, 4, width, weights + t * 4, 1, NULL, 0, coming, large, y + t * width);
    } else {
      V4_NAME(mixed_row)(source, streams, width, weights + t * streams, 1, NULL, 0, coming, large, y + t * width);
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
    const float *output = layer + t * width;
    for (int64_t k = 0; k < streams; k++) {
      const float *factors = combination + t * streams * streams + k;
      float *target = y + (t * streams + k) * width;
      const float extra = post[t * streams + k];
      // With each of its results a token asks for a row of the next one.
      const V4_NAME(coming_rows) coming = {source + (streams + k) * width, width, t + 1 < tokens};
      if (streams == 4) {
        V4_NAME(mixed_row)(source, 4, width, factors, 4, output, extra, coming, large, target);
      } else {
        V4_NAME(mixed_row)(source, streams, width, factors, streams, output, extra, coming, large, target);
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

#undef V4_MIX_PART
#undef V4_MIX_ROWS
#undef V4_MIX_VECTORS
#undef V4_MIX_BESIDE
#undef V4_LARGE
