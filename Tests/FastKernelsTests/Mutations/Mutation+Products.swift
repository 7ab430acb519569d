extension Mutation {
  static let ofProducts = [
    Mutation("vector.h", "if (r < height)", "if (r + 1 < height)", "the last output of a square is left out"),
    Mutation("linear.h", "token * high + sums[t][1]", "token * low + sums[t][1]", "the other half of the outputs"),
    Mutation(
      "linear.h", "keeps_groups && chunk.is_last ?", "keeps_groups && chunk.is_first ?",
      "finished before all columns are summed"),
    Mutation(
      "linear.h", "V4_MOST_OUTPUTS % finish->group == 0;", "1;", "a group across two blocks is finished in parts"),
    Mutation(
      "linear.h", "if (finish && !keeps_groups) finish->body(finish->context, 0, tokens,",
      "if (finish && !keeps_groups) finish->body(finish->context, 0, tokens - 1,", "the last token is not finished"),
    Mutation("linear.h", "if (!chunk.is_first) {", "if (0) {", "only the last columns count"),
    Mutation("linear.h", ".is_first = i == 0,", ".is_first = 0,", "sums begin with what scratch held"),
    Mutation("linear.h", "chunk, so_far + o * tokens,", "chunk, so_far,", "tiles of other outputs hold the same sums"),
    Mutation("linear.h", "*sums = so_far + t * width;", "*sums = so_far;", "tiles of other tokens hold the same sums"),
    Mutation(
      "linear.h", "*corner = weight + o * weight_stride + i;", "*corner = weight + o * weight_stride;",
      "the first columns of the weight again"),
    Mutation("linear.h", "x + (t + r) * x_stride", "x + r * x_stride", "the first tokens again"),
    Mutation(
      "linear.h", "panel, tokens, block + o * columns,", "panel, tokens, block,", "the first outputs of a block again"),
    Mutation("linear.h", "t < tokens; t += count", "t + 1 < tokens; t += count", "the last token is left out"),
    Mutation(
      "linear.h", "V4_SPLAT(panel[t * V4_PANEL_STRIDE + i])", "V4_SPLAT(panel[(tokens - 1 - t) * V4_PANEL_STRIDE + i])",
      "tokens of a tile are swapped"),
    Mutation("linear.h", "right = outputs - left;", "right = 0;", "the second half of a tile is dropped"),
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
