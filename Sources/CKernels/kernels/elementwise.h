// Element by element, or row by row.

/// Runs a body for each vector of `count` elements: `part` lanes of it count, all but at the end.
#define V4_FOR_VECTORS(i, part, count)                                                                     \
  for (int64_t i = 0, part = (count) < V4_LANES ? (count) : V4_LANES; i < (count);                          \
       i += V4_LANES, part = (count) - i < V4_LANES ? (count) - i : V4_LANES)

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

/// (a, b) ← (a cos φ − b sin φ, a sin φ + b cos φ), channels 2j and 2j + 1 of the last ones.
static void V4_NAME(rotate)(
    const float *x, int64_t heads, int64_t width, const float *cosines, const float *sines, int64_t pairs, float *y) {
  const int64_t kept = width - 2 * pairs;
  for (int64_t head = 0; head < heads; head++, x += width, y += width) {
    if (kept > 0) memcpy(y, x, (size_t)kept * sizeof(float));
    for (int64_t j = 0; j < pairs; j++) {
      const float a = x[kept + 2 * j], b = x[kept + 2 * j + 1];
      y[kept + 2 * j] = a * cosines[j] - b * sines[j];
      y[kept + 2 * j + 1] = a * sines[j] + b * cosines[j];
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

static void V4_NAME(add)(const float *x, int64_t count, float *y) {
  V4_FOR_VECTORS(i, part, count) {
    V4_NAME(store)(y + i, V4_NAME(load)(y + i, part) + V4_NAME(load)(x + i, part), part);
  }
}

/// H₂ₙ = (Hₙ Hₙ; Hₙ −Hₙ), by butterflies of growing width.
static void V4_NAME(hadamard)(const float *x, int64_t rows, int64_t width, float *y) {
  const float scale = 1 / sqrtf((float)width);
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    memcpy(y, x, (size_t)width * sizeof(float));
    for (int64_t half = 1; half < width; half *= 2) {
      for (int64_t first = 0; first < width; first += 2 * half) {
        for (int64_t i = first; i < first + half; i++) {
          const float a = y[i], b = y[i + half];
          y[i] = a + b;
          y[i + half] = a - b;
        }
      }
    }
    for (int64_t i = 0; i < width; i++) y[i] *= scale;
  }
}

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
