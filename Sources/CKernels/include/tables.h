// What each family of kernels offers; `v4_kernels` holds one of each.

#ifndef CKERNELS_TABLES_H
#define CKERNELS_TABLES_H

#include <stdint.h>

/// Matrix products with weights stored as in checkpoints, `[out, in]`. T tokens, K columns, N outputs.
typedef struct {
  /// Outputs that are computed at a time: cuts between others cost time.
  int64_t tile_outputs;
  /// Floats of scratch that `multiply` needs for so many tokens.
  int64_t (*multiply_scratch)(int64_t tokens);
  /// y[t, o] = Σᵢ x[t, i] · weight[o, i], made for many tokens.
  void (*multiply)(
      const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
      int64_t outputs, float *y, int64_t y_stride, float *scratch);
  /// The same, made for few tokens: each weight is read once.
  void (*flat)(
      const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *weight, int64_t weight_stride,
      int64_t outputs, float *y, int64_t y_stride);
} v4_linear_kernels;

/// The machine's limits.
typedef struct {
  /// `repeats` rounds of multiply-adds in registers: the peak of one core. Gives how many floating-point operations.
  /// `sink` is where they begin, and gets their sum.
  double (*multiply_adds)(int64_t repeats, float *sink);
  /// y = x. `count` is a multiple of the lanes, and both are aligned to vectors; y is not read on the way.
  void (*copy_past_caches)(const float *x, int64_t count, float *y);
} v4_limit_kernels;

/// Hyper-connections. T tokens, n streams, d width, M mixes.
typedef struct {
  /// Columns of a block of the projection; only the last block is narrower.
  int64_t mix_columns;
  /// Tokens that `mix_sums` takes at a time.
  int64_t mix_tokens;
  /// Floats of a packed block of the projection.
  int64_t (*mix_packed)(int64_t mixes, int64_t columns);
  /// Packs a block of the projection, `mixes` rows `weight_stride` apart, for `mix_sums`.
  void (*pack_mixes)(const float *weight, int64_t weight_stride, int64_t mixes, int64_t columns, float *packed);
  /// For a block of columns y[t, m] = Σ x[t, ·] · weight[m, ·] and, as number M of its sums, y[t, M] = Σ x[t, ·]².
  void (*mix_sums)(
      const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const float *packed, int64_t mixes, float *y);
  /// Eqs. (3) to (5) from the sums of all blocks, [blocks, T, M + 1]: y[t, m] = Σ products / √(mean of squares + ε).
  void (*mixes)(
      const float *sums, int64_t blocks, int64_t tokens, int64_t mixes, int64_t columns, float epsilon, float *y);
  /// Eq. (1): y[t] = Σⱼ weights[t, j] · x[t, j].
  void (*weighted_sum)(
      const float *x, const float *weights, int64_t tokens, int64_t streams, int64_t width, float *y);
  /// Eq. (1): y[t, k] = post[t, k] · layer[t] + Σⱼ comb[t, j, k] · x[t, j].
  void (*post_mix)(
      const float *x, const float *layer, const float *post, const float *combination, int64_t tokens, int64_t streams,
      int64_t width, float *y);
  /// Floats of scratch that `sinkhorn` needs.
  int64_t (*sinkhorn_scratch)(int64_t streams);
  /// Eq. (8) as released, on `matrices` of n × n. `from_start` says that x is what the first row pass gives already.
  void (*sinkhorn)(
      const float *x, int64_t matrices, int64_t streams, int64_t iterations, float epsilon, int32_t from_start,
      float *y, float *scratch);
} v4_stream_kernels;

/// Element by element, or row by row.
typedef struct {
  /// x / √(mean(x²) + ε) · weight for each row; weight may be null.
  void (*rms_norm)(const float *x, int64_t rows, int64_t width, const float *weight, float epsilon, float *y);
  /// Turns the last `2 · pairs` channels of [heads, width] by the cosines and sines of one token.
  void (*rotate)(
      const float *x, int64_t heads, int64_t width, const float *cosines, const float *sines, int64_t pairs, float *y);
  /// √softplus of each element.
  void (*affinity)(const float *x, int64_t count, float *y);
  /// SiLU(min(gate, limit)) · clamp(up, −limit, limit); a limit of 0 means none.
  void (*gated_product)(const float *gate, const float *up, int64_t count, float limit, float *y);
  /// y[r, i] = x[r, i] · factor + bias[i]; rows of x lie `x_stride` apart.
  void (*scale_and_shift)(
      const float *x, int64_t x_stride, int64_t rows, int64_t width, float factor, const float *bias, float *y);
  /// factor · σ(x) + term.
  void (*gate)(const float *x, int64_t count, float factor, float term, float *y);
  /// y += x.
  void (*add)(const float *x, int64_t count, float *y);
  /// The Hadamard transform of each row, times width^(−1/2).
  void (*hadamard)(const float *x, int64_t rows, int64_t width, float *y);
  /// Eqs. (11), (12), (22), (23): for each channel a softmax over the rows of `scores` (+ bias), then the weighted sum of
  /// the same rows of `values`. Rows are given by pointers.
  void (*pool)(
      const float *const *values, const float *const *scores, const float *const *biases, int64_t rows, int64_t width,
      float *y);
} v4_elementwise_kernels;

