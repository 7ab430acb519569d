extension Mutation {
  static let ofProducts = [
    Mutation(
      "linear.h", "packed + block * columns + rows * i + (t - block) * width",
      "packed + block * columns + (t - block) * width", "later columns take the place of the first ones"),
    Mutation("linear.h", "if (t + r < count)", "if (t + r + 1 < count)", "the last token is left out"),
    Mutation("linear.h", "weight * high + sums[r][1]", "weight * low + sums[r][1]", "the other half of the tokens"),
    Mutation(
      "linear.h", "fresh ? tile[r][s] : corner[s * y_stride + r] + tile[r][s]", "tile[r][s]",
      "only the last columns count"),
    Mutation("linear.h", "i == 0, panel);", "0, panel);", "sums begin with what y held"),
    Mutation(
      "linear.h", "(o + (r < height ? r : height - 1))", "(o + (r < height ? height - 1 - r : 0))",
      "outputs of a panel are swapped"),
    Mutation("linear.h", "weight + i, weight_stride", "weight, weight_stride", "the first columns of the weight again"),
    Mutation(
      "linear.h", "(x + t * x_stride + i,", "(x + (t - block) * x_stride + i,", "the first block of tokens again"),
    Mutation("linear.h", "if (whole < columns) {", "if (0) {", "columns beyond whole vectors are left out"),
    Mutation(
      "linear.h", "y[t * y_stride + r] = V4_NAME(lane_sum)(sum);",
      "y[t * y_stride + height - 1 - r] = V4_NAME(lane_sum)(sum);", "outputs are swapped"),
    Mutation(
      "vector.h", "for (int round = 1; round < V4_LANES", "for (int round = 2; round < V4_LANES",
      "a square is not wholly turned"),
    Mutation(
      "vector.h", "memcpy(y, &x, (size_t)part * sizeof(float));", "memcpy(y, &x, sizeof(x));",
      "whole vectors are written at the end"),
  ]
}
