extension KnownBug {
  /// Wrong states, caches and serving. Most are about memory that is shared or stale, which values do not have; the laws
  /// of the tests hold any state to never having been split, batched or rolled back.
  static let decodeState: [KnownBug] = [
    KnownBug(
      "state-write-pad-4", \.state, WideSpeculationLosesRows(),
      wrong: "speculation wider than 4 tokens loses rows of the unfinished block",
      right: "any width can be taken back", references: ["https://github.com/sgl-project/sglang/pull/33872"]),
    KnownBug(
      "state-save-tail-only", \.state, OnlyTheTailIsSaved(),
      wrong: "only the unfinished block is saved, not the one before it that overlaps",
      right: "any accepted prefix equals serial decoding",
      references: ["https://github.com/vllm-project/vllm-ascend/issues/9111"]),
    KnownBug(
      "state-rejected-rows-stay", \.state, RejectedRowsStay(),
      wrong: "the next block is pooled from rows of rejected tokens", right: "from rows of accepted tokens",
      references: ["https://github.com/sgl-project/sglang/pull/34189"]),
    KnownBug(
      "prefix-cache-without-swa-or-compressor-state", \.state, WindowNotRestored(),
      wrong: "compressed entries are restored, the window is not", right: "a state is whole",
      references: ["https://github.com/sgl-project/sglang/pull/30339"]),
    KnownBug(
      "state-overwritten-within-step", notAStepOf: "core-attention",
      wrong: "a call overwrites ring rows that an earlier block of the same call still needs",
      right: "blocks are pooled before anything is overwritten",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/1013"],
      reason: "a matter of rings in place: law 1 compares every split with one prefill"),
    KnownBug(
      "multi-sequence-speculation", notAStepOf: "core-attention", wrong: "states of several sequences are mixed",
      right: "one state each", references: ["https://github.com/ggml-org/llama.cpp/issues/26741"],
      reason: "a matter of shared buffers: law 4 compares batches with sequences alone"),
    KnownBug(
      "captured-stride-vs-runtime-stride", notAStepOf: "core-attention",
      wrong: "rows are written with one stride and read with another", right: "one stride",
      references: ["https://github.com/vllm-project/vllm/pull/51318"], reason: "a matter of captured graphs"),
    KnownBug(
      "paged-block-table-first-page-only", notAStepOf: "core-attention",
      wrong: "only the first page of a sequence is looked up", right: "every page",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/417"], reason: "a matter of paged memory"),
    KnownBug(
      "scratch-buffer-alias", notAStepOf: "core-attention",
      wrong: "a buffer is overwritten while it is still read", right: "not",
      references: ["https://github.com/antirez/ds4/pull/884"], reason: "a race between kernels"),
    KnownBug(
      "prefill-length-hole", notAStepOf: "core-attention",
      wrong: "every prompt of 18 tokens or more gets a wrong prefill", right: "any length",
      references: ["https://github.com/patrickbdevaney/deepseek-v4-flash-0731-cuda"],
      reason: "a missing loop; cases have lengths from 1 to 303"),
  ]
}
