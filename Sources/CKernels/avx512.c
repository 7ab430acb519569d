#if defined(__x86_64__)

#include "CKernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define V4_LANES 16
#define V4_TEXT "avx512"
#define V4_NAME(x) x##_avx512

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#include "kernels/vector.h"

#include "kernels/functions.h"

#include "kernels/linear.h"
#include "kernels/streams.h"
#include "kernels/elementwise.h"
#include "kernels/attention.h"
#include "kernels/indexer.h"
#include "kernels/packed.h"
#include "kernels/limits.h"
#pragma clang attribute pop

#include "table.h"

#endif