/// Core attention. h heads, c head width, n entries.
typedef struct {
  /// Floats of scratch that `attend` needs.
  int64_t (*scratch)(int64_t heads, int64_t width, int64_t entries);
  /// Eqs. (19), (26), (27) for one query: y[h] = Σⱼ softmax with sink (scale · q[h] · e[j]) · e[j]. Entries by pointers to
  /// rows of c floats; q and y are [h, c].
  void (*attend)(
      const float *query, int64_t heads, int64_t width, const float *const *entries, int64_t count, const float *sinks,
      float scale, float *y, float *scratch);
} v4_attention_kernels;

/// The lightning indexer. T tokens, H index heads, i index width, N entries.
typedef struct {
  /// Eq. (14) with the rotation of 2 · `pairs` channels and the Hadamard transform that follow: latent [T, columns],
  /// projection [H · i, columns], cosines and sines [T, pairs], y[t] the queries [H, i] of a token. Scratch as for
  /// `multiply` of the linear kernels, and made for many tokens, as that is.
  void (*queries)(
      const float *latent, int64_t tokens, int64_t columns, const float *projection, int64_t heads, int64_t width,
      const float *cosines, const float *sines, int64_t pairs, float *y, int64_t y_stride, float *scratch);
  /// Floats of scratch that `scores` needs.
  int64_t (*scratch)(int64_t heads, int64_t width);
  /// Eq. (16) for one token: y[s] = Σₕ weights[h] · ReLU(query[h] · keys[s]), keys [N, i]. `next_query` is what the next
  /// call will get, so that it is there by then, or null.
  void (*scores)(
      const float *query, const float *weights, int64_t heads, int64_t width, const float *keys, int64_t count,
      const float *next_query, float *y, float *scratch);
  /// Bytes of scratch that `top_k` needs.
  int64_t (*top_k_scratch)(int64_t count, int64_t k);
  /// Eq. (17): the k (1 … count) highest scores, score descending, then index ascending. `margin` is the k-th minus the
  /// (k+1)-th score, +∞ if k = count. Gives the index of the first NaN, and then writes nothing; −1 if there is none.
  int64_t (*top_k)(
      const float *scores, int64_t count, int64_t k, int64_t *indices, float *margin, void *scratch);
} v4_indexer_kernels;

/// A weight [N, K] as it is stored: FP8 E4M3 with an E8M0 scale to 128 × 128 codes, or FP4 E2M1, two in a byte, with
/// one to 1 × 32. Strides are the bytes from one row of codes, or of scales, to the next.
typedef struct {
  const uint8_t *codes;
  int64_t code_stride;
  const uint8_t *scales;
  int64_t scale_stride;
} v4_packed_matrix;

/// y[t, o] = Σᵢ x[t, i] · weight[first + o, i] for o in 0..<outputs. K may be any for FP8, a multiple of 32 for FP4.
typedef void (*v4_packed_product)(
    const float *x, int64_t x_stride, int64_t tokens, int64_t columns, const v4_packed_matrix *weight, int64_t first,
    int64_t outputs, float *y, int64_t y_stride, float *scratch);

/// y[r, i] = code × scale of row first + r, for `rows` rows.
typedef void (*v4_dequantization)(
    const v4_packed_matrix *matrix, int64_t first, int64_t rows, int64_t columns, float *y, int64_t y_stride);

/// Products with weights that stay packed.
typedef struct {
  /// Floats of scratch that `tall_…` and `flat_…` need.
  int64_t (*tall_scratch)(int64_t tokens, int64_t columns);
  int64_t (*flat_scratch)(int64_t tokens, int64_t columns);
  /// Made for many tokens.
  v4_packed_product tall_fp8, tall_fp4;
  /// Made for few tokens: each code is read once for 8 of them.
  v4_packed_product flat_fp8, flat_fp4;
  v4_dequantization dequantize_fp8, dequantize_fp4;
} v4_packed_kernels;

/// The same products in BF16 arithmetic with float sums, as some machines have it. x is rounded to BF16: exact for what
/// is FP8 times a power of two. Weights are exact if their scale bytes are within the limits below; numbers
/// below 2⁻¹²⁶ count as 0.
typedef struct {
  /// "amx", "avx512-bf16", or "emulated".
  const char *name;
  int64_t (*tall_scratch)(int64_t tokens, int64_t columns);
  v4_packed_product tall_fp8, tall_fp4;
} v4_bfloat16_kernels;

/// The least and the largest scale byte with which code × scale stays a normal BF16, and its products with what was
/// quantized, too. 255, NaN, does no harm.
#define V4_BFLOAT16_LEAST_SCALE 48
#define V4_BFLOAT16_LARGEST_SCALE 245

/// How many ways of BF16 arithmetic this machine has, best first; may be 0.
int64_t v4_bfloat16_kernels_count(void);

/// One of them.
const v4_bfloat16_kernels *v4_bfloat16_kernels_at(int64_t index);

/// The matrix tiles of "amx" modelled in plain C: slow, for tests on machines without them.
const v4_bfloat16_kernels *v4_bfloat16_emulation(void);

#endif
