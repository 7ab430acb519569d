// What the bytes of packed weights stand for, V4_LANES and more at a time; every value is exact.
//
// | format | bits | value |
// | --- | --- | --- |
// | FP8 E4M3 | s eeee mmm | ± 1.mmm · 2^(eeee − 7), or ± 0.mmm · 2⁻⁶ where eeee = 0; 0x7F and 0xFF are NaN |
// | FP4 E2M1 | s ee m | ± 0, 0.5, 1, 1.5, 2, 3, 4, 6; two in a byte, the low nibble first |
// | E8M0 | eeeeeeee | 2^(eeeeeeee − 127); 0xFF is NaN |
//
// Axes: K columns. A block of columns shares a scale: 128 of FP8 (of 128 rows together), 32 of FP4 (of each row).

#if V4_LANES == 16 || V4_LANES == 8
#include <immintrin.h>  // one table look-up for each; all else is written without
#endif

#define V4_UNROLL _Pragma("clang loop unroll(full)")

#define V4_FP8_BLOCK 128
#define V4_FP4_BLOCK 32

typedef struct {
  v4_vec low, high;
} v4_vec_pair;

/// The floats of all E8M0 bytes, by their bits. A byte is the exponent field, but for two of them: 0 is a denormal
/// float, 255 is NaN where a float has infinity.
#define V4_SCALES_4(i) (i + 0u) << 23, (i + 1u) << 23, (i + 2u) << 23, (i + 3u) << 23
#define V4_SCALES_16(i) V4_SCALES_4(i), V4_SCALES_4(i + 4), V4_SCALES_4(i + 8), V4_SCALES_4(i + 12)
#define V4_SCALES_64(i) V4_SCALES_16(i), V4_SCALES_16(i + 16), V4_SCALES_16(i + 32), V4_SCALES_16(i + 48)
static const uint32_t V4_NAME(scale_bits)[256] = {
    0x00400000,        1u << 23,          2u << 23,          3u << 23,           V4_SCALES_4(4),    V4_SCALES_4(8),
    V4_SCALES_4(12),   V4_SCALES_16(16),  V4_SCALES_16(32),  V4_SCALES_16(48),   V4_SCALES_64(64),  V4_SCALES_64(128),
    V4_SCALES_16(192), V4_SCALES_16(208), V4_SCALES_16(224), V4_SCALES_4(240),   V4_SCALES_4(244),  V4_SCALES_4(248),
    252u << 23,        253u << 23,        254u << 23,        0x7FC00000,
};
#undef V4_SCALES_4
#undef V4_SCALES_16
#undef V4_SCALES_64

/// E8M0, one byte.
V4_INLINE float V4_NAME(scale)(uint8_t byte) { return __builtin_bit_cast(float, V4_NAME(scale_bits)[byte]); }

#if V4_LANES == 16 || defined(__aarch64__)
// By way of half precision, which these machines widen at once: with the bits s0eeeemmm0000000 it has the same value
// times 2⁻⁸, denormal ones included.
#define V4_FP8_FACTOR 256.0f

typedef int8_t v4_codes __attribute__((ext_vector_type(2 * V4_LANES)));
typedef int16_t v4_words __attribute__((ext_vector_type(2 * V4_LANES)));
typedef uint16_t v4_unsigned_words __attribute__((ext_vector_type(2 * V4_LANES)));
typedef _Float16 v4_halves __attribute__((ext_vector_type(2 * V4_LANES)));

/// 2 · V4_LANES codes, each over V4_FP8_FACTOR. NaN counts as 480 unless `with_nan`, a constant.
V4_INLINE v4_vec_pair V4_NAME(fp8)(const uint8_t *bytes, const int with_nan) {
  v4_codes codes;
  memcpy(&codes, bytes, sizeof(codes));
  const v4_words wide = __builtin_convertvector(codes, v4_words);  // the sign fills the upper byte
  v4_words bits = __builtin_bit_cast(v4_words, __builtin_bit_cast(v4_unsigned_words, wide) << 7) & (int16_t)0xBFFF;
  if (with_nan) bits |= ((bits & 0x7FFF) == 0x3F80) & 0x7E00;
  const v4_halves halves = __builtin_bit_cast(v4_halves, bits);
  return (v4_vec_pair){__builtin_convertvector(halves.lo, v4_vec), __builtin_convertvector(halves.hi, v4_vec)};
}
#else
#define V4_FP8_FACTOR 1.0f

typedef uint8_t v4_codes __attribute__((ext_vector_type(V4_LANES)));

