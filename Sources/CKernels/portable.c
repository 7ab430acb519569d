#include "CKernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define V4_LANES 4
#define V4_TEXT "portable"
#define V4_NAME(x) x##_portable

#include "kernels/vector.h"

#include "kernels/functions.h"

#include "kernels/linear.h"
#include "kernels/streams.h"
#include "kernels/elementwise.h"
#include "kernels/attention.h"
#include "kernels/indexer.h"
#include "kernels/packed.h"
#include "kernels/limits.h"

#include "table.h"
