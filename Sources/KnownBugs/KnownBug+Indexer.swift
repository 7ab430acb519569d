extension KnownBug {
  /// Wrong lightning indexers (report 2.3.1).
  static let lightningIndexer: [KnownBug] = [
    KnownBug(
      "indexer-hadamard-one-side", \.indexer, HadamardOfQueriesOnly(), wrong: "queries are transformed, keys are not",
      right: "both", references: ["https://github.com/ROCm/ATOM/issues/1507"]),
    KnownBug(
      "indexer-hadamard-dead-flag", \.indexer, HadamardAbsent(),
      wrong: "no Hadamard transform: exact scores are the same, what is quantised is not", right: "both sides",
      references: ["https://github.com/vllm-project/vllm/pull/55459"]),
    KnownBug(
      "indexer-relu-missing", \.indexer, IndexReLUMissing(), wrong: "Σ w (q · k)", right: "Σ w ReLU(q · k)",
      references: ["https://github.com/1CatAI/1Cat-vLLM/pull/250"]),
    KnownBug(
      "indexer-sigmoid-mean", \.indexer, IndexSigmoidMean(), wrong: "σ of the weights, mean over the heads",
      right: "the weights, summed", references: ["https://github.com/ml-explore/mlx-lm/pull/1189"]),
    KnownBug(
      "indexer-weights-not-scaled", \.indexer, IndexWeightsNotScaled(),
      wrong: "no i^(−1/2) · H^(−1/2): the order is the same, the scores are not", right: "scaled"),
    KnownBug(
      "indexer-query-norm", \.indexer, IndexQueriesNormalized(),
      wrong: "index queries are normalised like attention queries",
      right: "no norm"),
    KnownBug(
      "indexer-low-precision-default", \.indexer, IndexScoresInBFloat16(), wrong: "scores in BF16 before the top-k",
      right: "in full precision (the deployed numerics are a mode of its own)",
      references: ["https://github.com/AMD-AGI/Primus/pull/928"]),
    KnownBug(
      "indexer-skipped", \.indexer, EveryVisibleEntrySelected(), wrong: "all visible entries are attended to",
      right: "the best k", references: ["https://github.com/ml-explore/mlx-lm/pull/1201"]),
    KnownBug(
      "indexer-topk-hardcoded-512", \.indexer, TopKHardCoded(), wrong: "k = 512 for every model",
      right: "the configuration's: 512 in Flash, 1024 in Pro",
      references: ["https://github.com/antirez/ds4/pull/478"]),
    KnownBug(
      "indexer-tie-order", \.indexer, TiesReversed(), wrong: "equal scores by higher index (defined here)",
      right: "by lower index",
      references: ["https://github.com/matteorossini997-lab/deepseek-v4-in-c"]),
    KnownBug(
      "csa-topk-flattened-over-queries", \.indexer, SelectionFlattened(),
      wrong: "every token of a call attends to what any of them selected", right: "to its own selection",
      references: ["https://github.com/huggingface/transformers/issues/45758"]),
    KnownBug(
      "topk-minus-one-clamped-over-block-0", \.indexer, PaddingHidesEntryZero(),
      wrong: "the padding of a short selection hides entry 0", right: "padding is skipped",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2152"]),
    KnownBug(
      "indexer-cache-layout", notAStepOf: "compressed-sparse-attention",
      wrong: "values and scales of a quantised cache block are interleaved otherwise", right: "as written",
      references: ["https://github.com/1CatAI/1Cat-vLLM/pull/250"],
      reason: "a layout of packed bytes; states here hold numbers"),
    KnownBug(
      "indexer-sentinel-or-uninitialised-index", notAStepOf: "compressed-sparse-attention",
      wrong: "padding indices are dereferenced", right: "skipped",
      references: ["https://github.com/antirez/ds4/pull/884"], reason: "reads foreign memory: no value is defined"),
    KnownBug(
      "indexer-int32-overflow", notAStepOf: "compressed-sparse-attention",
      wrong: "row · stride in 32 bits", right: "in 64", references: ["https://github.com/ROCm/aiter/pull/4028"],
      reason: "needs more than 2³¹ elements"),
    KnownBug(
      "indexer-hadamard-lost-in-fusion", notAStepOf: "compressed-sparse-attention",
      wrong: "a fusion drops the transform", right: "kept",
      references: ["https://github.com/NVIDIA/TensorRT-LLM/pull/15158"],
      reason: "the same variant as indexer-hadamard-dead-flag"),
  ]
}
