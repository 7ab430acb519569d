extension KnownBug {
  /// Wrong routers and experts (report 2.1).
  static let expertRouting: [KnownBug] = [
    KnownBug(
      "router-sigmoid-scores", \.routing, SigmoidScores(),
      wrong: "affinity = σ(x)", right: "√softplus(x)",
      references: ["https://github.com/flashinfer-ai/flashinfer/pull/5211"]),
    KnownBug(
      "router-softplus-of-root", \.routing, SoftplusOfRoot(),
      wrong: "affinity = softplus(√x): NaN for negative logits", right: "√softplus(x)",
      references: ["https://github.com/1bit-MONSTER/1bit-MONSTER/pull/1480"]),
    KnownBug(
      "router-softplus-underflow", \.routing, NaiveSoftplus(),
      wrong: "log(1 + eˣ) in float32: 0 below −16.6, infinite above 88.7, NaN weights when all scores vanish",
      right: "a stable softplus", references: ["https://github.com/sgl-project/sglang/pull/34459"]),
    KnownBug(
      "router-softplus-linear-above-20", \.routing, LinearSoftplusAbove20(),
      wrong: "softplus(x) = x above 20, as torch has it", right: "x + log(1 + e⁻ˣ)",
      visibility: .invisible("a relative error of at most 5e-11, a hundred times below float32 rounding")),
    KnownBug(
      "router-bias-not-loaded", \.routing, BiasNotLoaded(),
      wrong: "the selection ignores the bias", right: "top-k of affinity + bias",
      references: [
        "https://github.com/Avarok-Cybersecurity/atlas/pull/186", "https://github.com/tenstorrent/tt-metal/pull/47705",
      ]),
    KnownBug(
      "router-bias-in-weights", \.routing, BiasInWeights(),
      wrong: "weights from the biased scores", right: "the bias decides the selection and nothing else",
      references: ["https://github.com/anthony-chaudhary/fak/issues/4847"]),
    KnownBug(
      "router-scores-low-precision", \.routing, SelectionInBFloat16(),
      wrong: "scores are cast to BF16 before the top-k", right: "float32 scores",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2201"]),
    KnownBug(
      "router-gate-four-bits", \.routing, GateInFourBits(),
      wrong: "the gate weight is re-quantised to 4 bits", right: "the gate weight as shipped",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/186"]),
    KnownBug(
      "router-weights-not-normalized", \.routing, WeightsNotNormalized(),
      wrong: "weights = scores × route scale", right: "divided by their sum first"),
    KnownBug(
      "router-scale-missing", \.routing, RouteScaleMissing(),
      wrong: "no route scale (the default of the code, not of the models)", right: "1.5 in Flash, 2.5 in Pro"),
    KnownBug(
      "router-scale-of-flash", \.routing, RouteScaleOfFlash(),
      wrong: "Flash's route scale 1.5 for every model", right: "the route scale of the model's configuration"),
    KnownBug(
      "hash-weights-uniform", \.routing, UniformHashWeights(),
      wrong: "hash-routed experts weigh 1/k each", right: "normalised affinities × route scale",
      references: ["https://github.com/pie-project/pie/pull/480"]),
    KnownBug(
      "hash-routing-absent", \.routing, LearnedRoutingOnHashLayer(),
      wrong: "learned top-k on the hash layers", right: "the row of the token id in the table",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/186"]),
    KnownBug(
      "hash-input-ids-lost", \.routing, TokenIDsLost(),
      wrong: "token ids are replaced by zeros", right: "the ids travel with the tokens, or the layer refuses",
      references: ["https://github.com/NVIDIA/TensorRT-LLM/pull/13442"]),
    KnownBug(
      "hash-table-not-synchronised", \.routing, TableOfZeros(),
      wrong: "the table is all zeros: every token goes to expert 0", right: "the table of the checkpoint",
      references: ["https://github.com/radixark/miles/pull/2706"]),
    KnownBug(
      "hash-layer-gate-bias", \.routing, BiasOnHashLayer(),
      wrong: "a bias enters the weights of a hash layer", right: "hash layers have none; a stray one is skipped",
      references: ["https://github.com/vllm-project/vllm-ascend/pull/16029"]),
    KnownBug(
      "swiglu-clamp-missing-shared", \.expert, SharedExpertNotClamped(),
      wrong: "the shared expert is not clamped (as in the first revision of the released code)",
      right: "the same limit as the routed experts",
      references: ["https://github.com/sgl-project/sglang/pull/23776"]),
    KnownBug(
      "swiglu-clamp-missing-routed", \.expert, RoutedExpertsNotClamped(),
      wrong: "the routed experts are not clamped", right: "gate and up are clamped",
      references: ["https://github.com/vllm-project/vllm-ascend/pull/14364"]),
    KnownBug(
      "swiglu-clamp-after-product", \.expert, ClampAfterProduct(),
      wrong: "SiLU(gate) · up is clamped", right: "gate and up are clamped before",
      references: ["https://github.com/AMD-AGI/Primus/pull/698"]),
    KnownBug(
      "swiglu-gate-clamped-below", \.expert, GateClampedBelow(),
      wrong: "the gate is clamped on both sides", right: "above only",
      references: ["https://github.com/lablup/mlxcel/issues/550"]),
    KnownBug(
      "swiglu-limit-zero-clamps", \.expert, LimitZeroClampsToZero(),
      wrong: "a limit of 0 clamps everything to 0", right: "0 means no clamp"),
    KnownBug(
      "expert-weight-after-down", \.expert, WeightAfterDownProjection(),
      wrong: "the slot weight multiplies the output of the down projection",
      right: "its input: the same sum in exact arithmetic, another rounding; the activations differ"),
    KnownBug(
      "expert-slots-summed-in-bf16", \.expert, SlotsSummedInBFloat16(),
      wrong: "expert outputs are accumulated in BF16", right: "in float32, in slot order",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/3252"]),
    KnownBug(
      "expert-repeat-overwrites", \.expert, RepeatedExpertOverwrites(),
      wrong: "of an expert named twice in a hash row only one slot counts", right: "each slot counts (defined here)"),
    KnownBug(
      "expert-reduction-order", \.expert, SlotsSummedBackwards(),
      wrong: "expert outputs are summed in another order", right: "in slot order",
      references: ["https://github.com/radixark/miles/pull/1788"],
      visibility: .invisible("another order of a sum is the same number but for rounding")),
    KnownBug(
      "hash-ids-sharded-apart", notAStepOf: "expert-routing",
      wrong: "token ids are not gathered with the tokens they belong to", right: "both are sharded alike",
      references: ["https://github.com/sgl-project/sglang/pull/31700"],
      reason: "needs several processes: without sharding the code is right"),
    KnownBug(
      "hash-loader-wants-bias", notAStepOf: "expert-routing",
      wrong: "the loader refuses a hash layer because it has no gate bias", right: "hash layers have none",
      references: ["https://github.com/vllm-project/vllm-ascend/pull/16029"],
      reason: "a crash while loading, before anything is computed"),
  ]
}
