// Scores of many rows against one packed query, shared by core attention and the indexer.
//
// Axes: h heads, c width. Heads stand in lanes, so that what follows (softmax, ReLU) is vertical.
// A packed query is [pairs of head vectors][c][2 · lanes]; if the number of head vectors is odd, the last of them is
// [c][lanes]. Lanes without a head hold 0.

#ifndef V4_TILE_ROWS
/// Rows in a tile: with two vectors of sums for each they fill the registers, but for the query and one value.
#if V4_LANES == 16
#define V4_TILE_ROWS 14
#elif defined(__aarch64__)
#define V4_TILE_ROWS 12
#else
#define V4_TILE_ROWS 6
#endif

/// Floats in a cache line.
#define V4_LINE 16

#define V4_UNROLLED _Pragma("clang loop unroll(full)")

/// Floats that a vector may need to start at a multiple of its size.
#define V4_SLACK (V4_LANES - 1)
/// The first whole vector at or after p.
#define V4_ALIGNED(p) ((float *)(((uintptr_t)(p) + 4 * V4_LANES - 1) & ~(uintptr_t)(4 * V4_LANES - 1)))

/// How many vectors hold the heads.
V4_INLINE int64_t V4_NAME(head_vectors)(int64_t heads) { return (heads + V4_LANES - 1) / V4_LANES; }

/// Packs a query [h, c].
static void V4_NAME(pack_query)(const float *query, int64_t heads, int64_t width, float *packed) {
  const int64_t vectors = V4_NAME(head_vectors)(heads);
  for (int64_t vector = 0; vector < vectors; vector++) {
    const int64_t head = vector * V4_LANES, filled = V4_NAME(least)(heads - head, V4_LANES);
    const int is_alone = vector % 2 == 0 && vector + 1 == vectors;
    float *block = packed + (vector - vector % 2) * V4_LANES * width + vector % 2 * V4_LANES;
    const int64_t stride = is_alone ? V4_LANES : 2 * V4_LANES;
    for (int64_t i = 0; i < width; i += V4_LANES) {
      const float *corner = query + head * width + i;
      for (int64_t r = V4_LANES; r < 2 * V4_LANES && head + r < heads; r++) __builtin_prefetch(corner + r * width, 0, 3);
      if (filled == V4_LANES && width - i >= V4_LANES) {
        V4_NAME(turn_square)(corner, width, V4_LANES, V4_LANES, block + i * stride, stride);
      } else {
        V4_NAME(turn_square)(corner, width, filled, V4_NAME(least)(width - i, V4_LANES), block + i * stride, stride);
      }
    }
  }
}

/// sums[r][v] = Σᵢ rows[r][i] · packed[i][v]. `vectors`, 1 or 2, must be a constant.
///
/// If `is_first`, it also fetches the rows of the next tile: too many short rows are read side by side for the processor
/// to foresee them. `coming`, rows as long as these, will be wanted later.
V4_INLINE void V4_NAME(score_tile)(
    const float *const rows[V4_TILE_ROWS], const float *const next[V4_TILE_ROWS], int is_first,
    V4_NAME(coming_rows) coming, const float *packed, int64_t width, int vectors, v4_vec sums[V4_TILE_ROWS][2]) {
  V4_UNROLLED for (int r = 0; r < V4_TILE_ROWS; r++) {
    V4_UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = (v4_vec){};
  }
  for (int64_t i = 0; i < width; i++) {
    if (i % V4_LINE == 0) {
      for (int r = 0; r < V4_TILE_ROWS && is_first; r++) __builtin_prefetch(next[r] + i, 0, 2);
      for (int64_t r = 0; r < coming.count; r++) __builtin_prefetch(coming.start + r * coming.stride + i, 0, 2);
    }
    v4_vec q[2];
    V4_UNROLLED for (int v = 0; v < vectors; v++) q[v] = V4_LOAD(packed + (i * vectors + v) * V4_LANES);
    V4_UNROLLED for (int r = 0; r < V4_TILE_ROWS; r++) {
      const v4_vec value = V4_SPLAT(rows[r][i]);
      V4_UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = sums[r][v] + value * q[v];
    }
  }
}
#endif