/// V4_LANES codes.
V4_INLINE v4_vec V4_NAME(fp8_part)(const uint8_t *bytes, const int with_nan) {
  v4_codes codes;
  memcpy(&codes, bytes, sizeof(codes));
  const v4_ivec wide = __builtin_convertvector(codes, v4_ivec);
  const v4_ivec magnitude = (wide & 0x7F) << 20;  // its fields where a float has them
  const v4_ivec sign = (wide & 0x80) << 23 << 1;
  const v4_vec normal = V4_FLOATS(magnitude + (120 << 23));
  const v4_vec denormal = V4_FLOATS(magnitude + (121 << 23)) - V4_SPLAT(0x1p-6f);  // 1.mmm · 2⁻⁶ − 2⁻⁶
  const v4_vec finite = V4_SELECT(magnitude < (8 << 20), denormal, normal);
  const v4_ivec value = V4_BITS(finite) | sign;
  return V4_FLOATS(with_nan ? value | ((magnitude == (0x7F << 20)) & 0x7FC00000) : value);
}

/// 2 · V4_LANES codes, each over V4_FP8_FACTOR. NaN counts as 480 unless `with_nan`, a constant.
V4_INLINE v4_vec_pair V4_NAME(fp8)(const uint8_t *bytes, const int with_nan) {
  return (v4_vec_pair){V4_NAME(fp8_part)(bytes, with_nan), V4_NAME(fp8_part)(bytes + V4_LANES, with_nan)};
}
#endif

typedef uint8_t v4_many_codes __attribute__((ext_vector_type(4 * V4_LANES)));

/// Whether there is NaN among V4_FP8_BLOCK codes.
V4_INLINE int V4_NAME(fp8_has_nan)(const uint8_t *bytes) {
  v4_many_codes largest = 0;
  V4_UNROLL for (int i = 0; i < V4_FP8_BLOCK; i += 4 * V4_LANES) {
    v4_many_codes codes;
    memcpy(&codes, bytes + i, sizeof(codes));
    largest = __builtin_elementwise_max(largest, codes & 0x7F);
  }
  return __builtin_reduce_or(largest == 0x7F) != 0;
}

/// What `fp4` looks values up in: all values of FP4 times a scale, where a vector has room for them.
V4_INLINE v4_vec V4_NAME(fp4_table)(float scale) {
#if V4_LANES == 16
  return (v4_vec){0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6} * V4_SPLAT(scale);
#elif V4_LANES == 8
  return (v4_vec){0, 0.5f, 1, 1.5f, 2, 3, 4, 6} * V4_SPLAT(scale);
#else
  return V4_SPLAT(scale);
#endif
}

/// The values of the lowest four bits of each lane; the other bits do not matter.
V4_INLINE v4_vec V4_NAME(fp4)(v4_ivec codes, v4_vec table) {
#if V4_LANES == 16
  return (v4_vec)_mm512_permutexvar_ps((__m512i)codes, (__m512)table);
#elif V4_LANES == 8
  const v4_vec magnitude = (v4_vec)_mm256_permutevar8x32_ps((__m256)table, (__m256i)codes);
  return V4_FLOATS(V4_BITS(magnitude) ^ ((codes & 8) << 27 << 1));
#else
  const v4_ivec magnitude = (codes & 7) << 22;  // its fields where a float has them
  const v4_vec normal = V4_FLOATS(magnitude + (126 << 23));
  const v4_vec denormal = V4_FLOATS(magnitude + (127 << 23)) - V4_SPLAT(1.0f);  // 1.m − 1
  const v4_vec value = V4_SELECT(magnitude < (2 << 22), denormal, normal);
  return V4_FLOATS(V4_BITS(value) | ((codes & 8) << 27 << 1)) * table;
#endif
}

typedef uint32_t v4_uvec __attribute__((ext_vector_type(V4_LANES)));
typedef uint8_t v4_half_bytes __attribute__((ext_vector_type(V4_LANES / 2)));
typedef uint64_t v4_longs __attribute__((ext_vector_type(V4_LANES / 2)));

/// Whether a byte of a word is 0.
V4_INLINE int V4_NAME(has_zero_byte)(uint32_t word) { return ((word - 0x01010101) & ~word & 0x80808080) != 0; }

