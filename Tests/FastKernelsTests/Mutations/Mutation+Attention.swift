extension Mutation {
  static let ofAttention = [
    Mutation(
      "attention.h", "denominator = sum + V4_NAME(exponential)(sink - largest);", "denominator = sum;",
      "no sink in the denominator"),
    Mutation(
      "attention.h", "V4_LOAD(scores + j * V4_LANES) * scale;", "V4_LOAD(scores + j * V4_LANES);", "no scale"),
    Mutation("attention.h", "largest = V4_MAX(score, largest);", "", "the largest score is not subtracted"),
    Mutation(
      "attention.h", "V4_LOAD_PART(sink, sinks + vector * V4_LANES,", "V4_LOAD_PART(sink, sinks,", "other sinks"),
    Mutation("attention.h", "block, first == 0, y,", "block, 1, y,", "only the last block of entries counts"),
    Mutation(
      "attention.h", "V4_LOAD_PART(rest, entry + v * V4_LANES,", "V4_LOAD_PART(rest, entry,",
      "other channels at the end"),
    Mutation(
      "attention.h", "probabilities + head / V4_LANES * vector_stride + head % V4_LANES;",
      "probabilities + head % V4_LANES;", "the first vector of heads again"),
    Mutation(
      "attention.h", "rows[r] = entries[row < count ? row : count - 1];",
      "rows[r] = entries[row < count ? count - 1 - row : 0];", "scores of other entries"),
    Mutation(
      "attention.h", "(size_t)(heads * width) * sizeof(float)", "(size_t)width * sizeof(float)",
      "who sees nothing gets what was there"),
    Mutation("attention.h", "if (h >= heads) continue;", "if (h > heads) continue;", "a head too many is written"),
    Mutation(
      "tiles.h", "+ vector % 2 * V4_LANES;", "+ 0 * V4_LANES;", "the second vector of heads in the place of the first"),
    Mutation("tiles.h", "query + head * width + i;", "query + i;", "the first vector of heads is packed again"),
    Mutation("tiles.h", "sums[r][v] + value * q[v]", "sums[r][v] + value * q[0]", "the first vector of heads again"),
  ]

  static let ofIndexer = [
    Mutation("indexer.h", "(token + t) * pairs", "t * pairs", "angles of the first tokens again"),
    Mutation("indexer.h", "outputs / rotation->width,", "1,", "only the first head is rotated and transformed"),
    Mutation(
      "indexer.h", "    V4_NAME(hadamard)(queries, heads, rotation->width, queries);\n", "",
      "queries are not transformed"),
    Mutation("indexer.h", "& ~(sums[r][v] < V4_SPLAT(0.0f)) & mask", "& mask", "no ReLU"),
    Mutation(
      "indexer.h", "& ~(sums[r][v] < V4_SPLAT(0.0f)) & mask", "& (sums[r][v] > V4_SPLAT(0.0f)) & mask",
      "ReLU takes NaN for 0"),
    Mutation(
      "indexer.h", "& ~(sums[r][v] < V4_SPLAT(0.0f)) & mask", "& ~(sums[r][v] < V4_SPLAT(0.0f))",
      "NaN of lanes without a head"),
    Mutation("indexer.h", "totals[r] + weight * rectified", "weight * rectified", "only the last heads count"),
    Mutation(
      "indexer.h", "V4_TILE_ROWS && first + r < count;", "V4_TILE_ROWS && first + r < count - 1;", "no last key"),
    Mutation("indexer.h", "unsigned_zero = score + 0.0f;", "unsigned_zero = score;", "−0 is below +0"),
    Mutation(
      "indexer.h", "bits >> 31 ? bits : bits", "bits >> 31 ? ~bits | 0x80000000 : bits", "negatives run backwards"),
    Mutation("indexer.h", "!= x[index]) return index;", "!= x[index]) return -1;", "NaN at the end is accepted"),
    Mutation(
      "indexer.h", "if (__builtin_reduce_or(found)) break;", "if (__builtin_reduce_or(found)) return -1;",
      "NaN in whole vectors is accepted"),
    Mutation("indexer.h", "? scores[indices[k - 1]] -", "? scores[indices[0]] -", "the margin of the best one"),
    Mutation("indexer.h", "& 0xFFFFFFFF] : INFINITY;", "& 0xFFFFFFFF] : 0;", "a margin where nothing was rejected"),
    Mutation(
      "indexer.h", "      candidates[index] = (uint64_t)V4", "      candidates[count - 1 - index] = (uint64_t)V4",
      "the last one of equals first"),
    Mutation(
      "indexer.h", "    while (left[index] != best[0]) index++;\n", "", "the first of the lanes beside the best one"),
    Mutation(
      "indexer.h", "    candidates[c] = (uint64_t)index;\n    left[index] = NAN;",
      "    candidates[c] = (uint64_t)index;", "the best one again and again"),
    Mutation("indexer.h", "ties <= rank;", "ties < rank;", "one of the equals too few"),
    Mutation(
      "indexer.h", "left > wanted && shift >= 0;", "left > wanted && shift > 0;", "the lowest bits do not count"),
  ]
}
