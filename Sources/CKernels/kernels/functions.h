// eˣ and what follows from it, lane by lane. Within 2 units in the last place of a float; NaN stays NaN.

/// eˣ = 2ᵏ · eʳ with k = round(x / ln 2) and |r| ≤ ln 2 / 2, where the series of eʳ ends after r⁷ / 7!.
V4_INLINE v4_vec V4_NAME(exponential)(v4_vec x) {
  const v4_vec highest = V4_SPLAT(89.0f), lowest = V4_SPLAT(-104.0f);  // beyond: infinity, and 0
  x = V4_SELECT(x > highest, highest, x);
  x = V4_SELECT(x < lowest, lowest, x);

  const v4_vec magic = V4_SPLAT(0x1.8p23f);  // adding it leaves an integer in the lowest bits
  const v4_vec shifted = x * V4_SPLAT(0x1.715476p0f) + magic;
  const v4_ivec k = V4_BITS(shifted) - V4_BITS(magic);
  const v4_vec rounded = shifted - magic;
  v4_vec r = x - rounded * V4_SPLAT(0x1.62e4p-1f);  // ln 2 in two parts, the first one with zeros at its end
  r = r - rounded * V4_SPLAT(0x1.7f7d1cp-20f);

  v4_vec p = V4_SPLAT(1.0f / 5040);
  p = p * r + V4_SPLAT(1.0f / 720);
  p = p * r + V4_SPLAT(1.0f / 120);
  p = p * r + V4_SPLAT(1.0f / 24);
  p = p * r + V4_SPLAT(1.0f / 6);
  p = p * r + V4_SPLAT(0.5f);
  p = p * r + V4_SPLAT(1.0f);
  p = p * r + V4_SPLAT(1.0f);

  // In two steps, because 2ᵏ alone may be too large or too small for a float.
  const v4_ivec half = k >> 1;
  const v4_vec first = V4_FLOATS((half + 127) << 23), second = V4_FLOATS((k - half + 127) << 23);
  return p * first * second;
}

/// |x|.
V4_INLINE v4_vec V4_NAME(magnitude)(v4_vec x) { return V4_FLOATS(V4_BITS(x) & 0x7FFFFFFF); }

/// √x, lane by lane.
V4_INLINE v4_vec V4_NAME(root)(v4_vec x) { return __builtin_elementwise_sqrt(x); }

/// 1 / (1 + e⁻ˣ), from e to the power of −|x|, so that nothing overflows.
V4_INLINE v4_vec V4_NAME(sigmoid)(v4_vec x) {
  const v4_vec one = V4_SPLAT(1.0f);
  const v4_vec e = V4_NAME(exponential)(-V4_NAME(magnitude)(x));
  return V4_SELECT(x < V4_SPLAT(0.0f), e, one) / (one + e);
}

/// log(1 + u) / u for u in [0, 1]: with s = u / (2 + u) it is 2 / (2 + u) · (1 + s²/3 + s⁴/5 + …), where s² ≤ 1/9.
V4_INLINE v4_vec V4_NAME(logarithm_quotient)(v4_vec u) {
  const v4_vec denominator = V4_SPLAT(2.0f) + u;
  const v4_vec s = u / denominator, square = s * s;
  v4_vec p = V4_SPLAT(1.0f / 15);
  p = p * square + V4_SPLAT(1.0f / 13);
  p = p * square + V4_SPLAT(1.0f / 11);
  p = p * square + V4_SPLAT(1.0f / 9);
  p = p * square + V4_SPLAT(1.0f / 7);
  p = p * square + V4_SPLAT(1.0f / 5);
  p = p * square + V4_SPLAT(1.0f / 3);
  p = p * square + V4_SPLAT(1.0f);
  return V4_SPLAT(2.0f) / denominator * p;
}

/// The sum of all lanes: halves are added until one lane is left.
V4_INLINE float V4_NAME(lane_sum)(v4_vec x) {
#if V4_LANES == 16
  typedef float half __attribute__((ext_vector_type(8)));
  const half eight = x.lo + x.hi;
  const float __attribute__((ext_vector_type(4))) four = eight.lo + eight.hi;
#elif V4_LANES == 8
  const float __attribute__((ext_vector_type(4))) four = x.lo + x.hi;
#else
  const v4_vec four = x;
#endif
  return (four.x + four.z) + (four.y + four.w);
}
