// The lightning indexer: its queries, the scores of one token, and the k best of them.
//
// Axes: T tokens, H index heads, i index width, N entries.

#include "tiles.h"

/// The rotation of queries, by angles of their tokens.
typedef struct {
  int64_t width, pairs;
  const float *cosines, *sines;
} V4_NAME(query_rotation);

/// Rotates and transforms queries in place, for `multiply_and_finish`.
static void V4_NAME(turn_queries)(
    const void *context, int64_t token, int64_t tokens, int64_t outputs, float *y, int64_t y_stride) {
  const V4_NAME(query_rotation) *rotation = context;
  const int64_t heads = outputs / rotation->width, pairs = rotation->pairs;
  for (int64_t t = 0; t < tokens; t++) {
    const int64_t angles = (token + t) * pairs;
    float *queries = y + t * y_stride;
    V4_NAME(rotate)(
        queries, heads, rotation->width, rotation->cosines + angles, rotation->sines + angles, pairs, queries);
    V4_NAME(hadamard)(queries, heads, rotation->width, queries);
  }
}

static void V4_NAME(queries)(
    const float *latent, int64_t tokens, int64_t columns, const float *projection, int64_t heads, int64_t width,
    const float *cosines, const float *sines, int64_t pairs, float *y, int64_t y_stride, float *scratch) {
  const V4_NAME(query_rotation) rotation = {width, pairs, cosines, sines};
  const V4_NAME(finish) finish = {V4_NAME(turn_queries), &rotation, width};
  V4_NAME(multiply_and_finish)(
      latent, columns, tokens, columns, projection, columns, heads * width, &finish, y, y_stride, scratch);
}

static int64_t V4_NAME(scores_scratch)(int64_t heads, int64_t width) {
  return V4_NAME(head_vectors)(heads) * V4_LANES * (width + 2) + V4_SLACK;
}

/// totals[r] += Σ over the heads of a pair of vectors, lane by lane, of weight · ReLU(query · row r).
/// `vectors`, 1 or 2, must be a constant; `masks` are 0 in lanes without a head.
V4_INLINE void V4_NAME(rectified_tile)(
    const float *const rows[V4_TILE_ROWS], const float *const next[V4_TILE_ROWS], int is_first,
    V4_NAME(coming_rows) coming, const float *packed, int64_t width, int vectors, const float *weights,
    const float *masks, v4_vec totals[V4_TILE_ROWS]) {
  v4_vec sums[V4_TILE_ROWS][2];
  V4_NAME(score_tile)(rows, next, is_first, coming, packed, width, vectors, sums);
  V4_UNROLLED for (int v = 0; v < vectors; v++) {
    const v4_vec weight = V4_LOAD(weights + v * V4_LANES);
    const v4_ivec mask = V4_BITS(V4_LOAD(masks + v * V4_LANES));
    V4_UNROLLED for (int r = 0; r < V4_TILE_ROWS; r++) {
      const v4_vec rectified = V4_FLOATS(V4_BITS(sums[r][v]) & ~(sums[r][v] < V4_SPLAT(0.0f)) & mask);
      totals[r] = totals[r] + weight * rectified;
    }
  }
}

/// Eq. (16): y[s] = Σₕ weights[h] · ReLU(query[h] · keys[s]).
static void V4_NAME(scores)(
    const float *query, const float *weights, int64_t heads, int64_t width, const float *keys, int64_t count,
    const float *next_query, float *y, float *scratch) {
  const int64_t vectors = V4_NAME(head_vectors)(heads), padded = vectors * V4_LANES;
  float *packed = V4_ALIGNED(scratch), *packed_weights = packed + padded * width, *masks = packed_weights + padded;
  V4_NAME(pack_query)(query, heads, width, packed);
  for (int64_t head = 0; head < padded; head++) {
    // An infinite key times the zeros of a lane without a head is NaN, which a weight of 0 would not remove.
    const uint32_t mask = head < heads ? ~(uint32_t)0 : 0;
    memcpy(masks + head, &mask, sizeof(mask));
    packed_weights[head] = head < heads ? weights[head] : 0;
  }
  const V4_NAME(coming_rows) coming_heads = {next_query, width, next_query ? heads : 0};
  const int64_t pairs = (vectors + 1) / 2, steps = (count + V4_TILE_ROWS - 1) / V4_TILE_ROWS * pairs;
  int64_t step = 0;
  for (int64_t first = 0; first < count; first += V4_TILE_ROWS) {
    const float *rows[V4_TILE_ROWS], *next[V4_TILE_ROWS];
    for (int64_t r = 0; r < V4_TILE_ROWS; r++) {
      const int64_t row = first + r, after = row + V4_TILE_ROWS;
      rows[r] = keys + (row < count ? row : count - 1) * width;
      next[r] = keys + (after < count ? after : count - 1) * width;
    }
    v4_vec totals[V4_TILE_ROWS] = {};
    for (int64_t vector = 0; vector < vectors; vector += 2) {
      const int64_t lane = vector * V4_LANES;
      const float *block = packed + lane * width, *block_weights = packed_weights + lane, *block_masks = masks + lane;
      const V4_NAME(coming_rows) coming = V4_NAME(due)(coming_heads, step++, steps);
      if (vectors - vector > 1) {
        V4_NAME(rectified_tile)(rows, next, vector == 0, coming, block, width, 2, block_weights, block_masks, totals);
      } else {
        V4_NAME(rectified_tile)(rows, next, vector == 0, coming, block, width, 1, block_weights, block_masks, totals);
      }
    }
    for (int64_t r = 0; r < V4_TILE_ROWS && first + r < count; r++) y[first + r] = V4_NAME(lane_sum)(totals[r]);
  }
}

