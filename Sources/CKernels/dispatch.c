#include "CKernels.h"

#if defined(__linux__)
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

extern const v4_kernels v4_kernels_portable;

#if defined(__x86_64__)
extern const v4_kernels v4_kernels_avx2;
extern const v4_kernels v4_kernels_avx512;
#endif

static int64_t available(const v4_kernels *tables[3]) {
  int64_t count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) tables[count++] = &v4_kernels_avx512;
  if (avx2) tables[count++] = &v4_kernels_avx2;
#endif
  tables[count++] = &v4_kernels_portable;
  return count;
}

int64_t v4_kernels_count(void) {
  const v4_kernels *tables[3];
  return available(tables);
}

const v4_kernels *v4_kernels_at(int64_t index) {
  const v4_kernels *tables[3];
  return index >= 0 && index < available(tables) ? tables[index] : 0;
}

#if defined(__linux__)
/// Whether freed memory stays in one heap that ends at the program break.
static int heap_is_kept;
#endif

void v4_expect_large(void *start, int64_t bytes) {
#if defined(__linux__)
  const uintptr_t page = 2 << 20;
  const uintptr_t first = ((uintptr_t)start + page - 1) / page * page;
  uintptr_t end = ((uintptr_t)start + (uintptr_t)bytes) / page * page;
  if (end <= first) return;
  // What will be taken from a kept heap later is behind it.
  const uintptr_t heap_end = heap_is_kept ? (uintptr_t)sbrk(0) : 0;
  if (end < heap_end) end = heap_end;
  madvise((void *)first, end - first, MADV_HUGEPAGE);  // only a hint: failing changes nothing
#else
  (void)start, (void)bytes;
#endif
}

void v4_keep_memory(void) {
#if defined(__GLIBC__)
  // One heap for all threads, which grows by 1 GiB at least and never shrinks; nothing is mapped for itself.
  const int growth = 1 << 30;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, growth);
  heap_is_kept = 1;
  const int64_t more_than_is_there = 4 << 20;
  void *first = malloc((size_t)more_than_is_there);
  if (first) v4_expect_large(first, more_than_is_there);
  free(first);
#endif
}
