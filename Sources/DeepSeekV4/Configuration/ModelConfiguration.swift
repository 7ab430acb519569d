import RotaryEmbedding

/// The numbers of a DeepSeek-V4 model (report 4.2.1).
///
/// Each property names its keys in the two published forms: the `config.json` of the released inference code, then the
/// one of Hugging Face. The values in the comments are those of Flash, then of Pro where it differs.
///
/// A value of this type may be wrong until `validate()` has passed. `read(_:)` passes only checked ones on.
public struct ModelConfiguration: Sendable, Equatable {
  /// `vocab_size` in both forms: 129280.
  public var vocabularySize: Int
  /// d, the width of a stream; `dim`, `hidden_size`: 4096, 7168.
  public var width: Int
  /// The compression ratio of each layer: 0 window only, 4 CSA, any other HCA.
  ///
  /// The first `n_layers`, `num_hidden_layers` entries of `compress_ratios`: 43, 61 layers.
  public var ratios: [Int]
  /// How many blocks for multi-token prediction follow the layers; `n_mtp_layers`, `num_nextn_predict_layers`: 1.
  public var multiTokenPredictionLayers: Int

  /// h, the query heads; `n_heads`, `num_attention_heads`: 64, 128.
  public var heads: Int
  /// c, the channels of a query head and of the one key-value head; `head_dim`: 512.
  public var headWidth: Int
  /// r, the rotated channels, the last ones of a head; `rope_head_dim`, `qk_rope_head_dim`: 64.
  public var ropeDims: Int
  /// q; `q_lora_rank`: 1024, 1536.
  public var queryLatentWidth: Int
  /// g; `o_groups`: 8, 16.
  public var outputGroups: Int
  /// p, the latent channels of one output group; `o_lora_rank`: 1024.
  public var outputRank: Int
  /// W, in tokens, the token itself included; `window_size`, `sliding_window`: 128.
  public var window: Int

  /// `index_n_heads`: 64.
  public var indexHeads: Int
  /// The channels of an indexer query or key; `index_head_dim`: 128.
  public var indexWidth: Int
  /// How many compressed entries the indexer selects for a token; `index_topk`: 512, 1024.
  public var indexTopK: Int

  /// m, the hidden channels of an expert, the shared one included; `moe_inter_dim`, `moe_intermediate_size`: 2048, 3072.
  public var expertWidth: Int
  /// E, the routed experts; `n_routed_experts`: 256, 384.
  public var experts: Int
  /// `n_shared_experts`: 1, and no other number is supported.
  public var sharedExperts: Int
  /// `n_activated_experts`, `num_experts_per_tok`: 6.
  public var expertsPerToken: Int
  /// How many layers, counted from the first, route by a table of token ids; `n_hash_layers`, `num_hash_layers`: 3.
  public var hashLayers: Int
  /// What the normalized routing weights are multiplied by; `route_scale`, `routed_scaling_factor`: 1.5, 2.5.
  public var routeScale: Double
  /// The clamp of SwiGLU, 0 for none; `swiglu_limit`: 10.
  public var clampLimit: Double

  /// n, the parallel residual streams; `hc_mult`: 4.
  public var streams: Int
  /// `hc_sinkhorn_iters`: 20.
  public var sinkhornIterations: Int
  /// The epsilon of mHC; `hc_eps`: 1e-6.
  public var hyperConnectionEpsilon: Double
  /// The epsilon of every RMSNorm; `norm_eps`, `rms_norm_eps`: 1e-6.
  public var normEpsilon: Double

  /// θ of layers of ratio 0 and of multi-token prediction; `rope_theta`: 10000.
  public var theta: Double
  /// θ of layers with compression; `compress_rope_theta`: 160000.
  public var compressTheta: Double
  /// YaRN of layers with compression, nil for none; `original_seq_len`, `rope_factor`, `beta_fast` and `beta_slow`, or
  /// `rope_scaling`: 65536 tokens, a factor of 16, betas of 32 and 1.
  public var yarn: YaRN?
  /// In tokens; `max_seq_len`, `max_position_embeddings`: 1048576.
  public var maximumPositions: Int

  /// The large matrices outside the routed experts; `dtype`, `quantization_config`: FP8.
  public var denseFormat: WeightFormat
  /// The matrices of the routed experts; `expert_dtype`: FP4.
  public var expertFormat: WeightFormat

  /// Numbers as they are: `validate()` checks them.
  public init(
    vocabularySize: Int, width: Int, ratios: [Int], multiTokenPredictionLayers: Int,
    heads: Int, headWidth: Int, ropeDims: Int, queryLatentWidth: Int, outputGroups: Int, outputRank: Int, window: Int,
    indexHeads: Int, indexWidth: Int, indexTopK: Int,
    expertWidth: Int, experts: Int, sharedExperts: Int, expertsPerToken: Int, hashLayers: Int, routeScale: Double,
    clampLimit: Double,
    streams: Int, sinkhornIterations: Int, hyperConnectionEpsilon: Double, normEpsilon: Double,
    theta: Double, compressTheta: Double, yarn: YaRN?, maximumPositions: Int,
    denseFormat: WeightFormat, expertFormat: WeightFormat
  ) {
    self.vocabularySize = vocabularySize
    self.width = width
    self.ratios = ratios
    self.multiTokenPredictionLayers = multiTokenPredictionLayers
    self.heads = heads
    self.headWidth = headWidth
    self.ropeDims = ropeDims
    self.queryLatentWidth = queryLatentWidth
    self.outputGroups = outputGroups
    self.outputRank = outputRank
    self.window = window
    self.indexHeads = indexHeads
    self.indexWidth = indexWidth
    self.indexTopK = indexTopK
    self.expertWidth = expertWidth
    self.experts = experts
    self.sharedExperts = sharedExperts
    self.expertsPerToken = expertsPerToken
    self.hashLayers = hashLayers
    self.routeScale = routeScale
    self.clampLimit = clampLimit
    self.streams = streams
    self.sinkhornIterations = sinkhornIterations
    self.hyperConnectionEpsilon = hyperConnectionEpsilon
    self.normEpsilon = normEpsilon
    self.theta = theta
    self.compressTheta = compressTheta
    self.yarn = yarn
    self.maximumPositions = maximumPositions
    self.denseFormat = denseFormat
    self.expertFormat = expertFormat
  }
}

extension ModelConfiguration {
  /// How many layers the model has, those for multi-token prediction not counted.
  public var layers: Int { ratios.count }
  /// The blocks for multi-token prediction see the window alone.
  public var multiTokenPredictionRatios: [Int] { Array(repeating: 0, count: max(0, multiTokenPredictionLayers)) }
  /// The published list: the ratios of the layers, then those of the blocks for multi-token prediction.
  public var compressRatios: [Int] { ratios + multiTokenPredictionRatios }

  /// The attention of a layer, counted from 0.
  public func kind(ofLayer layer: Int) -> LayerKind { LayerKind(ratio: ratios[layer]) }
}
