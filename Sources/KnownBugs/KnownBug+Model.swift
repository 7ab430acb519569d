import DeepSeekV4
import RotaryEmbedding

extension KnownBug {
  /// Wrong numbers of the model: class defaults, or those of the other model, in place of its configuration.
  static let wholeModel: [KnownBug] = [
    KnownBug(
      "config-default-route-scale", \.model, OtherNumbers { $0.routeScale = 1 },
      wrong: "route scale 1, the class default of the released code", right: "config.json: 1.5 in Flash, 2.5 in Pro"),
    KnownBug(
      "config-flash-route-scale", \.model, OtherNumbers { $0.routeScale = 1.5 },
      wrong: "route scale 1.5 for every model", right: "config.json: 2.5 in Pro"),
    KnownBug(
      "config-default-swiglu-limit", \.model, OtherNumbers { $0.clampLimit = 0 },
      wrong: "no clamp, the class default of the released code", right: "config.json: 10"),
    KnownBug(
      "rope-theta-from-code-default", \.model, OtherNumbers { $0.compressTheta = 40_000 },
      wrong: "θ 40000 in compressed layers, the class default of the released code", right: "config.json: 160000",
      references: ["https://github.com/huggingface/transformers/issues/45910"]),
    KnownBug(
      "config-default-no-yarn", \.model, OtherNumbers { $0.yarn = nil },
      wrong: "original length 0 and so no YaRN, the class default of the released code", right: "config.json: 65536"),
    KnownBug(
      "config-default-yarn-factor", \.model, OtherNumbers { $0.yarn = $0.yarn?.with(factor: 40) },
      wrong: "YaRN factor 40, the class default of the released code", right: "config.json: 16"),
    KnownBug(
      "config-default-hash-layers", \.model, OtherNumbers { $0.hashLayers = 0 },
      wrong: "no hash layer, the class default of the released code", right: "config.json: 3"),
    KnownBug(
      "hash-layers-one-more", \.model, OneMoreHashLayer(), wrong: "layer n routes by table, too",
      right: "layers 0 … n − 1 do, with n = num_hash_layers"),
    KnownBug(
      "config-flash-index-topk", \.model, OtherNumbers { $0.indexTopK = 512 }, wrong: "k = 512 for every model",
      right: "config.json: 1024 in Pro", references: ["https://github.com/antirez/ds4/pull/478"]),
    KnownBug(
      "config-other-norm-eps", \.model, OtherNumbers { $0.normEpsilon = 1e-5 },
      wrong: "ε = 10⁻⁵ in every RMSNorm, a common default", right: "config.json: 10⁻⁶"),
    KnownBug(
      "config-default-hc-eps", \.model, OtherNumbers { $0.hyperConnectionEpsilon = 1e-6 },
      wrong: "hc_eps 10⁻⁶ for every model", right: "config.json, which has the same in the released models"),
    KnownBug(
      "config-default-sinkhorn-iterations", \.model, OtherNumbers { $0.sinkhornIterations = 20 },
      wrong: "20 Sinkhorn iterations for every model", right: "config.json, which has the same in the released models"),
    KnownBug(
      "config-csa-hca-swapped", \.model, OtherNumbers { $0.swapCompressedKinds() },
      wrong: "the ratios of CSA and HCA layers are exchanged", right: "ratio 4 is CSA, any larger one HCA",
      references: ["https://github.com/AMD-AGI/Primus/pull/698"]),
    KnownBug(
      "config-ratios-shifted", \.model, OtherNumbers { $0.ratios = $0.compressRatios.suffix($0.layers) },
      wrong: "the last entries of compress_ratios, those of MTP blocks among them, are the layers'",
      right: "the first ones", references: ["https://github.com/AMD-AGI/Primus/pull/928"]),
    KnownBug(
      "config-ratio-1-for-dense", notAStepOf: "language-model", wrong: "a layer without compression has ratio 1",
      right: "ratio 0", references: ["https://github.com/sgl-project/sglang/pull/25144"],
      reason: "a configuration with a ratio of 1 is refused"),
    KnownBug(
      "config-flash-sizes-on-pro", notAStepOf: "language-model",
      wrong: "8 output groups, 256 experts or 43 layers for every model", right: "config.json: 16, 384 and 61 in Pro",
      references: ["https://github.com/antirez/ds4/issues/510"],
      reason: "with the weights of the other model the shapes do not fit"),
    KnownBug(
      "config-silent-default-dimensions", notAStepOf: "language-model",
      wrong: "a key that is missing gets a default", right: "a missing key is an error",
      references: ["https://github.com/Luce-Org/lucebox/pull/353"],
      reason: "a matter of reading: the tests of ModelConfiguration have it"),
    KnownBug(
      "v4-as-v3-with-features", notAStepOf: "language-model", wrong: "a port that starts from V3 and adds to it",
      right: "the architecture of V4", references: ["https://github.com/lablup/mlxcel/issues/523"],
      reason: "not one mistake but many, each of which is listed"),
    KnownBug(
      "compressor-state-not-reset", notAStepOf: "language-model",
      wrong: "a prompt shorter than one block starts from the compressor rows of the last request",
      right: "from no rows", reason: "a state here is a value, and a sequence starts with an empty one"),
  ]

