extension Mutation {
  static let ofStreams = [
    Mutation(
      "streams.h", "const float *row = weight + (m + r) * weight_stride;",
      "const float *row = weight + r * weight_stride;",
      "every tile has the first mixes"),
    Mutation("streams.h", "if (i < end) *target = row[i];", "", "an odd column is dropped", leastLanes: 16),
    Mutation(
      "streams.h", "if (count < V4_MIX_ROWS || columns < padded) memset(packed, 0,", "if (0) memset(packed, 0,",
      "places without a column are not cleared"),
    Mutation(
      "streams.h", "V4_STORE(squares[step], part * part + V4_LOAD(squares[step]));",
      "V4_STORE(squares[step], part * part);", "only the last squares count"),
    Mutation("streams.h", "? squares : NULL;", "|| 1 ? squares : NULL;", "squares are added for each tile of mixes"),
    Mutation(
      "streams.h", "if (whole < columns) V4_NAME(mix_tile)(ends,", "if (0) V4_NAME(mix_tile)(ends,",
      "columns beyond the last whole vector are dropped"),
    Mutation(
      "streams.h", "packed + whole * V4_MIX_ROWS, 0, tile_squares", "packed, 0, tile_squares",
      "the last columns meet the first weights"),
    Mutation(
      "streams.h", "lanes[t][r * V4_MIX_BESIDE + i]", "lanes[0][r * V4_MIX_BESIDE + i]", "mixes of the first token"),
    Mutation(
      "streams.h", "x + V4_NAME(least)(t, count - 1) * x_stride;",
      "x + (count - 1 - V4_NAME(least)(t, count - 1)) * x_stride;",
      "tokens are in reverse order"),
    Mutation(
      "streams.h", "square += first[b * tokens * (mixes + 1) + mixes];",
      "square = first[b * tokens * (mixes + 1) + mixes];",
      "squares of the last block only"),
    Mutation("streams.h", "/ (float)columns + epsilon);", "/ (float)columns);", "no ε in the root"),
    Mutation(
      "streams.h", "sum += first[b * tokens * (mixes + 1) + m];", "sum = first[b * tokens * (mixes + 1) + m];",
      "products of the last block only"),
    Mutation(
      "streams.h", "packed, mixes,\n        y + t * (mixes + 1));", "packed, mixes,\n        y);",
      "the sums of the first tokens are overwritten"),
    Mutation(
      "streams.h", "V4_NAME(lane_sum)(V4_LOAD(squares[t]));", "V4_NAME(lane_sum)(V4_LOAD(squares[0]));",
      "the squares of the first token"),
    Mutation("streams.h", "sum = V4_SPLAT(extra) * part;", "sum = part;", "no post gate at the ends of a row"),
    Mutation("streams.h", "? V4_SPLAT(extra) * V4_LOAD(layer + i) :", "? V4_LOAD(layer + i) :", "no post gate"),
    Mutation(
      "streams.h", "(source, 4, width, factors, 4, output",
      "(source, 4, width, combination + t * 16 + k * 4, 1, output", "comb is not transposed"),
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
