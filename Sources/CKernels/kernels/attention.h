// Core attention of one query over a list of entries that are keys and values of all heads.
//
// Axes: h heads, c head width, n entries. Scores are [vectors of heads][n][lanes].

#include "tiles.h"

/// Entries whose weighted sum is taken at a time: their packed channels and their probabilities stay in the L1 cache.
#define V4_ENTRY_BLOCK 128
/// Heads in a tile of the weighted sum; it divides the lanes, so that a tile lies in one vector of heads.
#define V4_TILE_HEADS (V4_LANES == 16 ? 8 : 4)
/// Vectors of channels in a tile of the weighted sum.
#define V4_TILE_CHANNELS 2

static int64_t V4_NAME(attend_scratch)(int64_t heads, int64_t width, int64_t entries) {
  const int64_t padded = V4_NAME(head_vectors)(heads) * V4_LANES;
  return padded * (width + entries) + V4_ENTRY_BLOCK * V4_TILE_CHANNELS * V4_LANES + V4_SLACK;
}

/// scores[v][j] = Σᵢ packed[i][v] · entry[j, i] for the entries of one tile.
V4_INLINE void V4_NAME(attend_tile)(
    const float *const rows[V4_TILE_ROWS], const float *const next[V4_TILE_ROWS], int is_first, const float *packed,
    int64_t width, int vectors, int64_t rows_used, float *scores, int64_t vector_stride) {
  v4_vec sums[V4_TILE_ROWS][2];
  const V4_NAME(coming_rows) none = {0};
  V4_NAME(score_tile)(rows, next, is_first, none, packed, width, vectors, sums);
  V4_UNROLLED for (int r = 0; r < V4_TILE_ROWS; r++) {
    if (r < rows_used) {
      V4_UNROLLED for (int v = 0; v < vectors; v++) V4_STORE(scores + v * vector_stride + r * V4_LANES, sums[r][v]);
    }
  }
}

/// scores[h, j] = Σᵢ query[h, i] · entry[j, i].
static void V4_NAME(attend_scores)(
    const float *packed, int64_t vectors, int64_t width, const float *const *entries, int64_t count, float *scores) {
  const int64_t stride = count * V4_LANES;
  for (int64_t first = 0; first < count; first += V4_TILE_ROWS) {
    const float *rows[V4_TILE_ROWS], *next[V4_TILE_ROWS];
    for (int64_t r = 0; r < V4_TILE_ROWS; r++) {
      const int64_t row = first + r, after = row + V4_TILE_ROWS;
      rows[r] = entries[row < count ? row : count - 1];
      next[r] = entries[after < count ? after : count - 1];
    }
    for (int64_t vector = 0; vector < vectors; vector += 2) {
      const float *block = packed + vector * V4_LANES * width;
      float *tile = scores + vector * stride + first * V4_LANES;
      if (vectors - vector > 1) {
        V4_NAME(attend_tile)(rows, next, vector == 0, block, width, 2, count - first, tile, stride);
      } else {
        V4_NAME(attend_tile)(rows, next, vector == 0, block, width, 1, count - first, tile, stride);
      }
    }
  }
}

/// Eq. (27) for one vector of heads, in place: s_j = exp(scale · z_j) / (Σ_k exp(scale · z_k) + exp(sink)), after the
/// largest of them was subtracted from the scaled scores and the sink.
static void V4_NAME(softmax_with_sink)(float *scores, int64_t count, v4_vec sink, v4_vec scale) {
  v4_vec largest = sink;
  for (int64_t j = 0; j < count; j++) {
    const v4_vec score = V4_LOAD(scores + j * V4_LANES) * scale;
    V4_STORE(scores + j * V4_LANES, score);
    largest = V4_MAX(score, largest);
  }
  v4_vec sum = {};
  for (int64_t j = 0; j < count; j++) {
    const v4_vec exponential = V4_NAME(exponential)(V4_LOAD(scores + j * V4_LANES) - largest);
    V4_STORE(scores + j * V4_LANES, exponential);
    sum = sum + exponential;
  }
  const v4_vec denominator = sum + V4_NAME(exponential)(sink - largest);
  for (int64_t j = 0; j < count; j++) {
    V4_STORE(scores + j * V4_LANES, V4_LOAD(scores + j * V4_LANES) / denominator);
  }
}

/// packed[j] = `channels` channels of entry j from `first` on, and zeros up to `vectors` whole vectors. It also fetches
/// the `prefetched` channels after them, which the next call packs.
static void V4_NAME(pack_channels)(
    const float *const *entries, int64_t count, int64_t first, int64_t channels, int64_t vectors, int64_t prefetched,
    float *packed) {
  for (int64_t j = 0; j < count; j++) {
    const float *entry = entries[j] + first;
    for (int64_t i = 0; i < prefetched; i += V4_LINE) __builtin_prefetch(entry + channels + i, 0, 2);
    int64_t v = 0;
    for (; (v + 1) * V4_LANES <= channels; v++, packed += V4_LANES) V4_STORE(packed, V4_LOAD(entry + v * V4_LANES));
    if (v < vectors) {
      V4_LOAD_PART(rest, entry + v * V4_LANES, channels - v * V4_LANES);
      V4_STORE(packed, rest);
      packed += V4_LANES;
    }
  }
}