  /// Wrong multi-token prediction (report 2.1).
  static let multiTokenPrediction: [KnownBug] = [
    KnownBug(
      "mtp-hidden-collapsed", \.model, StreamsCollapsed(), in: ["multi-token-prediction"],
      wrong: "the head of the model collapses the streams before the block", right: "the block gets all n streams",
      references: [
        "https://github.com/GDzhu01/vllm-ascend-deepseekv4/pull/132",
        "https://github.com/AI-Hypercomputer/maxtext/pull/4736", "https://github.com/pytorch/torchtitan/pull/3634",
      ]),
    KnownBug(
      "mtp-hidden-first-stream", \.model, FirstStreamOnly(), in: ["multi-token-prediction"],
      wrong: "the block gets n copies of stream 0", right: "all n streams"),
    KnownBug(
      "mtp-embedding-first-stream", \.model, EmbeddingInFirstStreamOnly(), in: ["multi-token-prediction"],
      wrong: "the embedding is added to stream 0 alone", right: "to every stream"),
    KnownBug(
      "mtp-token-not-shifted", \.model, TokenNotShifted(), in: ["multi-token-prediction"],
      wrong: "streams are joined with the embedding of their own token", right: "of the next one"),
    KnownBug(
      "mtp-head-of-the-model", \.model, HeadOfTheModel(), in: ["multi-token-prediction"],
      wrong: "the head of the model collapses the block's streams", right: "the block's own"),
    KnownBug(
      "mtp-layer-run-as-decoder-layer", \.model, MoreDecoderLayers(morePerBlock: 1),
      in: ["multi-token-prediction", "language-model"],
      wrong: "the MTP block runs as one more layer", right: "43 layers in Flash, 61 in Pro, and no more",
      references: [
        "https://github.com/ikawrakow/ik_llama.cpp/pull/2110", "https://github.com/AI-Hypercomputer/maxtext/pull/4153",
      ]),
    KnownBug(
      "mtp-last-layer-lost", \.model, MoreDecoderLayers(morePerBlock: -1),
      in: ["multi-token-prediction", "language-model"], wrong: "the last layer is taken for the MTP block",
      right: "the MTP block comes after it", references: ["https://github.com/AMD-AGI/Primus/pull/928"]),
    KnownBug(
      "mtp-rejected-token-metadata", \.state, PredictionNotRolledBack(), in: ["multi-token-prediction"],
      wrong: "the state of the block keeps rejected tokens", right: "it is rolled back like the layers",
      references: ["https://github.com/GDzhu01/vllm-ascend-deepseekv4/pull/132"]),
    KnownBug(
      "mtp-rolled-back-one-short", \.state, PredictionRolledBackLikeLayers(), in: ["multi-token-prediction"],
      wrong: "the state of the block is rolled back to the position of the layers",
      right: "one position less: its last token still waits for a successor"),
    KnownBug(
      "mtp-concat-instead-of-sum", notAStepOf: "multi-token-prediction",
      wrong: "one d × 2d matrix over embedding and hidden state, as in V3", right: "the sum of two projections",
      references: ["https://github.com/tenstorrent/tt-metal/issues/44074"],
      reason: "with both matrices side by side it is the same number; what went wrong with it is mtp-hidden-collapsed"),
    KnownBug(
      "mtp-acceptance-after-requantisation", notAStepOf: "multi-token-prediction",
      wrong: "1.82 % of drafts are accepted after a conversion to NVFP4", right: "80.56 % with the released weights",
      references: ["https://github.com/vllm-project/vllm/issues/43455"],
      reason: "a measurement, whose cause is not known"),
  ]
}

extension ModelConfiguration {
  /// Layers of ratio 4 and those of the other ratio change places.
  fileprivate mutating func swapCompressedKinds() {
    guard let other = ratios.first(where: { $0 != 0 && $0 != 4 }) else { return }
    ratios = ratios.map { $0 == 0 ? 0 : $0 == 4 ? other : 4 }
  }
}

extension YaRN {
  fileprivate func with(factor: Double) -> YaRN {
    YaRN(factor: factor, originalLength: originalLength, betaFast: betaFast, betaSlow: betaSlow)
  }
}
