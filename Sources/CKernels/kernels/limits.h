// What a machine can do at most, for benchmarks to compare with.

/// Runs `repeats` rounds of independent multiply-adds in registers. Gives the floating-point operations of all of them.
/// They begin with what is in `sink`, and their sum goes there, so that nothing is optimized away: a compiler that knows
/// where a chain begins may find that it stands still, and drop it.
static double V4_NAME(multiply_adds)(int64_t repeats, float *sink) {
  enum { chains = 12 };
  v4_vec sums[chains];
  for (int s = 0; s < chains; s++) sums[s] = V4_SPLAT(*sink + (float)s);
  const v4_vec factor = V4_SPLAT(0.999f), term = V4_SPLAT(0.001f);
  for (int64_t i = 0; i < repeats; i++) {
#pragma clang loop unroll(full)
    for (int s = 0; s < chains; s++) sums[s] = sums[s] * factor + term;
  }
  v4_vec total = V4_SPLAT(0);
  for (int s = 0; s < chains; s++) total += sums[s];
  *sink = V4_NAME(lane_sum)(total);
  return 2.0 * chains * V4_LANES * (double)repeats;
}

/// y = x, of whole vectors in aligned memory; what y held is not read.
static void V4_NAME(copy_past_caches)(const float *x, int64_t count, float *y) {
  for (int64_t i = 0; i < count; i += V4_LANES) __builtin_nontemporal_store(V4_LOAD(x + i), (v4_vec *)(y + i));
  V4_NAME(settle)();
}
