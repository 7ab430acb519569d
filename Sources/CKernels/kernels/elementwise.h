// Element by element, or row by row.

/// Runs a body for each vector of `count` elements: `part` lanes of it count, all but at the end.
#define V4_FOR_VECTORS(i, part, count)                                                                     \
  for (int64_t i = 0, part = (count) < V4_LANES ? (count) : V4_LANES; i < (count);                          \
       i += V4_LANES, part = (count) - i < V4_LANES ? (count) - i : V4_LANES)

/// Σ x².
V4_INLINE float V4_NAME(sum_of_squares)(const float *x, int64_t count) {
  v4_vec sums[4] = {V4_SPLAT(0), V4_SPLAT(0), V4_SPLAT(0), V4_SPLAT(0)};
  int64_t i = 0;
  for (; i + 4 * V4_LANES <= count; i += 4 * V4_LANES) {
#pragma clang loop unroll(full)
    for (int s = 0; s < 4; s++) {
      const v4_vec part = V4_LOAD(x + i + s * V4_LANES);
      sums[s] = part * part + sums[s];
    }
  }
  for (; i < count; i += V4_LANES) {
    V4_LOAD_PART(part, x + i, count - i < V4_LANES ? count - i : V4_LANES);
    sums[0] = part * part + sums[0];
  }
  return V4_NAME(lane_sum)((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static void V4_NAME(rms_norm)(
    const float *x, int64_t rows, int64_t width, const float *weight, float epsilon, float *y) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    const v4_vec reciprocal = V4_SPLAT(1 / sqrtf(V4_NAME(sum_of_squares)(x, width) / (float)width + epsilon));
    V4_FOR_VECTORS(i, part, width) {
      const v4_vec normalized = V4_NAME(load)(x + i, part) * reciprocal;
      V4_NAME(store)(y + i, weight ? normalized * V4_NAME(load)(weight + i, part) : normalized, part);
    }
  }
}

/// Lanes i and i ^ half change places.
#if V4_LANES == 16
#define V4_SWAPPED(v, half)                                                                                      \
  __builtin_shufflevector(                                                                                       \
      v, v, 0 ^ half, 1 ^ half, 2 ^ half, 3 ^ half, 4 ^ half, 5 ^ half, 6 ^ half, 7 ^ half, 8 ^ half, 9 ^ half,  \
      10 ^ half, 11 ^ half, 12 ^ half, 13 ^ half, 14 ^ half, 15 ^ half)
#elif V4_LANES == 8
#define V4_SWAPPED(v, half) \
  __builtin_shufflevector(v, v, 0 ^ half, 1 ^ half, 2 ^ half, 3 ^ half, 4 ^ half, 5 ^ half, 6 ^ half, 7 ^ half)
#else
#define V4_SWAPPED(v, half) __builtin_shufflevector(v, v, 0 ^ half, 1 ^ half, 2 ^ half, 3 ^ half)
#endif

/// Each of the first numbers twice, for `part` lanes.
V4_INLINE v4_vec V4_NAME(twice)(const float *x, int64_t part) {
  v4_vec numbers = V4_SPLAT(0);
  memcpy(&numbers, x, part == V4_LANES ? sizeof(numbers) / 2 : (size_t)part / 2 * sizeof(float));
  return V4_INTERLEAVE_LOW(numbers, numbers);
}

/// (a, b) ← (a cos φ − b sin φ, a sin φ + b cos φ), channels 2j and 2j + 1 of the last ones.
static void V4_NAME(rotate)(
    const float *x, int64_t heads, int64_t width, const float *cosines, const float *sines, int64_t pairs, float *y) {
  const int64_t kept = width - 2 * pairs;
  v4_vec signs;
  for (int lane = 0; lane < V4_LANES; lane++) signs[lane] = lane & 1 ? 1 : -1;
  for (int64_t head = 0; head < heads; head++, x += width, y += width) {
    V4_FOR_VECTORS(i, part, kept) V4_NAME(store)(y + i, V4_NAME(load)(x + i, part), part);
    V4_FOR_VECTORS(i, part, 2 * pairs) {
      const v4_vec pair = V4_NAME(load)(x + kept + i, part);
      const v4_vec cosine = V4_NAME(twice)(cosines + i / 2, part), sine = V4_NAME(twice)(sines + i / 2, part);
      V4_NAME(store)(y + kept + i, cosine * pair + sine * (signs * V4_SWAPPED(pair, 1)), part);
    }
  }
}

/// √(x + log(1 + e⁻ˣ)) for x > 0, e^(x/2) · √(log(1 + eˣ) / eˣ) else; with u = e^(−|x|) both need log(1 + u) / u alone.
static void V4_NAME(affinity)(const float *x, int64_t count, float *y) {
  V4_FOR_VECTORS(i, part, count) {
    const v4_vec logit = V4_NAME(load)(x + i, part);
    const v4_vec u = V4_NAME(exponential)(-V4_NAME(magnitude)(logit));
    const v4_vec quotient = V4_NAME(logarithm_quotient)(u);
    const v4_vec above = V4_NAME(root)(logit + quotient * u);
    const v4_vec below = V4_NAME(exponential)(logit * V4_SPLAT(0.5f)) * V4_NAME(root)(quotient);
    V4_NAME(store)(y + i, V4_SELECT(logit > V4_SPLAT(0), above, below), part);
  }
}

/// SiLU(min(gate, limit)) · clamp(up, −limit, limit).
static void V4_NAME(gated_product)(const float *gate, const float *up, int64_t count, float limit, float *y) {
  const v4_vec highest = V4_SPLAT(limit > 0 ? limit : INFINITY), lowest = -highest;
  V4_FOR_VECTORS(i, part, count) {
    v4_vec g = V4_NAME(load)(gate + i, part), u = V4_NAME(load)(up + i, part);
    g = V4_SELECT(g > highest, highest, g);
    u = V4_SELECT(u > highest, highest, u);
    u = V4_SELECT(u < lowest, lowest, u);
    V4_NAME(store)(y + i, g * V4_NAME(sigmoid)(g) * u, part);
  }
}

/// x · factor + bias, rows of x lying `x_stride` apart.
static void V4_NAME(scale_and_shift)(
    const float *x, int64_t x_stride, int64_t rows, int64_t width, float factor, const float *bias, float *y) {
  for (int64_t row = 0; row < rows; row++, x += x_stride, y += width) {
    V4_FOR_VECTORS(i, part, width) {
      V4_NAME(store)(
          y + i, V4_NAME(load)(x + i, part) * V4_SPLAT(factor) + V4_NAME(load)(bias + i, part), part);
    }
  }
}

/// factor · σ(x) + term.
static void V4_NAME(gate)(const float *x, int64_t count, float factor, float term, float *y) {
  V4_FOR_VECTORS(i, part, count) {
    const v4_vec gate = V4_NAME(sigmoid)(V4_NAME(load)(x + i, part));
    V4_NAME(store)(y + i, V4_SPLAT(factor) * gate + V4_SPLAT(term), part);
  }
}

static void V4_NAME(add)(const float *x, int64_t count, float *y) {
  V4_FOR_VECTORS(i, part, count) {
    V4_NAME(store)(y + i, V4_NAME(load)(y + i, part) + V4_NAME(load)(x + i, part), part);
  }
}

/// One round of the transform inside a vector: a + b in the lower lane of each pair, a − b in the upper one.
#define V4_ROUND(v, half)                                                             \
  do {                                                                                \
    v4_vec signs;                                                                     \
    for (int lane = 0; lane < V4_LANES; lane++) signs[lane] = lane & half ? -1 : 1;   \
    v = V4_SWAPPED(v, half) + signs * v;                                              \
  } while (0)

/// One row of at least a vector, in place: rounds inside the vectors, then between them.
V4_INLINE void V4_NAME(hadamard_row)(const float *x, int64_t width, float scale, float *y) {
  for (int64_t i = 0; i < width; i += V4_LANES) {
    v4_vec part = V4_LOAD(x + i);
    V4_ROUND(part, 1);
    V4_ROUND(part, 2);
#if V4_LANES > 4
    V4_ROUND(part, 4);
#endif
#if V4_LANES > 8
    V4_ROUND(part, 8);
#endif
    V4_STORE(y + i, part);
  }
  for (int64_t half = V4_LANES; half < width; half *= 2) {
    for (int64_t first = 0; first < width; first += 2 * half) {
      for (int64_t i = first; i < first + half; i += V4_LANES) {
        const v4_vec a = V4_LOAD(y + i), b = V4_LOAD(y + i + half);
        V4_STORE(y + i, a + b);
        V4_STORE(y + i + half, a - b);
      }
    }
  }
  for (int64_t i = 0; i < width; i += V4_LANES) V4_STORE(y + i, V4_SPLAT(scale) * V4_LOAD(y + i));
}

/// H₂ₙ = (Hₙ Hₙ; Hₙ −Hₙ), by butterflies of growing width.
static void V4_NAME(hadamard)(const float *x, int64_t rows, int64_t width, float *y) {
  const float scale = 1 / sqrtf((float)width);
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    if (width == 8 * V4_LANES) {  // so long that its rounds can be laid out one after the other
      V4_NAME(hadamard_row)(x, 8 * V4_LANES, scale, y);
    } else if (width >= V4_LANES) {
      V4_NAME(hadamard_row)(x, width, scale, y);
    } else {
      memcpy(y, x, (size_t)width * sizeof(float));
      for (int64_t half = 1; half < width; half *= 2) {
        for (int64_t i = 0; i < width; i++) {
          if (i & half) continue;
          const float a = y[i], b = y[i + half];
          y[i] = a + b;
          y[i + half] = a - b;
        }
      }
      for (int64_t i = 0; i < width; i++) y[i] *= scale;
    }
  }
}

#undef V4_ROUND
#undef V4_SWAPPED

static void V4_NAME(pool)(
    const float *const *values, const float *const *scores, const float *const *biases, int64_t rows, int64_t width,
    float *y) {
  V4_FOR_VECTORS(i, part, width) {
    v4_vec largest = V4_SPLAT(-INFINITY), sum = V4_SPLAT(0), weighted = V4_SPLAT(0);
    for (int64_t r = 0; r < rows; r++) {
      largest = V4_MAX(largest, V4_NAME(load)(scores[r] + i, part) + V4_NAME(load)(biases[r] + i, part));
    }
    for (int64_t r = 0; r < rows; r++) {
      const v4_vec score = V4_NAME(load)(scores[r] + i, part) + V4_NAME(load)(biases[r] + i, part);
      const v4_vec weight = V4_NAME(exponential)(score - largest);
      sum = sum + weight;
      weighted = weight * V4_NAME(load)(values[r] + i, part) + weighted;
    }
    V4_NAME(store)(y + i, weighted / sum, part);
  }
}
