// Vectors of the instruction set that includes this file. It is included once for each, between a push and a pop of
// `#pragma clang attribute`, so everything here is static.
//
// Before: V4_LANES (floats in a vector), V4_NAME(x) (x with the suffix of the instruction set).

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define V4_INLINE static inline __attribute__((always_inline))

typedef float v4_vec __attribute__((ext_vector_type(V4_LANES)));
typedef int32_t v4_ivec __attribute__((ext_vector_type(V4_LANES)));
typedef float v4_vec_unaligned __attribute__((ext_vector_type(V4_LANES), aligned(4), may_alias));

#define V4_LOAD(p) ((v4_vec) * (const v4_vec_unaligned *)(p))
#define V4_STORE(p, v) (*(v4_vec_unaligned *)(p) = (v))
/// All lanes alike.
#define V4_SPLAT(x) ((v4_vec)(float)(x))
/// The bits of floats as integers, and back.
#define V4_BITS(v) __builtin_bit_cast(v4_ivec, (v))
#define V4_FLOATS(v) __builtin_bit_cast(v4_vec, (v))
/// Lane by lane: where the mask (all ones or all zeros, as comparisons give it) holds, a, else b.
#define V4_SELECT(mask, a, b) V4_FLOATS(((mask) & V4_BITS(a)) | (~(mask) & V4_BITS(b)))

/// The first `count` floats, 0 in the lanes after them.
#define V4_LOAD_PART(name, p, count)                        \
  v4_vec name = V4_SPLAT(0);                                \
  memcpy(&name, (p), (size_t)(count) * sizeof(float))

/// The larger, lane by lane; NaN wins on either side, as in `Tensor.maximum(over:)`.
#define V4_MAX(a, b) V4_SELECT(((a) > (b)) | ((a) != (a)), (a), (b))

/// The first and the second half of two vectors, interleaved.
#if V4_LANES == 16
#define V4_INTERLEAVE_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define V4_INTERLEAVE_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif V4_LANES == 8
#define V4_INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define V4_INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define V4_INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define V4_INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/// Turns a square of V4_LANES rows: log₂ V4_LANES times row i and row i + V4_LANES / 2 are interleaved.
V4_INLINE void V4_NAME(transpose)(v4_vec rows[V4_LANES]) {
#pragma clang loop unroll(full)
  for (int round = 1; round < V4_LANES; round *= 2) {
    v4_vec next[V4_LANES];
#pragma clang loop unroll(full)
    for (int i = 0; i < V4_LANES / 2; i++) {
      next[2 * i] = V4_INTERLEAVE_LOW(rows[i], rows[i + V4_LANES / 2]);
      next[2 * i + 1] = V4_INTERLEAVE_HIGH(rows[i], rows[i + V4_LANES / 2]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < V4_LANES; i++) rows[i] = next[i];
  }
}

V4_INLINE int64_t V4_NAME(least)(int64_t a, int64_t b) { return a < b ? a : b; }
V4_INLINE int64_t V4_NAME(round_up)(int64_t x, int64_t step) { return (x + step - 1) / step * step; }

/// The first `part` floats, 0 in the lanes after them.
V4_INLINE v4_vec V4_NAME(load)(const float *x, int64_t part) {
  if (part == V4_LANES) return V4_LOAD(x);
  V4_LOAD_PART(lanes, x, part);
  return lanes;
}

/// The first `part` lanes.
V4_INLINE void V4_NAME(store)(float *y, v4_vec x, int64_t part) {
  if (part == V4_LANES) {
    V4_STORE(y, x);
  } else {
    memcpy(y, &x, (size_t)part * sizeof(float));
  }
}

/// y[i, r] = x[r, i] for `height` rows and `width` columns, at most a square of lanes; a row of y is a whole vector, with 0
/// where there is no row of x. Constants make it fast.
V4_INLINE void V4_NAME(turn_square)(
    const float *x, int64_t x_stride, const int64_t height, const int64_t width, float *y, int64_t y_stride) {
  v4_vec square[V4_LANES];
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_LANES; r++) {
    square[r] = V4_SPLAT(0);
    if (r < height) square[r] = V4_NAME(load)(x + r * x_stride, width);
  }
  V4_NAME(transpose)(square);
#pragma clang loop unroll(full)
  for (int r = 0; r < V4_LANES; r++) {
    if (r < width) V4_STORE(y + r * y_stride, square[r]);
  }
}
