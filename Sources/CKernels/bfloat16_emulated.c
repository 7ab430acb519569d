// The tiles of BF16 in plain C, so that what stands around them is tested on every machine.

#include "CKernels.h"

#define V4_LANES 4
#define V4_NAME(x) x##_emulated

#include "kernels/vector.h"

#include "kernels/codes.h"
#include "kernels/panels.h"

#include "kernels/bfloat16.h"

typedef struct {
  float rows[8][16][16];
} emulated_tiles;

/// Numbers below the normal ones count as 0, in what goes in and in what comes out.
static float flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

static float half_value(const float *row, int place) {
  uint16_t half;
  memcpy(&half, (const char *)row + 2 * place, sizeof(half));
  return flushed(__builtin_bit_cast(float, (uint32_t)half << 16));
}

/// a · b + c, rounded once: the product is exact in double, and so is nearly every sum.
static float multiply_add(float a, float b, float c) { return flushed((float)((double)a * (double)b + (double)c)); }

/// Even and odd columns are summed apart from 0, then together, then onto c.
static void emulated_dot(emulated_tiles *tiles, int c, int a, int b) {
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 16; n++) {
      float even = 0, odd = 0;
      for (int k = 0; k < 16; k++) {
        even = multiply_add(half_value(tiles->rows[a][m], 2 * k), half_value(tiles->rows[b][k], 2 * n), even);
        odd = multiply_add(half_value(tiles->rows[a][m], 2 * k + 1), half_value(tiles->rows[b][k], 2 * n + 1), odd);
      }
      tiles->rows[c][m][n] = flushed(flushed(tiles->rows[c][m][n]) + flushed(even + odd));
    }
  }
}

#define V4_TILES_BEGIN emulated_tiles tiles
#define V4_TILES_END
#define V4_TILE_LOAD(n, p, stride) \
  for (int m = 0; m < 16; m++) memcpy(tiles.rows[n][m], (const char *)(p) + m * (stride), 64)
#define V4_TILE_STORE(n, p, stride) \
  for (int m = 0; m < 16; m++) memcpy((char *)(p) + m * (stride), tiles.rows[n][m], 64)
#define V4_TILE_DOT(c, a, b) emulated_dot(&tiles, c, a, b)
#include "kernels/tiles_bf16.h"

const v4_bfloat16_kernels *v4_bfloat16_emulation(void) {
  static const v4_bfloat16_kernels kernels = {
      .name = "emulated",
      .tall_scratch = tile_scratch_emulated,
      .tall_fp8 = tile_fp8_emulated,
      .tall_fp4 = tile_fp4_emulated,
  };
  return &kernels;
}