// The k best. A candidate is a 64-bit word: its key above its index, so that words in ascending order are candidates in
// the order of eq. (17). Indices must fit 32 bits.

/// Values of a digit in the search for the worst selected key: 11 bits, three digits to a key.
#define V4_SEARCH_DIGITS 2048
/// Values of a digit in the sort: 8 bits, four digits to a key.
#define V4_SORT_DIGITS 256

static int64_t V4_NAME(top_k_scratch)(int64_t count, int64_t k) {
  return (count + (k < count ? k + 1 : count) + 1 + 4 * V4_LANES) * (int64_t)sizeof(uint64_t);
}

/// A number that is smaller if the score is higher. −0 has the key of +0.
V4_INLINE uint32_t V4_NAME(key)(float score) {
  const float unsigned_zero = score + 0.0f;
  uint32_t bits;
  memcpy(&bits, &unsigned_zero, sizeof(bits));
  // Bits of negative floats rise with the magnitude, as their keys must.
  return bits >> 31 ? bits : bits ^ 0x7FFFFFFF;
}

/// The index of the first NaN; −1 if there is none.
static int64_t V4_NAME(first_nan)(const float *x, int64_t count) {
  int64_t index = 0;
  for (; index + 4 * V4_LANES <= count; index += 4 * V4_LANES) {
    v4_ivec found = {};
    V4_UNROLLED for (int v = 0; v < 4; v++) {
      const v4_vec part = V4_LOAD(x + index + v * V4_LANES);
      found |= part != part;
    }
    if (__builtin_reduce_or(found)) break;
  }
  for (; index < count; index++) {
    if (x[index] != x[index]) return index;
  }
  return -1;
}

/// The digit of the candidate at `rank` in ascending order; `before` becomes how many have a smaller digit.
static uint32_t V4_NAME(digit_at)(const uint32_t histogram[V4_SEARCH_DIGITS], int64_t rank, int64_t *before) {
  int64_t passed = 0;
  uint32_t digit = 0;
  while (passed + histogram[digit] <= rank) passed += histogram[digit++];
  *before = passed;
  return digit;
}

/// Writes the `wanted` (below count) best candidates in index order; ties go to the lowest indices.
/// `candidates` has room for all.
static void V4_NAME(best)(const float *scores, int64_t count, int64_t wanted, uint64_t *candidates) {
  uint32_t histogram[V4_SEARCH_DIGITS] = {0};
  for (int64_t index = 0; index < count; index++) histogram[V4_NAME(key)(scores[index]) >> 21]++;

  // `threshold` is what is known of the worst selected key, and `rank` its rank among the keys that agree with it so
  // far. Candidates with larger keys drop out, digit by digit.
  int64_t rank = wanted - 1, before = 0;
  uint32_t threshold = V4_NAME(digit_at)(histogram, rank, &before) << 21;
  rank -= before;
  int64_t left = 0;
  for (int64_t index = 0; index < count; index++) {
    const uint32_t key = V4_NAME(key)(scores[index]);
    candidates[left] = (uint64_t)key << 32 | (uint64_t)index;
    left += key >> 21 <= threshold >> 21;
  }
  for (int shift = 10; left > wanted && shift >= 0; shift -= 10) {
    // 11 bits from bit 10 on, then the 10 lowest.
    const int digit_bits = shift == 10 ? 11 : 10;
    const uint32_t mask = ((uint32_t)1 << digit_bits) - 1;
    const uint32_t known = ~(((uint32_t)1 << (shift + digit_bits)) - 1);
    memset(histogram, 0, sizeof(histogram));
    for (int64_t c = 0; c < left; c++) {
      const uint32_t key = (uint32_t)(candidates[c] >> 32);
      histogram[key >> shift & mask] += (key & known) == threshold;
    }
    threshold |= V4_NAME(digit_at)(histogram, rank, &before) << shift;
    rank -= before;
    int64_t kept = 0;
    for (int64_t c = 0; c < left; c++) {
      const uint64_t candidate = candidates[c];
      candidates[kept] = candidate;
      kept += (uint32_t)(candidate >> 32) >> shift <= threshold >> shift;
    }
    left = kept;
  }
  if (left == wanted) return;

  // All that are left over tie with the worst selected one.
  int64_t kept = 0, ties = 0;
  for (int64_t c = 0; c < left; c++) {
    const uint64_t candidate = candidates[c];
    const int is_tie = (uint32_t)(candidate >> 32) == threshold;
    candidates[kept] = candidate;
    kept += !is_tie || ties <= rank;
    ties += is_tie;
  }
}

