import LowPrecision

extension KnownBug {
  /// Wrong rounding and wrong weight formats (report 2.3.4 and 5.2.1).
  static let lowPrecision: [KnownBug] = rounding + scales + storedWeights + quantizedPoints + deployedSteps

  private static let rounding: [KnownBug] = [
    KnownBug(
      "fp8-ties-away", \.quantization, CastByRule(format: .float8E4M3, rule: .toNearestOrAwayFromZero),
      wrong: "FP8 rounds halves away from zero", right: "to even"),
    KnownBug(
      "fp8-truncated", \.quantization, CastByRule(format: .float8E4M3, rule: .towardZero),
      wrong: "FP8 cuts the bits off", right: "to nearest"),
    KnownBug(
      "fp4-ties-away", \.quantization, CastByRule(format: .float4E2M1, rule: .toNearestOrAwayFromZero),
      wrong: "an FP4 table that takes 0.25 to 0.5, 1.25 to 1.5, 2.5 to 3 and 5 to 6", right: "to even"),
    KnownBug(
      "fp4-truncated", \.quantization, CastByRule(format: .float4E2M1, rule: .towardZero),
      wrong: "FP4 cuts the bits off", right: "to nearest"),
    KnownBug(
      "bf16-truncated", \.quantization, ActivationsByRule(rule: .towardZero),
      wrong: "BF16 is the upper half of the bits", right: "to nearest"),
    KnownBug(
      "bf16-ties-away", \.quantization, ActivationsByRule(rule: .toNearestOrAwayFromZero),
      wrong: "BF16 rounds halves away from zero", right: "to even"),
    KnownBug(
      "fp8-largest-240", \.quantization, FP8LargestIs240(), wrong: "values saturate at 240, as in the other E4M3",
      right: "at 448"),
    KnownBug(
      "fp8-not-saturating", \.quantization, FP8OverflowsToNaN(), wrong: "values above 464 become NaN",
      right: "they are clamped to ±448 before the cast"),
    KnownBug(
      "fp8-denormals-flushed", \.quantization, FP8DenormalsFlushed(), wrong: "magnitudes below 2⁻⁶ become 0",
      right: "E4M3 has multiples of 2⁻⁹ there"),
  ]

  private static let scales: [KnownBug] = [
    KnownBug(
      "ue8m0-scale-not-power-of-two", \.quantization, ScaleNotRounded(),
      wrong: "blocks are quantized with the scale amax / 448 as it is",
      right: "with that rounded up to a power of two first",
      references: [
        "https://github.com/sgl-project/sglang/pull/25733", "https://github.com/sgl-project/sglang/pull/26766",
      ]),
    KnownBug(
      "ue8m0-scale-truncated", \.quantization, ScaleRoundedDown(),
      wrong: "the significand of the scale is cut off", right: "the scale is rounded up",
      references: ["https://github.com/sgl-project/sglang/issues/39193"]),
    KnownBug(
      "ue8m0-scale-to-nearest", \.quantization, ScaleRoundedToNearest(),
      wrong: "the scale is the nearest power of two, and the largest values saturate", right: "the next one above"),
    KnownBug(
      "ue8m0-scale-from-logarithm", \.quantization, ScaleFromLogarithm(),
      wrong: "⌈log₂⌉ by a float32 logarithm: one ulp above 448 · 2⁷ it is a step too low",
      right: "from the bits of the exponent"),
    KnownBug(
      "quantization-floor-missing", \.quantization, ScaleWithoutFloor(),
      wrong: "the scale has no floor: 0/0 in a block of zeros", right: "amax is at least 10⁻⁴, for FP4 6 · 2⁻¹²⁶"),
    KnownBug(
      "fp4-floor-of-fp8", \.quantization, FloorOfFP8Everywhere(), wrong: "the floor of FP8 in FP4 blocks, too",
      right: "6 · 2⁻¹²⁶"),
  ]

