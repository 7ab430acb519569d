// BF16 arithmetic where a machine has it: matrix tiles (AMX), or dot products of pairs (AVX512_BF16).

#include "CKernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define V4_LANES 16
#define V4_NAME(x) x##_bfloat16

#pragma clang attribute push(                                                                                   \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,amx-tile,amx-bf16"))),       \
    apply_to = function)
#include "kernels/vector.h"

#include "kernels/codes.h"
#include "kernels/panels.h"

#include "kernels/bfloat16.h"

#define V4_TILES_BEGIN _tile_loadconfig(&tile_shapes)
#define V4_TILES_END _tile_release()
#define V4_TILE_LOAD(n, p, stride) _tile_loadd(n, p, stride)
#define V4_TILE_STORE(n, p, stride) _tile_stored(n, p, stride)
#define V4_TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)

/// As the instruction reads it: palette 1, then 16 rows of 64 bytes for each of 8 tiles.
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} v4_tile_shapes;
static const v4_tile_shapes tile_shapes = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
#include "kernels/tiles_bf16.h"

#include "kernels/pairs_bf16.h"
#pragma clang attribute pop

static const v4_bfloat16_kernels tile_kernels = {
    .name = "amx",
    .tall_scratch = tile_scratch_bfloat16,
    .tall_fp8 = tile_fp8_bfloat16,
    .tall_fp4 = tile_fp4_bfloat16,
};

static const v4_bfloat16_kernels pair_kernels = {
    .name = "avx512-bf16",
    .tall_scratch = pair_scratch_bfloat16,
    .tall_fp8 = pair_fp8_bfloat16,
    .tall_fp4 = pair_fp4_bfloat16,
};

/// Tiles are so large that the system hands them out on request only, to a process for good.
static int tiles_granted(void) {
#if defined(__linux__)
  const long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return 0;
#endif
}

static int64_t available(const v4_bfloat16_kernels *tables[2]) {
  // 0: not asked yet. Threads that ask at once get the same answers.
  static int asked;
  int answers = __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
  if (answers == 0) {
    __builtin_cpu_init();
    const int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int pairs = wide && __builtin_cpu_supports("avx512bf16");
    const int tiles = pairs && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
                      tiles_granted();
    answers = 1 | pairs << 1 | tiles << 2;
    __atomic_store_n(&asked, answers, __ATOMIC_RELEASE);
  }
  int64_t count = 0;
  if (answers & 4) tables[count++] = &tile_kernels;
  if (answers & 2) tables[count++] = &pair_kernels;
  return count;
}

#else

static int64_t available(const v4_bfloat16_kernels *tables[2]) {
  (void)tables;
  return 0;
}

#endif

int64_t v4_bfloat16_kernels_count(void) {
  const v4_bfloat16_kernels *tables[2];
  return available(tables);
}

const v4_bfloat16_kernels *v4_bfloat16_kernels_at(int64_t index) {
  const v4_bfloat16_kernels *tables[2];
  return index >= 0 && index < available(tables) ? tables[index] : 0;
}
