#if defined(__x86_64__)

#include "CKernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define V4_LANES 8
#define V4_TEXT "avx2"
#define V4_NAME(x) x##_avx2

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
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