/// For each lane, of which each holds 8 codes of FP4, the scale of its block: of V4_LANES / 4 bytes each goes to four.
V4_INLINE v4_vec V4_NAME(scales_of_lanes)(const uint8_t *bytes) {
  uint32_t word = 0x7F7F7F7F;
  memcpy(&word, bytes, V4_LANES / 4);
  v4_uvec left;  // from the place of a byte to that of the exponent of a float, around the end of the word
  V4_UNROLL for (int lane = 0; lane < V4_LANES; lane++) left[lane] = (uint32_t)(23 - lane / 4 * 8) & 31;
  const v4_uvec turned = (v4_uvec)(word) << left | (v4_uvec)(word) >> (-left & 31);
  const v4_ivec exponents = __builtin_bit_cast(v4_ivec, turned) & 0x7F800000;
  if (__builtin_expect(V4_NAME(has_zero_byte)(word) || V4_NAME(has_zero_byte)(~word), 0)) {  // 2⁻¹²⁷, or NaN
    const v4_vec most = V4_SELECT(exponents == 0, V4_FLOATS((v4_ivec)(0x00400000)), V4_FLOATS(exponents));
    return V4_SELECT(exponents == 0x7F800000, V4_FLOATS((v4_ivec)(0x7FC00000)), most);
  }
  return V4_FLOATS(exponents);
}

/// V4_LANES codes in the order of the matrix, one in the lowest bits of each lane.
V4_INLINE v4_ivec V4_NAME(fp4_codes)(const uint8_t *bytes) {
  v4_half_bytes codes;
  memcpy(&codes, bytes, sizeof(codes));
  const v4_longs wide = __builtin_convertvector(codes, v4_longs);
  return __builtin_bit_cast(v4_ivec, wide | wide << 28);  // bits 4 to 7 go to the lowest of the upper lane
}

/// Up to V4_FP8_BLOCK columns of one row, code × scale.
V4_INLINE void V4_NAME(fp8_block)(const uint8_t *codes, int64_t count, float scale, float *y) {
  const int64_t step = 2 * V4_LANES;
  int64_t i = 0;
  for (; i + step <= count; i += step) {
    const v4_vec_pair values = V4_NAME(fp8)(codes + i, 1);
    V4_STORE(y + i, values.low * V4_FP8_FACTOR * V4_SPLAT(scale));
    V4_STORE(y + i + V4_LANES, values.high * V4_FP8_FACTOR * V4_SPLAT(scale));
  }
  if (i < count) {
    uint8_t rest[2 * V4_LANES] = {};
    memcpy(rest, codes + i, (size_t)(count - i));
    const v4_vec_pair values = V4_NAME(fp8)(rest, 1);
    const int64_t low = count - i < V4_LANES ? count - i : V4_LANES, high = count - i - low;
    V4_NAME(store)(y + i, values.low * V4_FP8_FACTOR * V4_SPLAT(scale), low);
    V4_NAME(store)(y + i + low, values.high * V4_FP8_FACTOR * V4_SPLAT(scale), high);
  }
}

/// y[i] = code × scale for `count` columns of one row from `column` on, a multiple of V4_FP8_BLOCK.
static void V4_NAME(fp8_row)(const v4_packed_matrix *matrix, int64_t row, int64_t column, int64_t count, float *y) {
  const uint8_t *codes = matrix->codes + row * matrix->code_stride + column;
  const uint8_t *scales = matrix->scales + row / V4_FP8_BLOCK * matrix->scale_stride + column / V4_FP8_BLOCK;
  for (int64_t i = 0; i < count; i += V4_FP8_BLOCK) {
    const int64_t width = count - i < V4_FP8_BLOCK ? count - i : V4_FP8_BLOCK;
    V4_NAME(fp8_block)(codes + i, width, V4_NAME(scale)(scales[i / V4_FP8_BLOCK]), y + i);
  }
}

/// The same; `column` and `count` are multiples of V4_FP4_BLOCK.
static void V4_NAME(fp4_row)(const v4_packed_matrix *matrix, int64_t row, int64_t column, int64_t count, float *y) {
  const uint8_t *codes = matrix->codes + row * matrix->code_stride + column / 2;
  const uint8_t *scales = matrix->scales + row * matrix->scale_stride + column / V4_FP4_BLOCK;
  for (int64_t i = 0; i < count; i += V4_FP4_BLOCK) {
    const v4_vec table = V4_NAME(fp4_table)(V4_NAME(scale)(scales[i / V4_FP4_BLOCK]));
    V4_UNROLL for (int64_t j = i; j < i + V4_FP4_BLOCK; j += V4_LANES) {
      V4_STORE(y + j, V4_NAME(fp4)(V4_NAME(fp4_codes)(codes + j / 2), table));
    }
  }
}
