extension Mutation {
  static let ofRows = [
    Mutation(
      "elementwise.h", "sqrtf(V4_NAME(sum_of_squares)(x, width) / (float)width + epsilon)",
      "(sqrtf(V4_NAME(sum_of_squares)(x, width) / (float)width) + epsilon)", "ε outside of the root"),
    Mutation(
      "elementwise.h", "weight ? normalized * V4_NAME(load)(weight + i, part) : normalized", "normalized",
      "the norm has no weight"),
    Mutation("elementwise.h", "lane & 1 ? 1 : -1;", "lane & 1 ? -1 : 1;", "turned the other way"),
    Mutation("elementwise.h", "V4_INTERLEAVE_LOW(numbers, numbers)", "numbers", "angles of other pairs"),
    Mutation("elementwise.h", "kept = width - 2 * pairs;", "kept = 0;", "the first channels are turned"),
    Mutation("elementwise.h", "V4_SELECT(logit > V4_SPLAT(0), above, below)", "above", "small affinities cancel"),
    Mutation(
      "elementwise.h", "V4_SPLAT(factor) + V4_NAME(load)(bias + i, part)", "V4_SPLAT(factor)", "logits without a bias"),
    Mutation(
      "elementwise.h", "row++, x += x_stride, y += width", "row++, x += width, y += width", "parts of other rows"),
    Mutation("elementwise.h", "V4_SPLAT(factor) * gate + V4_SPLAT(term)", "V4_SPLAT(factor) * gate", "gates without ε"),
    Mutation(
      "elementwise.h", "V4_NAME(exponential)(logit * V4_SPLAT(0.5f))", "V4_NAME(exponential)(logit)",
      "no root of the exponential"),
    Mutation("elementwise.h", "    u = V4_SELECT(u < lowest, lowest, u);\n", "", "up has no lower limit"),
    Mutation(
      "elementwise.h", "g = V4_SELECT(g > highest, highest, g);",
      "g = V4_SELECT(g > highest, highest, V4_SELECT(g < lowest, lowest, g));", "the gate has a lower limit"),
    Mutation("elementwise.h", "limit > 0 ? limit : INFINITY", "limit", "a limit of 0 is one"),
    Mutation("elementwise.h", "y[i + half] = a - b;", "y[i + half] = b - a;", "a wrong sign in short rows"),
    Mutation("elementwise.h", "V4_STORE(y + i + half, a - b);", "V4_STORE(y + i + half, b - a);", "a wrong sign"),
    Mutation("elementwise.h", "lane & half ? -1 : 1;", "lane & half ? 1 : -1;", "a wrong sign inside of vectors"),
    Mutation(
      "elementwise.h", "(sums[0] + sums[1]) + (sums[2] + sums[3])", "(sums[0] + sums[1]) + sums[2]", "a sum is lost"),
    Mutation("elementwise.h", "scale = 1 / sqrtf((float)width);", "scale = 1 / (float)width;", "a wrong scale"),
    Mutation(
      "elementwise.h", "V4_NAME(load)(y + i, part) + V4_NAME(load)(x + i, part)", "V4_NAME(load)(x + i, part)",
      "only the last slot counts"),
    Mutation(
      "elementwise.h",
      "const v4_vec score = V4_NAME(load)(scores[r] + i, part) + V4_NAME(load)(biases[r] + i, part);",
      "const v4_vec score = V4_NAME(load)(scores[r] + i, part);", "no position bias"),
    Mutation("elementwise.h", "sum = sum + weight;", "sum = weight;", "only the last row in the denominator"),
  ]

  static let ofFunctions = [
    Mutation("functions.h", "V4_SPLAT(1.0f / 120)", "V4_SPLAT(1.0f / 126)", "a wrong coefficient of eˣ"),
    Mutation("functions.h", "  x = V4_SELECT(x < lowest, lowest, x);\n", "", "exponents below the least one"),
    Mutation("functions.h", "const v4_ivec half = k >> 1;", "const v4_ivec half = k;", "2ᵏ in one step"),
    Mutation("functions.h", "0x1.7f7d1cp-20f", "0x0p0f", "ln 2 in one part"),
    Mutation(
      "functions.h", "V4_SELECT(x < V4_SPLAT(0.0f), e, one)", "V4_SELECT(x < V4_SPLAT(0.0f), one, e)",
      "the other side of the sigmoid"),
    Mutation("functions.h", "V4_SPLAT(1.0f / 9)", "V4_SPLAT(1.0f / 8)", "a wrong coefficient of the logarithm"),
    Mutation("functions.h", "+ (four.y + four.w)", "", "half of the lanes are not added"),
  ]
}