/// Sorts by key, digit by digit from the lowest; equal keys keep their order. `other` has room for all. After an even
/// number of digits the result stands in `candidates` again.
static void V4_NAME(sort_by_key)(uint64_t *candidates, int64_t count, uint64_t *other) {
  uint32_t positions[4][V4_SORT_DIGITS] = {{0}};
  for (int64_t c = 0; c < count; c++) {
    for (int digit = 0; digit < 4; digit++) positions[digit][candidates[c] >> (32 + 8 * digit) & 0xFF]++;
  }
  for (int digit = 0; digit < 4; digit++) {
    uint32_t next = 0;
    for (int value = 0; value < V4_SORT_DIGITS; value++) {
      const uint32_t here = positions[digit][value];
      positions[digit][value] = next;
      next += here;
    }
    for (int64_t c = 0; c < count; c++) {
      other[positions[digit][candidates[c] >> (32 + 8 * digit) & 0xFF]++] = candidates[c];
    }
    uint64_t *const swapped = candidates;
    candidates = other;
    other = swapped;
  }
}

/// So many candidates are found one by one.
#define V4_FEW 16
/// Scores that are looked at together.
#define V4_FEW_STEP (4 * V4_LANES)

/// Writes the `wanted` (at most V4_FEW) best candidates, best first: round by round the first of the highest scores that
/// are left. `left` has room for V4_FEW_STEP scores more than there are.
V4_INLINE void V4_NAME(few_best)(
    const float *scores, int64_t count, int64_t wanted, float *left, uint64_t *candidates) {
  const int64_t end = (count + V4_FEW_STEP - 1) / V4_FEW_STEP * V4_FEW_STEP;
  memcpy(left, scores, (size_t)count * sizeof(float));
  for (int64_t index = count; index < end; index++) left[index] = NAN;  // which is not above anything, nor equal to it
  for (int64_t c = 0; c < wanted; c++) {
    v4_vec highest[4];
    V4_UNROLLED for (int v = 0; v < 4; v++) highest[v] = V4_SPLAT(-INFINITY);
    for (int64_t first = 0; first < end; first += V4_FEW_STEP) {
      V4_UNROLLED for (int v = 0; v < 4; v++) {
        const v4_vec part = V4_LOAD(left + first + v * V4_LANES);
        highest[v] = part > highest[v] ? part : highest[v];
      }
    }
    V4_UNROLLED for (int v = 1; v < 4; v++) highest[0] = highest[v] > highest[0] ? highest[v] : highest[0];
    const v4_vec best = V4_SPLAT(__builtin_reduce_max(highest[0]));
    int64_t index = 0;
    while (!__builtin_reduce_or(V4_LOAD(left + index) == best)) index += V4_LANES;
    while (left[index] != best[0]) index++;
    candidates[c] = (uint64_t)index;
    left[index] = NAN;
  }
}

/// Eq. (17), by one candidate more than wanted, because the margin needs the best rejected one.
static int64_t V4_NAME(top_k)(
    const float *scores, int64_t count, int64_t k, int64_t *indices, float *margin, void *scratch) {
  const int64_t nan = V4_NAME(first_nan)(scores, count);
  if (nan >= 0) return nan;

  const int64_t wanted = k < count ? k + 1 : count;
  uint64_t *candidates = (uint64_t *)(((uintptr_t)scratch + 7) & ~(uintptr_t)7), *other = candidates + count;
  if (wanted <= V4_FEW) {
    V4_NAME(few_best)(scores, count, wanted, (float *)(candidates + wanted), candidates);
  } else {
    if (wanted < count) {
      V4_NAME(best)(scores, count, wanted, candidates);
    } else {
      for (int64_t index = 0; index < count; index++) {
        candidates[index] = (uint64_t)V4_NAME(key)(scores[index]) << 32 | (uint64_t)index;
      }
    }
    V4_NAME(sort_by_key)(candidates, wanted, other);
  }
  for (int64_t c = 0; c < k; c++) indices[c] = (int64_t)(candidates[c] & 0xFFFFFFFF);
  *margin = k < count ? scores[indices[k - 1]] - scores[candidates[k] & 0xFFFFFFFF] : INFINITY;
  return -1;
}

#undef V4_FEW
#undef V4_FEW_STEP
#undef V4_SEARCH_DIGITS
#undef V4_SORT_DIGITS
