extension KnownBug {
  /// Wrong hyper-connections (report 2.2).
  static let hyperConnections: [KnownBug] = [
    KnownBug(
      "mhc-comb-transposed", \.hyperConnection, CombNotTransposed(),
      wrong: "the residual is mixed with comb · X", right: "combᵀ · X: the first axis of comb is the source stream",
      references: [
        "https://github.com/NVIDIA-NeMo/Automodel/issues/2154", "https://github.com/NVIDIA/Megatron-LM/issues/4957",
        "https://github.com/AMD-AGI/Primus/pull/1040",
      ]),
    KnownBug(
      "mhc-split-order", \.hyperConnection, SplitPreCombPost(),
      wrong: "mixes, base and scale are split as pre | comb | post", right: "pre | post | comb, in all three"),
    KnownBug(
      "mhc-comb-sigmoid-start", \.hyperConnection, SinkhornFromSigmoid(),
      wrong: "Sinkhorn starts from σ(logits) + ε", right: "from the softmax of each row + ε",
      references: ["https://github.com/hebo1221/nano-deepseek-v4"]),
    KnownBug(
      "mhc-sinkhorn-exp-start", \.hyperConnection, SinkhornFromExponential(),
      wrong: "Sinkhorn starts from exp(logits), columns first", right: "from the softmax of each row + ε",
      references: ["https://github.com/AI-Hypercomputer/maxtext/pull/4337"]),
    KnownBug(
      "mhc-sinkhorn-columns-first", \.hyperConnection, SinkhornColumnsFirst(),
      wrong: "columns and rows change places: it ends on rows", right: "rows first, columns last",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2039"]),
    KnownBug(
      "mhc-sinkhorn-one-iteration-less", \.hyperConnection, SinkhornMoreIterations(more: -1),
      wrong: "one iteration too few", right: "the start counts as the first iteration, then iterations − 1 pairs"),
    KnownBug(
      "mhc-sinkhorn-one-iteration-more", \.hyperConnection, SinkhornMoreIterations(more: 1),
      wrong: "one iteration too many: the start is not counted", right: "iterations − 1 pairs after the start",
      references: ["https://github.com/AI-Hypercomputer/maxtext/pull/4337"]),
    KnownBug(
      "mhc-sinkhorn-skipped", \.hyperConnection, SinkhornSkipped(),
      wrong: "comb = exp(logits): nothing bounds it, the streams grow from layer to layer",
      right: "comb is nearly doubly stochastic"),
    KnownBug(
      "mhc-sinkhorn-no-start-eps", \.hyperConnection, SinkhornStartWithoutEpsilon(),
      wrong: "no ε after the first softmax", right: "ε is added to every entry of the softmax",
      references: ["https://github.com/NVIDIA/Megatron-LM/pull/3828"]),
    KnownBug(
      "mhc-sinkhorn-no-sum-eps", \.hyperConnection, SumsWithoutEpsilon(),
      wrong: "no ε in the denominators", right: "ε is added to every row and column sum"),
    KnownBug(
      "mhc-sinkhorn-eps-clamp", \.hyperConnection, SumsClampedAtEpsilon(),
      wrong: "denominators are max(sum, ε)", right: "sum + ε",
      references: ["https://github.com/NVIDIA/Megatron-LM/pull/3828"]),
    KnownBug(
      "mhc-sinkhorn-eps-tenfold", \.hyperConnection, SinkhornWithTenfoldEpsilon(),
      wrong: "another ε, such as 1e-5 for 1e-6", right: "hc_eps"),
    KnownBug(
      "mhc-pre-eps-missing", \.hyperConnection, PreWithoutEpsilon(), wrong: "pre = σ(x)", right: "σ(x) + hc_eps"),
    KnownBug(
      "mhc-post-factor-missing", \.hyperConnection, PostWithoutFactor2(), wrong: "post = σ(x)", right: "2 σ(x)"),
    KnownBug(
      "mhc-post-like-pre", \.hyperConnection, PostLikePre(), wrong: "post = σ(x) + ε, as pre", right: "2 σ(x), no ε",
      references: ["https://github.com/hebo1221/nano-deepseek-v4"]),
    KnownBug(
      "mhc-post-eps", \.hyperConnection, PostWithEpsilon(), wrong: "post = 2 σ(x) + ε", right: "2 σ(x), no ε"),
    KnownBug(
      "mhc-norm-eps-confused", \.hyperConnection, NormWithSinkhornEpsilon(),
      wrong: "hc_eps inside the root of the mixing projection", right: "the model's rms_norm_eps"),
    KnownBug(
      "mhc-head-first-stream", \.hyperConnection, HeadTakesFirstStream(),
      wrong: "stream 0 goes to the final norm", right: "the gated sum of all streams",
      references: ["https://github.com/AI-Hypercomputer/maxtext/pull/4337"]),
    KnownBug(
      "mhc-head-mean", \.hyperConnection, HeadTakesMean(),
      wrong: "the mean of the streams goes to the final norm", right: "the gated sum of all streams",
      references: ["https://github.com/AI-Hypercomputer/maxtext/pull/4789"]),
    KnownBug(
      "mhc-head-eps-missing", \.hyperConnection, HeadWithoutEpsilon(), wrong: "head gates = σ(x)",
      right: "σ(x) + hc_eps"),
    KnownBug(
      "mhc-streams-low-precision", \.hyperConnection, StreamsInBFloat16(),
      wrong: "the residual streams are kept in BF16", right: "in full precision",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/186"]),
    KnownBug(
      "mhc-mixes-low-precision", \.hyperConnection, MixesInBFloat16(),
      wrong: "the mixes are kept in BF16", right: "float32 mixes and coefficients",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/186"]),
    KnownBug(
      "mhc-rms-nondeterministic", \.hyperConnection, NormSummedBackwards(),
      wrong: "the mean of squares is summed in an order that changes from run to run", right: "in a fixed order",
      references: ["https://github.com/pie-project/pie/pull/480"],
      visibility: .invisible("another order of a sum is the same number but for rounding; runs of one engine differ")),
    KnownBug(
      "mhc-head-at-pipeline-boundary", notAStepOf: "hyper-connections",
      wrong: "every pipeline stage expands to n streams and collapses them again",
      right: "expand on the first stage, collapse on the last",
      references: ["https://github.com/vllm-project/vllm-ascend/pull/9473"],
      reason: "needs several processes: with one stage the code is right"),
    KnownBug(
      "mhc-fused-kernel-explodes", notAStepOf: "hyper-connections",
      wrong: "a fused kernel parts from the op-by-op path; the hidden state grows from 0.07 to 376",
      right: "the same values as op by op", references: ["https://github.com/ml-explore/mlx-lm/pull/1189"],
      reason: "only a symptom is known, not a formula; mhc-sinkhorn-skipped shows the same symptom"),
  ]
}