/// y[h] = Σⱼ probabilities[j][h] · packed[j] for the heads of one tile, added to what y holds unless `is_first`.
/// `vectors` of channels must be a constant.
V4_INLINE void V4_NAME(weighted_tile)(
    const float *probabilities, const float *packed, int64_t count, int vectors, int64_t heads, int64_t channels,
    int is_first, float *y, int64_t width) {
  v4_vec sums[V4_TILE_HEADS][V4_TILE_CHANNELS] = {};
  for (int64_t j = 0; j < count; j++) {
    v4_vec e[V4_TILE_CHANNELS];
    V4_UNROLLED for (int v = 0; v < vectors; v++) e[v] = V4_LOAD(packed + (j * vectors + v) * V4_LANES);
    V4_UNROLLED for (int h = 0; h < V4_TILE_HEADS; h++) {
      const v4_vec probability = V4_SPLAT(probabilities[j * V4_LANES + h]);
      V4_UNROLLED for (int v = 0; v < vectors; v++) sums[h][v] = sums[h][v] + probability * e[v];
    }
  }
  V4_UNROLLED for (int h = 0; h < V4_TILE_HEADS; h++) {
    if (h >= heads) continue;
    V4_UNROLLED for (int v = 0; v < vectors; v++) {
      float *target = y + h * width + v * V4_LANES;
      const int64_t rest = channels - v * V4_LANES;
      if (rest >= V4_LANES) {
        V4_STORE(target, is_first ? sums[h][v] : V4_LOAD(target) + sums[h][v]);
      } else {
        V4_LOAD_PART(before, target, rest);
        const v4_vec sum = is_first ? sums[h][v] : before + sums[h][v];
        memcpy(target, &sum, (size_t)rest * sizeof(float));
      }
    }
  }
}

/// Adds what one block of entries gives to y: y[h, i] += Σⱼ probabilities[h, j] · entry[j, i].
static void V4_NAME(attend_block)(
    const float *probabilities, int64_t vector_stride, int64_t heads, int64_t width, const float *const *entries,
    int64_t count, int is_first, float *y, float *packed) {
  for (int64_t first = 0; first < width; first += V4_TILE_CHANNELS * V4_LANES) {
    int64_t channels = width - first;
    if (channels > V4_TILE_CHANNELS * V4_LANES) channels = V4_TILE_CHANNELS * V4_LANES;
    const int64_t vectors = channels > V4_LANES ? V4_TILE_CHANNELS : 1;
    const int64_t rest = width - first - channels, ahead = rest < channels ? rest : channels;
    V4_NAME(pack_channels)(entries, count, first, channels, vectors, ahead, packed);
    for (int64_t head = 0; head < heads; head += V4_TILE_HEADS) {
      const float *tile = probabilities + head / V4_LANES * vector_stride + head % V4_LANES;
      float *target = y + head * width + first;
      if (vectors == 1) {
        V4_NAME(weighted_tile)(tile, packed, count, 1, heads - head, channels, is_first, target, width);
      } else {
        V4_NAME(weighted_tile)(tile, packed, count, V4_TILE_CHANNELS, heads - head, channels, is_first, target, width);
      }
    }
  }
}

static void V4_NAME(attend)(
    const float *query, int64_t heads, int64_t width, const float *const *entries, int64_t count, const float *sinks,
    float scale, float *y, float *scratch) {
  if (heads == 0 || width == 0) return;
  if (count == 0) {
    memset(y, 0, (size_t)(heads * width) * sizeof(float));
    return;
  }
  const int64_t vectors = V4_NAME(head_vectors)(heads);
  float *packed_query = V4_ALIGNED(scratch);
  float *scores = packed_query + vectors * V4_LANES * width;
  float *packed_channels = scores + vectors * V4_LANES * count;

  V4_NAME(pack_query)(query, heads, width, packed_query);
  V4_NAME(attend_scores)(packed_query, vectors, width, entries, count, scores);
  for (int64_t vector = 0; vector < vectors; vector++) {
    const int64_t rest = heads - vector * V4_LANES;
    V4_LOAD_PART(sink, sinks + vector * V4_LANES, rest < V4_LANES ? rest : V4_LANES);
    V4_NAME(softmax_with_sink)(scores + vector * count * V4_LANES, count, sink, V4_SPLAT(scale));
  }
  for (int64_t first = 0; first < count; first += V4_ENTRY_BLOCK) {
    const int64_t block = count - first < V4_ENTRY_BLOCK ? count - first : V4_ENTRY_BLOCK;
    V4_NAME(attend_block)(
        scores + first * V4_LANES, count * V4_LANES, heads, width, entries + first, block, first == 0, y,
        packed_channels);
  }
}

#undef V4_ENTRY_BLOCK
#undef V4_TILE_HEADS
#undef V4_TILE_CHANNELS