  private static let storedWeights: [KnownBug] = [
    KnownBug(
      "e8m0-byte-as-float", \.quantization, ScaleByteAsNumber(), wrong: "the scale byte 120 is the number 120",
      right: "2^(120 − 127)",
      references: [
        "https://github.com/vllm-project/vllm/pull/51946", "https://github.com/vllm-project/vllm/issues/43416",
      ]),
    KnownBug(
      "e8m0-255-finite", \.quantization, ScaleByte255Finite(), wrong: "the scale byte 255 is 2¹²⁸", right: "NaN"),
    KnownBug(
      "e8m0-0-flushed", \.quantization, ScaleByte0IsZero(), wrong: "the scale byte 0 is 0", right: "2⁻¹²⁷"),
    KnownBug(
      "fp4-nibble-order", \.quantization, HighNibbleFirst(), wrong: "the high nibble comes first",
      right: "the low nibble",
      references: [
        "https://github.com/sgl-project/sglang/pull/23908", "https://github.com/RobTand/prismaquant/issues/26",
        "https://github.com/anthony-chaudhary/fak/issues/4829",
      ]),
    KnownBug(
      "fp4-treated-as-other-4bit", \.quantization, FP4ScaleAsE4M3(),
      wrong: "the scale byte of an FP4 block is read as E4M3, as NVFP4 has it", right: "as UE8M0",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/293"]),
    KnownBug(
      "lossless-claim-from-narrow-test", \.quantization, FP4ScaleFoldedIntoFP8(),
      wrong: "FP4 scales are folded into FP8 values: below 2⁻¹⁰ they vanish, above 448 they saturate",
      right: "the whole range of the exponent byte",
      references: ["https://github.com/vllm-project/vllm/pull/53709"]),
    KnownBug(
      "fp4-read-by-an-fp8-dequantizer", notAStepOf: "low-precision",
      wrong: "bytes of two FP4 codes are read as one FP8 code: half of the weights are missing", right: "two codes",
      references: ["https://github.com/modelscope/ms-swift/issues/9724"],
      reason: "the shapes do not fit; the checkpoint reader refuses them"),
  ]

  private static let quantizedPoints: [KnownBug] = [
    KnownBug(
      "ref-act-quant-without-fp8-rounding", \.quantization, EntriesCastToBFloat16(),
      wrong: "entries are scaled and clamped, but cast to BF16, as in the first revision of the released code",
      right: "cast to FP8 (second revision)"),
    KnownBug(
      "kv-fp8-layout", \.quantization, EntriesWithOneScale(),
      wrong: "a whole entry is FP8 with one scale, its rotary dims included",
      right: "a scale for every 64 dims, the rotary dims in BF16",
      references: ["https://github.com/NVIDIA/TensorRT-LLM/issues/14327"]),
    KnownBug(
      "kv-fp8-rotary-dims", \.quantization, RotaryDimsQuantized(), wrong: "the rotary dims are FP8, too",
      right: "BF16", references: ["https://github.com/vllm-project/vllm/pull/57523"]),
    KnownBug(
      "kv-fp8-blocks-of-32", \.quantization, EntriesInBlocks(columns: 32),
      wrong: "entries in blocks of 32, as V4.1 has them", right: "of 64",
      references: ["https://github.com/vllm-project/vllm/pull/57523"]),
    KnownBug(
      "kv-cache-rotation-diverts-sparse-path", \.quantization, EntriesStayRotated(),
      wrong: "entries are rotated by a Hadamard matrix before they are quantized, and nothing turns them back",
      right: "entries are not transformed",
      references: [
        "https://github.com/ggml-org/llama.cpp/issues/25382", "https://github.com/ggml-org/llama.cpp/pull/25391",
        "https://github.com/ggml-org/llama.cpp/pull/25871",
      ]),
    KnownBug(
      "act-quant-entries-missing", \.quantization, EntriesNotQuantized(), wrong: "entries stay in BF16",
      right: "FP8 in blocks of 64", references: ["https://github.com/zoecarver/tt-deepseek-v4"]),
    KnownBug(
      "act-quant-index-path-missing", \.quantization, IndexPathNotQuantized(),
      wrong: "index queries and keys stay in BF16", right: "FP4 in blocks of 32",
      references: ["https://github.com/zoecarver/tt-deepseek-v4"]),
    KnownBug(
      "act-quant-index-path-fp8", \.quantization, IndexPathInFP8(),
      wrong: "index queries and keys are FP8 with one scale each, as in V3.2", right: "FP4 in blocks of 32",
      references: ["https://github.com/ByteDance-Seed/VeOmni/pull/1089"]),
    KnownBug(
      "act-quant-index-path-groups-of-16", \.quantization, IndexPathInGroupsOf16(),
      wrong: "index queries and keys in groups of 16, as NVFP4 has them", right: "of 32"),
    KnownBug(
      "act-quant-linear-inputs-missing", \.quantization, LinearInputsNotQuantized(),
      wrong: "inputs of FP8 and FP4 matrices stay in BF16", right: "FP8 in blocks of 128",
      references: ["https://github.com/zoecarver/tt-deepseek-v4"]),
    KnownBug(
      "act-quant-activations-missing", \.quantization, ActivationsNotRounded(),
      wrong: "activations between modules stay in float32", right: "BF16"),
  ]

  private static let deployedComponents = ["low-precision"] + modelComponents

  /// Steps of attention that the deployed model rounds otherwise: they show in whole models alone.
  private static let deployedSteps: [KnownBug] = [
    KnownBug(
      "act-quant-points", \.attention, GroupInputsQuantized(), in: deployedComponents,
      wrong: "the input of wo_a is quantized, too", right: "wo_a runs in BF16",
      references: ["https://github.com/ByteDance-Seed/VeOmni/pull/1089"]),
    KnownBug(
      "deployed-head-norm-unrounded", \.attention, HeadNormUnrounded(), in: deployedComponents,
      wrong: "the norm of query heads computes in float32", right: "BF16 after every operation",
      references: ["https://huggingface.co/docs/transformers/main/model_doc/deepseek_v4"]),
    KnownBug(
      "deployed-exponentials-unrounded", \.attention, ExponentialsUnrounded(), in: deployedComponents,
      wrong: "the softmax stays in float32 until its output",
      right: "exponentials are BF16 where they meet the entries"),
    KnownBug(
      "deployed-slots-without-empty-ones", \.attention, EmptySlotsSkipped(), in: deployedComponents,
      wrong: "compressed entries follow the last visible window entry",
      right: "the window has as many slots as it is wide, and blocks of 64 slots are counted from its first"),
    KnownBug(
      "deployed-index-scores-unrounded", \.indexer, IndexScoresUnrounded(), in: deployedComponents,
      wrong: "index scores stay in float32", right: "products, weighted products and their sum are BF16"),
  ]
}
