extension ConfigurationKey {
  static let vocabularySize = Self("vocab_size", "vocab_size", "tokens of the vocabulary")
  static let width = Self("dim", "hidden_size", "channels of a residual stream")
  static let layers = Self("n_layers", "num_hidden_layers", "layers, without those for multi-token prediction")
  static let compressRatios = Self(
    "compress_ratios", "compress_ratios",
    "one ratio for each layer, then 0 for each multi-token prediction block; 0 window only, 4 CSA, any other HCA",
    .requiredOr("`layer_types` with `compress_rates`"))
  static let multiTokenPredictionLayers = Self(
    "n_mtp_layers", "num_nextn_predict_layers", "multi-token prediction blocks", .inferenceDefault(.integer(1)))

  static let heads = Self("n_heads", "num_attention_heads", "query heads")
  static let headWidth = Self("head_dim", "head_dim", "channels of a head")
  static let ropeDims = Self(
    "rope_head_dim", "qk_rope_head_dim", "rotated channels of a head, the last ones",
    .requiredOr("`partial_rotary_factor`"))
  static let queryLatentWidth = Self("q_lora_rank", "q_lora_rank", "channels of the query latent")
  static let outputGroups = Self("o_groups", "o_groups", "groups of heads in the output projection")
  static let outputRank = Self("o_lora_rank", "o_lora_rank", "latent channels of one such group")
  static let window = Self("window_size", "sliding_window", "tokens of the window, the token itself included")

  static let indexHeads = Self("index_n_heads", "index_n_heads", "heads of the indexer")
  static let indexWidth = Self("index_head_dim", "index_head_dim", "channels of an indexer head")
  static let indexTopK = Self("index_topk", "index_topk", "compressed entries that the indexer selects for a token")

  static let expertWidth = Self("moe_inter_dim", "moe_intermediate_size", "hidden channels of an expert")
  static let experts = Self("n_routed_experts", "n_routed_experts", "routed experts")
  static let sharedExperts = Self("n_shared_experts", "n_shared_experts", "shared experts; only 1 is supported")
  static let expertsPerToken = Self("n_activated_experts", "num_experts_per_tok", "routed experts of a token")
  static let hashLayers = Self(
    "n_hash_layers", "num_hash_layers", "first layers that route by a table of token ids",
    .requiredOr("`mlp_layer_types`"))
  static let scoring = Self("score_func", "scoring_func", "only `sqrtsoftplus` is supported")
  static let routeScale = Self("route_scale", "routed_scaling_factor", "factor of the normalized routing weights")
  static let clampLimit = Self("swiglu_limit", "swiglu_limit", "clamp of SwiGLU, 0 for none")

  static let streams = Self("hc_mult", "hc_mult", "residual streams")
  static let sinkhornIterations = Self("hc_sinkhorn_iters", "hc_sinkhorn_iters", "Sinkhorn-Knopp iterations")
  static let hyperConnectionEpsilon = Self(
    "hc_eps", "hc_eps", "epsilon of the hyper-connections", .inferenceDefault(.number(1e-6)))
  static let normEpsilon = Self("norm_eps", "rms_norm_eps", "epsilon of RMSNorm", .inferenceDefault(.number(1e-6)))

  static let theta = Self(
    "rope_theta", "rope_theta", "θ of layers of ratio 0", .requiredOr("`rope_parameters.main.rope_theta`"))
  static let compressTheta = Self(
    "compress_rope_theta", "compress_rope_theta", "θ of all other layers",
    .requiredOr("`rope_parameters.compress.rope_theta`"))
  static let originalLength = Self(
    "original_seq_len", "rope_scaling.original_max_position_embeddings",
    "tokens that YaRN extends, 0 for no YaRN", .requiredOr("`rope_parameters.compress`, or neither for no YaRN"))
  static let ropeFactor = Self("rope_factor", "rope_scaling.factor", "factor of YaRN", withYaRN)
  static let betaFast = Self(
    "beta_fast", "rope_scaling.beta_fast", "rotations above which YaRN changes nothing", withYaRN)
  static let betaSlow = Self(
    "beta_slow", "rope_scaling.beta_slow", "rotations below which YaRN divides by its factor", withYaRN)
  private static let withYaRN = Rule.optional("an error if there is YaRN")
  static let maximumPositions = Self(
    "max_seq_len", "max_position_embeddings", "positions in tokens; a run-time size in the inference form",
    .inferenceDefault(.integer(1_048_576)))

  static let denseFormat = Self(
    "dtype", "torch_dtype",
    "format of the large matrices: `fp8`, `bf16`, `fp32`; Hugging Face: `bfloat16`, `float32`, FP8 if there is a `quantization_config`",
    .requiredOr("`dtype`, or neither for `bfloat16`"))
  static let expertFormat = Self(
    "expert_dtype", "expert_dtype", "format of the routed experts: `fp4`, or what the other matrices have",
    .optional("that of the other matrices"))
  static let scaleFormat = Self(
    "scale_fmt", "quantization_config.scale_fmt", "only `ue8m0`: scales are powers of two",
    .optional("an error if matrices are quantized"))
  static let scaleStorage = Self(
    "scale_dtype", nil, "how scales are stored; only `fp8` if matrices are quantized", .optional("`fp8`"))

  /// The keys that both forms have under one name or two.
  static let fields = [
    vocabularySize, width, layers, compressRatios, multiTokenPredictionLayers, heads, headWidth, ropeDims,
    queryLatentWidth, outputGroups, outputRank, window, indexHeads, indexWidth, indexTopK, expertWidth, experts,
    sharedExperts, expertsPerToken, hashLayers, scoring, routeScale, clampLimit, streams, sinkhornIterations,
    hyperConnectionEpsilon, normEpsilon, theta, compressTheta, originalLength, ropeFactor, betaFast, betaSlow,
    maximumPositions, denseFormat, expertFormat, scaleFormat, scaleStorage,
  ]
}
