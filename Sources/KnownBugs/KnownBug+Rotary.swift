extension KnownBug {
  /// Wrong rotary embeddings (report 2.3.3).
  static let rotaryEmbedding: [KnownBug] = [
    KnownBug(
      "rope-half-split-pairs", \.everyRotary, HalfSplitPairs(), wrong: "pairs (j, j + r/2)",
      right: "neighbours (2j, 2j + 1)",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/244"]),
    KnownBug(
      "rope-first-dims", \.everyRotary, FirstChannelsRotated(), wrong: "the first r channels turn", right: "the last r",
      references: ["https://github.com/ml-explore/mlx-lm/pull/1189"]),
    KnownBug(
      "rope-reciprocal-frequency", \.everyRotary, FrequenciesInverted(), wrong: "angles are position / frequency",
      right: "position × frequency", references: ["https://github.com/ml-explore/mlx-lm/pull/1189"]),
    KnownBug(
      "yarn-missing-on-compressed-layers", \.everyRotary, YarnIgnored(), wrong: "YaRN is ignored",
      right: "the frequencies of compressed layers are interpolated",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2103"]),
    KnownBug(
      "yarn-mscale-on-cos-sin", \.everyRotary, YarnScalesAmplitude(), wrong: "cos and sin times 0.1 ln(factor) + 1",
      right: "amplitude 1", references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/342"]),
    KnownBug(
      "yarn-attention-factor-on-wrong-slice", \.everyRotary, YarnScalesFirstChannels(),
      wrong: "the first channels are scaled by 0.1 ln(factor) + 1", right: "nothing is",
      references: ["https://github.com/raullenchai/Rapid-MLX/pull/1225"]),
    KnownBug(
      "rope-indexer-v32-style", \.indexRotary, HalfSplitPairs(),
      wrong: "the indexer alone pairs channels (j, j + r/2), as in V3.2", right: "neighbours, everywhere",
      references: ["https://github.com/sgl-project/sglang/pull/13495"]),
    KnownBug(
      "rope-main-theta-on-compressed-layers", \.attention, MainThetaOnCompressedLayers(),
      wrong: "queries and window entries of compressed layers use the θ of sliding layers, without YaRN",
      right: "one rotary embedding for the whole layer",
      references: [
        "https://github.com/ml-explore/mlx-lm/pull/1189", "https://github.com/huggingface/transformers/issues/45910",
      ]),
    KnownBug(
      "rope-compress-theta-on-sliding-layers", \.attention, CompressThetaOnSlidingLayers(),
      wrong: "layers without compression use θ 160000 and YaRN", right: "θ 10000, no YaRN",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/276"]),
    KnownBug(
      "yarn-left-on-sliding-layers", \.attention, YarnOnSlidingLayers(),
      wrong: "layers without compression use YaRN", right: "none there",
      references: ["https://github.com/sgl-project/sglang/pull/34788"]),
    KnownBug(
      "rope-inverse-missing", \.attention, NotDerotated(), wrong: "the output is not rotated back",
      right: "the inverse at the position of the query", references: ["https://github.com/SharpAI/SwiftLM/pull/79"]),
    KnownBug(
      "rope-pool-not-rotated", \.compression, EntryNotRotated(), wrong: "compressed entries are not rotated",
      right: "at the first token of their block", references: ["https://github.com/ml-explore/mlx-lm/pull/1189"]),
    KnownBug(
      "rope-pool-index-instead-of-position", \.compression, EntryRotatedAtItsIndex(),
      wrong: "entry j is rotated at position j", right: "at j · ratio",
      references: ["https://github.com/AMD-AGI/Primus/pull/930"]),
    KnownBug(
      "rope-pool-last-token", \.compression, EntryRotatedAtItsLastToken(),
      wrong: "an entry is rotated at the last token of its block", right: "at the first",
      references: ["https://github.com/AMD-AGI/Primus/pull/930"]),
    KnownBug(
      "rope-inverse-in-place-aliasing", notAStepOf: "core-attention",
      wrong: "a fused kernel overwrites a tensor that is still needed", right: "the same values unfused",
      references: ["https://github.com/NVIDIA/Megatron-LM/issues/4468"],
      reason: "a matter of memory, not of a formula: this package has values, not buffers"),
    KnownBug(
      "rope-scalar-start-pos", notAStepOf: "core-attention",
      wrong: "one start position for a batch of unequal lengths", right: "a position for each sequence",
      references: ["https://github.com/hw-native-sys/pypto-lib/issues/351"],
      reason: "a batch here is a list of states, each with its own position: law 4 holds any batch to its sequences"),
  ]
}
