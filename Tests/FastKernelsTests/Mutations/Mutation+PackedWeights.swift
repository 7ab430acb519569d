extension Mutation {
  static let ofPackedWeights = [
    Mutation(
      "packed.h", "weight, row + o, 1, totals + o * count);", "weight, row, 1, totals + o * count);",
      "the first rows of a group again"),
    Mutation(
      "packed.h", "V4_NAME(fp4)(bits >> 4 * k, table)", "V4_NAME(fp4)(bits >> 4 * (k ^ 1), table)",
      "nibbles are swapped"),
    Mutation(
      "packed.h", "i + 8 * lane < columns ? token", "i + 8 * lane + 8 < columns ? token",
      "the last columns of FP4 are dropped"),
    Mutation(
      "codes.h", "places[lane] = (uint32_t)(lane / 4 * 8);", "places[lane] = 0;", "the scale of the first block again"),
    Mutation(
      "codes.h", "V4_SELECT(exponents == 0, V4_FLOATS((v4_ivec)(0x00400000)), usual)", "usual", "a scale of 2⁻¹²⁷ is 0"),
    Mutation(
      "codes.h", "V4_SELECT(exponents == 255, V4_FLOATS((v4_ivec)(0x7FC00000)), most)", "most",
      "a scale of NaN is infinite"),
    Mutation(
      "packed.h", "(row + r) / V4_FP8_BLOCK * weight->scale_stride", "row / V4_FP8_BLOCK * weight->scale_stride",
      "the scales of the block before"),
    Mutation(
      "packed.h", "products[t] * scale + sums[r * count + t]", "products[t] * scale", "only the last block counts"),
    Mutation(
      "codes.h", "matrix->scales + row / V4_FP8_BLOCK * matrix->scale_stride + column",
      "matrix->scales + column", "the scales of the first rows"),
    Mutation("codes.h", "0x00400000, ", "0x00000000, ", "the least scale is 0"),
    Mutation(
      "panels.h", "x + (t + s) * x_stride, x_stride,", "x + s * x_stride, x_stride,", "the first block of tokens again"),
    Mutation(
      "panels.h", "packed + (t * padded + i * plan->tokens)", "packed + (t * padded)", "the first columns of x again"),
    Mutation("panels.h", "decode(weight, row + o + r, i,", "decode(weight, row + r, i,", "the first panel again"),
    Mutation(
      "panels.h", "row + o + r, i, width, panel", "row + o + r, 0, width, panel",
      "the first columns of the weight again"),
  ]
}
