// The inner loops of FastKernels, compiled once for each instruction set and chosen at run time.
//
// Every function works on one thread, on the range that it is given; results do not depend on how a range was cut.
// Rows are row-major and need no alignment. Sums run over the whole summed axis in an order that depends on nothing but
// its length. Scratch memory is the caller's, aligned to 64 bytes;
// nothing is allocated here.

#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdint.h>

#include "tables.h"

/// The kernels of one instruction set.
typedef struct {
  /// As in `--kernels`: "avx512", "avx2", "portable".
  const char *name;
  /// Floats in a vector: 16, 8 or 4.
  int64_t lanes;
  v4_limit_kernels limits;
  v4_linear_kernels linear;
  v4_stream_kernels streams;
  v4_elementwise_kernels elementwise;
  v4_attention_kernels attention;
  v4_indexer_kernels indexer;
  v4_packed_kernels packed;
} v4_kernels;

/// How many instruction sets this machine can run, best first; at least 1.
int64_t v4_kernels_count(void);

/// One of them; the best one is number 0.
const v4_kernels *v4_kernels_at(int64_t index);

/// Tells the system that fresh memory will be written as a whole: large pages then save it thousands of small faults, and
/// kernels the translation of as many addresses. After `v4_keep_memory` it concerns the rest of the heap, too.
void v4_expect_large(void *start, int64_t bytes);

/// From now on the whole process keeps memory that is freed, for whatever it allocates next: fresh memory costs the
/// system as much time as many kernels take. Does nothing where the C library is not glibc.
void v4_keep_memory(void);

/// Calls `work` on this thread and on up to `threads` − 1 others at the same time, and returns when all are done. Another
/// thread that comes while this one is busy works alone, as does work that calls for work: so `work` must not rely on
/// being called more than once.
void v4_run(int64_t threads, void (*work)(void *context), void *context);

/// Adds to a counter that threads share and gives what it was before.
static inline int64_t v4_take(int64_t *counter, int64_t step) {
  return __atomic_fetch_add(counter, step, __ATOMIC_RELAXED);
}

#endif
