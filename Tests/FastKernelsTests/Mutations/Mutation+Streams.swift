extension Mutation {
  static let ofStreams = [
    Mutation(
      "streams.h", "tile[r][t] = V4_LOAD(sums + t * row_sums + r * V4_LANES);", "tile[r][t] = V4_SPLAT(0);",
      "only the last part of the columns counts"),
    Mutation(
      "streams.h", "square += first[b * tokens * (mixes + 1) + mixes];",
      "square = first[b * tokens * (mixes + 1) + mixes];",
      "squares of the last block only"),
    Mutation(
      "streams.h", "square = copied * copied + square;", "square = copied * copied;", "squares are lost on the way"),
    Mutation("streams.h", "sum = part * part + sum;", "sum = part * part;", "squares are lost at the beginning"),
    Mutation(
      "streams.h", "copies ? next + copied * x_stride : NULL", "copies ? next : NULL", "the next columns of one token"),
    Mutation("streams.h", "    here = there;\n", "", "parts take turns only once"),
    Mutation("streams.h", "/ (float)columns + epsilon);", "/ (float)columns);", "no ε in the root"),
    Mutation(
      "streams.h", "sum += first[b * tokens * (mixes + 1) + m];", "sum = first[b * tokens * (mixes + 1) + m];",
      "products of the last block only"),
    Mutation(
      "streams.h", "y + t * (mixes + 1), scratch);", "y, scratch);", "the sums of the first tokens are overwritten"),
    Mutation(
      "streams.h", "y[mixes] = V4_NAME(lane_sum)(V4_LOAD(squares + t * row_sums));",
      "y[mixes] = V4_NAME(lane_sum)(V4_LOAD(squares));", "the squares of the first token"),
    Mutation(
      "streams.h", "NULL, there + copied * V4_PART_STRIDE", "NULL, there", "the last token takes all places"),
    Mutation("streams.h", "sum = V4_SPLAT(extra) * part;", "sum = part;", "no post gate at the ends of a row"),
    Mutation("streams.h", "? V4_SPLAT(extra) * V4_LOAD(layer + i) :", "? V4_LOAD(layer + i) :", "no post gate"),
    Mutation(
      "streams.h", "(source, 4, width, factors, 4, layer + t * width",
      "(source, 4, width, combination + t * 16 + k * 4, 1, layer + t * width", "comb is not transposed"),
    Mutation(
      "streams.h", "const float extra = post[t * streams + k];", "const float extra = post[k];",
      "the post gates of the first token"),
    Mutation(
      "streams.h", "__builtin_nontemporal_store(sum,", "__builtin_nontemporal_store(-sum,",
      "a wrong sign in large results"),
    Mutation("streams.h", "/ sum + epsilon;", "/ (sum + epsilon);", "ε is added to the sums of the first pass"),
    Mutation(
      "streams.h",
      "    V4_NAME(normalize)(m, n, n, 1, epsilon);\n    V4_NAME(normalize)(m, n, 1, n, epsilon);",
      "    V4_NAME(normalize)(m, n, 1, n, epsilon);\n    V4_NAME(normalize)(m, n, n, 1, epsilon);",
      "iterations end on rows"),
    Mutation(
      "streams.h", "iteration = 1; iteration < iterations", "iteration = 0; iteration < iterations", "one too many"),
    Mutation("streams.h", "    sum = sum + epsilon;\n", "", "no ε in the passes"),
    Mutation("streams.h", "row < n && !from_start; row++", "row < n; row++", "the start is made twice"),
    Mutation(
      "streams.h", "(first + (lane < count ? lane : count - 1))", "(first + (lane < count ? count - 1 - lane : 0))",
      "matrices are swapped"),
  ]
}
