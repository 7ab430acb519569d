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

typedef float v4_quad __attribute__((vector_size(16)));
typedef float v4_quad_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

/// How many vectors hold the heads.
V4_INLINE int64_t V4_NAME(head_vectors)(int64_t heads) { return (heads + V4_LANES - 1) / V4_LANES; }

/// y[i, r] = x[r, i] for 4 rows and 4 columns.
V4_INLINE void V4_NAME(transpose_quad)(const float *x, int64_t x_stride, float *y, int64_t y_stride) {
  v4_quad row[4], low[2], high[2];
  V4_UNROLLED for (int r = 0; r < 4; r++) row[r] = *(const v4_quad_unaligned *)(x + r * x_stride);
  V4_UNROLLED for (int half = 0; half < 2; half++) {  // of the rows: their columns 0 and 1, and their columns 2 and 3
    low[half] = __builtin_shufflevector(row[2 * half], row[2 * half + 1], 0, 4, 1, 5);
    high[half] = __builtin_shufflevector(row[2 * half], row[2 * half + 1], 2, 6, 3, 7);
  }
  *(v4_quad_unaligned *)y = __builtin_shufflevector(low[0], low[1], 0, 1, 4, 5);
  *(v4_quad_unaligned *)(y + y_stride) = __builtin_shufflevector(low[0], low[1], 2, 3, 6, 7);
  *(v4_quad_unaligned *)(y + 2 * y_stride) = __builtin_shufflevector(high[0], high[1], 0, 1, 4, 5);
  *(v4_quad_unaligned *)(y + 3 * y_stride) = __builtin_shufflevector(high[0], high[1], 2, 3, 6, 7);
}

/// Packs a query [h, c].
static void V4_NAME(pack_query)(const float *query, int64_t heads, int64_t width, float *packed) {
  const int64_t vectors = V4_NAME(head_vectors)(heads);
  for (int64_t vector = 0; vector < vectors; vector += 2) {
    const int64_t lanes = (vectors - vector > 1 ? 2 : 1) * V4_LANES;
    float *block = packed + vector * V4_LANES * width;
    for (int64_t lane = 0; lane < lanes; lane += 4) {
      const int64_t head = vector * V4_LANES + lane;
      int64_t i = 0;
      if (head + 4 <= heads) {
        for (; i + 4 <= width; i += 4) {
          V4_NAME(transpose_quad)(query + head * width + i, width, block + i * lanes + lane, lanes);
        }
      }
      for (; i < width; i++) {
        for (int64_t r = 0; r < 4; r++) {
          block[i * lanes + lane + r] = head + r < heads ? query[(head + r) * width + i] : 0;
        }
      }
    }
  }
}

/// sums[r][v] = Σᵢ rows[r][i] · packed[i][v]. `vectors`, 1 or 2, must be a constant.
///
/// If `is_first`, it also fetches the rows of the next tile: too many short rows are read side by side for the processor
/// to foresee them.
V4_INLINE void V4_NAME(score_tile)(
    const float *const rows[V4_TILE_ROWS], const float *const next[V4_TILE_ROWS], int is_first, const float *packed,
    int64_t width, int vectors, v4_vec sums[V4_TILE_ROWS][2]) {
  V4_UNROLLED for (int r = 0; r < V4_TILE_ROWS; r++) {
    V4_UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = (v4_vec){};
  }
  for (int64_t i = 0; i < width; i++) {
    if (is_first && i % V4_LINE == 0) {
      for (int r = 0; r < V4_TILE_ROWS; r++) __builtin_prefetch(next[r] + i, 0, 2);
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
