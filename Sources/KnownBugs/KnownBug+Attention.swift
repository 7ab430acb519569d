extension KnownBug {
  /// Wrong core attention (report 2.3.3), wrong windows, wrong visibility.
  static let coreAttention: [KnownBug] = [
    KnownBug(
      "window-not-enforced", \.attention, WindowUnbounded(), wrong: "all tokens so far are in the window",
      right: "the last W", references: ["https://github.com/onnxruntime/mobius/pull/596"]),
    KnownBug("window-one-more", \.attention, WindowOneMore(), wrong: "W + 1 tokens", right: "W, the query included"),
    KnownBug("window-one-less", \.attention, WindowOneLess(), wrong: "W − 1 tokens", right: "W, the query included"),
    KnownBug(
      "window-invalid-slot-counted", \.attention, EmptySlotsCounted(),
      wrong: "empty slots of the window enter the denominator", right: "only tokens that exist",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/1014"]),
    KnownBug(
      "sink-missing", \.attention, SinkMissing(), wrong: "a plain softmax", right: "exp(sink) in the denominator"),
    KnownBug(
      "sink-as-dummy-kv", \.attention, SinkAsEmptyEntry(), wrong: "the sink is an entry of zeros with logit 0",
      right: "a learned logit for each head, in the denominator only"),
    KnownBug(
      "sink-dtype-misread", \.attention, SinksMisread(), wrong: "float32 sinks are read as BF16", right: "as float32",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/333"]),
    KnownBug(
      "softmax-bf16", \.attention, ProbabilitiesInBFloat16(), wrong: "probabilities in BF16",
      right: "in full precision",
      references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2201"]),
    KnownBug(
      "yarn-mscale-in-softmax-scale", \.attention, YarnScalesSoftmax(),
      wrong: "the scale of the scores times mscale²", right: "c^(−1/2)",
      references: ["https://github.com/AMD-AGI/Primus/pull/928"]),
    KnownBug(
      "q-head-norm-missing", \.attention, HeadsNotNormalized(), wrong: "query heads are not normalised",
      right: "each is divided by its RMS", references: ["https://github.com/NVIDIA-NeMo/Automodel/pull/2039"]),
    KnownBug(
      "q-latent-norm-missing", \.attention, LatentNotNormalized(), wrong: "the query latent is not normalised",
      right: "RMSNorm with weight"),
    KnownBug(
      "rmsnorm-offset-convention", \.attention, WindowNormOffset(), wrong: "x · (1 + w)", right: "x · w",
      references: ["https://github.com/Avarok-Cybersecurity/atlas/pull/315"]),
    KnownBug(
      "o-groups-interleaved", \.attention, GroupsInterleaved(),
      wrong: "group j takes heads j, j + g, …", right: "contiguous heads",
      references: ["https://github.com/exo-explore/exo/pull/1996"]),
    KnownBug(
      "pool-masked-off-in-prefill", \.attention, PoolMaskedInPrefill(),
      wrong: "no compressed entry is visible in a call with several tokens", right: "as in decode",
      references: ["https://github.com/ml-explore/mlx-lm/pull/1189"]),
    KnownBug(
      "pool-not-causal", \.attention, AllBlocksVisible(), wrong: "every token sees all entries, future ones included",
      right: "⌊(t + 1)/m⌋ of them", references: ["https://github.com/huggingface/transformers/issues/45820"]),
    KnownBug(
      "pool-visibility-one-more", \.attention, BlockOfTheQueryVisible(),
      wrong: "⌊t/m⌋ + 1: the block that the query is inside", right: "⌊(t + 1)/m⌋",
      references: ["https://github.com/sgl-project/sglang-jax/pull/1607"]),
    KnownBug(
      "pool-visibility-one-less", \.attention, OwnBlockHidden(),
      wrong: "⌊t/m⌋: the last token of a block does not see it", right: "⌊(t + 1)/m⌋",
      references: ["https://github.com/sgl-project/sglang-jax/pull/1607"]),
    KnownBug(
      "o-groups-hardcoded", notAStepOf: "core-attention", wrong: "8 groups for every model",
      right: "the configuration's: 8 in Flash, 16 in Pro", references: ["https://github.com/antirez/ds4/issues/510"],
      reason: "with the weights of another number of groups the shapes do not fit; cases have 1 to 8 groups"),
    KnownBug(
      "sink-sdpa-s1-vs-sn", notAStepOf: "core-attention",
      wrong: "a fused kernel gives one query alone another result than among others", right: "the same",
      references: ["https://github.com/ml-explore/mlx/issues/3452"],
      reason: "no formula is known; the cases that are fed token by token compare exactly that"),
    KnownBug(
      "sink-not-sharded", notAStepOf: "core-attention", wrong: "every rank uses all sinks", right: "its own heads'",
      references: ["https://github.com/lightseekorg/tokenspeed/pull/254"], reason: "needs several processes"),
    KnownBug(
      "dp-gather-sums-replicas", notAStepOf: "core-attention", wrong: "replicated states are summed",
      right: "gathered once", references: ["https://github.com/sgl-project/sglang/issues/31699"],
      reason: "needs several processes"),
    KnownBug(
      "empty-row-reads-garbage", notAStepOf: "core-attention",
      wrong: "a row without entries starts from uninitialised memory", right: "zeros",
      references: ["https://github.com/hw-native-sys/pypto-lib/pull/234"],
      reason: "a valid token always sees itself; padding rows are not computed here"),
    KnownBug(
      "decode-mask-none", notAStepOf: "core-attention", wrong: "no mask for one token or no blocks", right: "zeros",
      references: ["https://github.com/AI-Hypercomputer/maxtext/pull/4337"],
      reason: "a matter of one framework's masks; cases with one token and with no blocks compare it"),
  ]
}
