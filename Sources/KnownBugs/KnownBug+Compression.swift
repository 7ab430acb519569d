extension KnownBug {
  /// Wrong compressors (report 2.3.1 and 2.3.2).
  static let tokenCompression: [KnownBug] = [
    KnownBug(
      "compressor-no-overlap-at-all", \.compression, NoOverlap(), wrong: "ratio 4 pools 4 rows",
      right: "8 rows: the previous block's first half of the channels, this block's second half",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2039"]),
    KnownBug(
      "compressor-overlap-lost-in-decode", \.compression, OverlapLostInDecode(),
      wrong: "the previous block is forgotten between calls", right: "its rows are part of the state",
      references: ["https://github.com/jundot/omlx/pull/2271"]),
    KnownBug(
      "compressor-overlap-halves-swapped", \.compression, OverlapHalvesSwapped(),
      wrong: "first half of the channels = this block", right: "first half = previous block"),
    KnownBug(
      "compressor-first-window-default", \.compression, FirstWindowScoresZero(),
      wrong: "rows before the first block have score 0 and take weight", right: "score −∞",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/1013"]),
    KnownBug(
      "compressor-ape-in-content", \.compression, BiasInContent(),
      wrong: "the position bias is added to the content, too", right: "to the score alone"),
    KnownBug(
      "compressor-ape-missing", \.compression, BiasDropped(), wrong: "no position bias", right: "added to the score"),
    KnownBug(
      "compressor-ape-dtype", \.compression, BiasMisread(),
      wrong: "the float32 position bias is read as BF16", right: "as float32",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/347"]),
    KnownBug(
      "compressor-fixed-step-constants", \.compression, BiasOfTheLastRow(),
      wrong: "the row of the position bias comes from a compile-time position",
      right: "from the token's place in its block",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/243"]),
    KnownBug(
      "compressor-pooled-over-channels", \.compression, PooledOverChannels(),
      wrong: "one softmax weight for all channels of a row", right: "a softmax for each channel"),
    KnownBug(
      "compressor-never-runs-in-decode", \.compression, DeadInDecode(),
      wrong: "only blocks of the first call get their content", right: "a block is made whenever one is complete",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/275"]),
    KnownBug(
      "compressor-norm-offset", \.compression, EntryNormOffset(), wrong: "x · (1 + w)", right: "x · w",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/315"]),
    KnownBug(
      "compressor-quantised-in-fp8-recipe", \.compression, ProjectionsTakeFP8(),
      wrong: "the input of the compressor's projections is quantized to FP8",
      right: "BF16 weights, float32 arithmetic, no quantized input",
      references: [
        "https://github.com/NVIDIA/Megatron-LM/issues/4468", "https://github.com/ByteDance-Seed/VeOmni/pull/1089",
      ]),
    KnownBug(
      "compressor-null-length-argument", notAStepOf: "token-compression",
      wrong: "an operator without its length argument gives NaN or zeros", right: "with it",
      references: ["https://github.com/GDzhu01/vllm-ascend-deepseekv4/issues/76"],
      reason: "an interface of one operator; any case with a whole block shows NaN or zeros"),
    KnownBug(
      "compressor-write-not-ordered-before-read", notAStepOf: "token-compression",
      wrong: "attention reads the cache before this step has written it", right: "after",
      references: ["https://github.com/Luce-Org/lucebox/pull/494"],
      reason: "a race between kernels: one order of events gives right values"),
    KnownBug(
      "compressor-two-numerics-paths", notAStepOf: "token-compression",
      wrong: "a switch selects a less exact kernel", right: "one path",
      references: ["https://github.com/radixark/miles/pull/2040"],
      reason: "only a size of the effect is known, not a formula"),
  ]
}
