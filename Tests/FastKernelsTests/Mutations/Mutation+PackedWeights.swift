extension Mutation {
  static let ofPackedWeights = [
    Mutation(
      "packed.h", "weight, row + o, 1, totals + o * count);", "weight, row, 1, totals + o * count);",
      "the first rows of a group again"),
    Mutation(
      "packed.h", "V4_NAME(fp4)(bits >> 4 * k, table)", "V4_NAME(fp4)(bits >> 4 * (k ^ 1), table)",
      "nibbles are swapped"),
    Mutation(
      "packed.h", "(token + k, 8, lanes, step,", "(token + k, 8, lanes - 1, step,", "the last columns of x are dropped",
      leastLanes: 8),
    Mutation(
      "packed.h", "i / 2, (size_t)(last - i) / 2);", "i / 2, (size_t)(last - i) / 4);",
      "half of the last columns of FP4 are dropped", leastLanes: 8),
    Mutation(
      "codes.h", "(uint32_t)(23 - lane / 4 * 8) & 31;", "23;", "the scale of the first block again", leastLanes: 8),
    Mutation(
      "codes.h", "V4_SELECT(exponents == 0, V4_FLOATS((v4_ivec)(0x00400000)), V4_FLOATS(exponents))",
      "V4_FLOATS(exponents)", "a scale of 2⁻¹²⁷ is 0"),
    Mutation("codes.h", "has_zero_byte)(word) ||", "has_zero_byte)(0x7F7F7F7F) ||", "nobody sees a scale of 2⁻¹²⁷"),
    Mutation(
      "codes.h", "V4_SELECT(exponents == 0x7F800000, V4_FLOATS((v4_ivec)(0x7FC00000)), most)", "most",
      "a scale of NaN is infinite"),
    Mutation("codes.h", "has_zero_byte)(~word)", "has_zero_byte)(0x7F7F7F7F)", "nobody sees a scale of NaN"),
    Mutation(
      "packed.h", "(row + r) / V4_FP8_BLOCK * weight->scale_stride", "row / V4_FP8_BLOCK * weight->scale_stride",
      "the scales of the block before"),
    Mutation(
      "packed.h", "products[t] * scale + sums[t]", "products[t] * scale", "only the last block counts"),
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
