// The registry, place by place, in the order of computation. Axes: Tap.axes.

extension Tap {
  // MARK: Model

  public static let embedding = Tap(
    .model, "embedding", "T d", "2.2-block", step: "LanguageModel.embed", from: [])
  public static let initialStreams = Tap(
    .model, "streams", "T n d", "2.2-expand", step: "HyperConnectionSteps.expand", from: ["embedding"])
  static let beginning = [embedding, initialStreams]

  public static let hidden = Tap(
    .model, "hidden", "T d", "2.2-block", step: "rmsNorm", from: ["hc_head.collapsed"], rounding: .activation)
  public static let logits = Tap(
    .model, "logits", "T V", "2.2-block", step: "linear", from: ["hidden"])
  static let ending = [hidden, logits]

  // MARK: Hyper-connections

  public static let mixes = Tap(
    .site, "mixes", "T M", "eq-3", step: "HyperConnectionSteps.mixes", from: ["streams_in"])
  public static let pre = Tap(
    .site, "pre", "T n", "eq-6", step: "HyperConnectionSteps.preGates", from: ["mixes"])
  public static let post = Tap(
    .site, "post", "T n", "eq-7", step: "HyperConnectionSteps.postGates", from: ["mixes"])
  public static let combinationLogits = Tap(
    .site, "combination_logits", "T n n", "eq-4", step: "HyperConnectionSteps.splitMixes", from: ["mixes"])
  public static let combination = Tap(
    .site, "combination", "T n n", "eq-8", step: "HyperConnectionSteps.sinkhorn", from: ["combination_logits"])
  public static let layerInput = Tap(
    .site, "layer_input", "T d", "eq-1", step: "HyperConnectionSteps.preMix", from: ["streams_in", "pre"],
    rounding: .activation)
  public static let streams = Tap(
    .site, "streams", "T n d", "eq-1", step: "HyperConnectionSteps.postMix",
    from: ["streams_in", "layer_output", "post", "combination"],
    rounding: .activation)
  static let siteTaps = [mixes, pre, post, combinationLogits, combination, layerInput, streams]

  public static let headMixes = Tap(
    .head, "mixes", "T n", "2.2-head", step: "HyperConnectionSteps.mixes", from: ["streams_in"])
  public static let headGates = Tap(
    .head, "gates", "T n", "2.2-head", step: "HyperConnectionSteps.headGates", from: ["mixes"])
  public static let collapsed = Tap(
    .head, "collapsed", "T d", "2.2-head", step: "HyperConnectionSteps.collapse", from: ["streams_in", "gates"],
    rounding: .activation)
  static let headTaps = [headMixes, headGates, collapsed]

  // MARK: Block

  public static let attentionHidden = Tap(
    .block, "attn.hidden", "T d", "2.2-block", step: "rmsNorm", from: ["hc_attn.layer_input"], rounding: .activation)
  public static let expertHidden = Tap(
    .block, "ffn.hidden", "T d", "2.2-block", step: "rmsNorm", from: ["hc_ffn.layer_input"], rounding: .activation)
  static let blockTaps = [attentionHidden, expertHidden]

  // MARK: Attention

  public static let hiddenQuantized = Tap(
    .attention, "hidden_quantized", "T d", "5.2.1-deployed-activations", step: "QuantizationSteps.linearInput",
    from: ["hidden"], rounding: .linearInput)
  public static let queryLatentProjected = Tap(
    .attention, "query_latent_projected", "T q", "eq-13", step: "linear", from: ["hidden", "hidden_quantized"],
    rounding: .activation)
  public static let queryLatent = Tap(
    .attention, "query_latent", "T q", "eq-13", step: "AttentionSteps.normalizedLatent",
    from: ["query_latent_projected"],
    rounding: .activation)
  public static let queryLatentQuantized = Tap(
    .attention, "query_latent_quantized", "T q", "5.2.1-deployed-activations", step: "QuantizationSteps.linearInput",
    from: ["query_latent"], rounding: .linearInput)
  public static let queryHeads = Tap(
    .attention, "query_heads", "T h c", "eq-18", step: "AttentionSteps.queryHeads",
    from: ["query_latent", "query_latent_quantized"],
    rounding: .activation)
  public static let queryHeadsNormalized = Tap(
    .attention, "query_heads_normalized", "T h c", "2.3.3-head-norm", step: "AttentionSteps.normalizedHeads",
    from: ["query_heads"], rounding: .activation)
  public static let queries = Tap(
    .attention, "queries", "T h c", "2.3.3-rotary", step: "RotarySteps.rotated", from: ["query_heads_normalized"],
    rounding: .activation)
  public static let windowProjected = Tap(
    .attention, "window_projected", "T c", "2.3.3-window", step: "linear", from: ["hidden", "hidden_quantized"],
    rounding: .activation)
  public static let windowNormalized = Tap(
    .attention, "window_normalized", "T c", "2.3.3-window", step: "AttentionSteps.normalizedEntry",
    from: ["window_projected"], rounding: .activation)
  public static let windowRotated = Tap(
    .attention, "window_rotated", "T c", "2.3.3-rotary", step: "RotarySteps.rotated", from: ["window_normalized"],
    rounding: .activation)
  public static let windowEntries = Tap(
    .attention, "window_entries", "T c", "2.3.4-entry-precision", step: "QuantizationSteps.entry",
    from: ["window_rotated"], rounding: .entry)
  static let attentionTaps = [
    hiddenQuantized, queryLatentProjected, queryLatent, queryLatentQuantized, queryHeads, queryHeadsNormalized, queries,
    windowProjected, windowNormalized, windowRotated, windowEntries,
  ]

  public static let attendedRotated = Tap(
    .attention, "attended_rotated", "T h c", "eq-19", step: "AttentionSteps.attend",
    from: ["queries", "window_entries", "compressed_entries", "attn.indexer.selection"], rounding: .activation)
  public static let attended = Tap(
    .attention, "attended", "T h c", "2.3.3-inverse-rotary", step: "AttentionSteps.derotated",
    from: ["attended_rotated"], rounding: .activation)
  public static let groupLatents = Tap(
    .attention, "group_latents", "T g·p", "2.3.1-grouped-output", step: "AttentionSteps.groupedOutput",
    from: ["attended"], rounding: .activation)
  public static let groupLatentsQuantized = Tap(
    .attention, "group_latents_quantized", "T g·p", "5.2.1-deployed-activations",
    step: "QuantizationSteps.linearInput", from: ["group_latents"], rounding: .linearInput)
  public static let attentionOutput = Tap(
    .attention, "output", "T d", "2.3.1-grouped-output", step: "AttentionSteps.groupedOutput",
    from: ["group_latents", "group_latents_quantized"],
    rounding: .activation)
  static let attentionOutputTaps = [attendedRotated, attended, groupLatents, groupLatentsQuantized, attentionOutput]

  // MARK: Compression

  public static let compressorKeyValues = Tap(
    .compressor, "key_values", "T w", "eq-9", step: "CompressionSteps.projected", from: ["attn.hidden"])
  public static let compressorScores = Tap(
    .compressor, "scores", "T w", "eq-10", step: "CompressionSteps.projected", from: ["attn.hidden"])
  public static let pooled = Tap(
    .compressor, "pooled", "N c", "eq-12", step: "CompressionSteps.pooled", from: ["key_values", "scores"],
    rounding: .activation)
  public static let pooledNormalized = Tap(
    .compressor, "normalized", "N c", "2.3.3-head-norm", step: "CompressionSteps.normalized", from: ["pooled"],
    rounding: .activation)
  public static let pooledRotated = Tap(
    .compressor, "rotated", "N c", "2.3.3-rotary", step: "CompressionSteps.rotatedEntry", from: ["normalized"],
    rounding: .activation)
  public static let compressedEntries = Tap(
    .attention, "compressed_entries", "N c", "2.3.4-entry-precision", step: "QuantizationSteps.entry",
    from: ["attn.compressor.rotated"], rounding: .entry)
  static let compressorTaps = [
    compressorKeyValues, compressorScores, pooled, pooledNormalized, pooledRotated, compressedEntries,
  ]

  // MARK: Indexer

  public static let indexQueryHeads = Tap(
    .indexer, "query_heads", "T H i", "eq-14", step: "IndexerSteps.queries",
    from: ["attn.query_latent", "attn.query_latent_quantized"],
    rounding: .activation)
  public static let indexQueriesRotated = Tap(
    .indexer, "queries_rotated", "T H i", "2.3.3-rotary", step: "RotarySteps.rotated", from: ["query_heads"],
    rounding: .activation)
  public static let indexQueriesTransformed = Tap(
    .indexer, "queries_transformed", "T H i", "2.3.1-hadamard", step: "IndexerSteps.transformed",
    from: ["queries_rotated"], rounding: .activation)
  public static let indexQueries = Tap(
    .indexer, "queries", "T H i", "2.3.4-index-precision", step: "QuantizationSteps.indexVector",
    from: ["queries_transformed"], rounding: .indexVector)
  public static let indexKeysTransformed = Tap(
    .indexer, "keys_transformed", "N i", "2.3.1-hadamard", step: "IndexerSteps.transformed",
    from: ["attn.indexer.compressor.rotated"], rounding: .activation)
  public static let indexKeys = Tap(
    .indexer, "keys", "N i", "2.3.4-index-precision", step: "QuantizationSteps.indexVector",
    from: ["keys_transformed"], rounding: .indexVector)
  public static let indexWeightsProjected = Tap(
    .indexer, "weights_projected", "T H", "eq-15", step: "linear", from: ["attn.hidden"],
    rounding: .activation)
  public static let indexWeights = Tap(
    .indexer, "weights", "T H", "eq-15", step: "IndexerSteps.weights", from: ["weights_projected"],
    rounding: .activation)
  public static let indexScores = Tap(
    .indexer, "scores", "T S", "eq-16", step: "IndexerSteps.scores", from: ["queries", "keys", "weights"])
  public static let selection = Tap(
    .indexer, "selection", "T K", "eq-17", step: "IndexerSteps.select", from: ["scores"])
  static let indexerTaps = [
    indexQueryHeads, indexQueriesRotated, indexQueriesTransformed, indexQueries, indexKeysTransformed, indexKeys,
    indexWeightsProjected, indexWeights, indexScores, selection,
  ]

  // MARK: Experts

  public static let gateLogits = Tap(
    .router, "logits", "T E", "2.1-affinity", step: "RoutingSteps.gateLogits", from: ["ffn.hidden"])
  public static let affinities = Tap(
    .router, "scores", "T E", "2.1-affinity", step: "RoutingSteps.affinity", from: ["logits"])
  public static let selectionScores = Tap(
    .router, "selection_scores", "T E", "2.1-selection", step: "RoutingSteps.selectionScores", from: ["scores"])
  public static let expertIndices = Tap(
    .router, "indices", "T k", "2.1-selection", step: "RoutingSteps.select", from: ["scores", "selection_scores"])
  public static let expertWeights = Tap(
    .router, "weights", "T k", "2.1-weights", step: "RoutingSteps.normalizedWeights", from: ["scores", "indices"])
  static let routerTaps = [gateLogits, affinities, selectionScores, expertIndices, expertWeights]

  public static let expertHiddenQuantized = Tap(
    .mixture, "hidden_quantized", "T d", "5.2.1-deployed-activations", step: "QuantizationSteps.linearInput",
    from: ["hidden"], rounding: .linearInput)
  public static let expertGate = Tap(
    .experts, "gate", "T k f", "2.1-expert", step: "linear",
    from: ["ffn.hidden", "ffn.hidden_quantized", "ffn.gate.indices"],
    rounding: .activation)
  public static let expertUp = Tap(
    .experts, "up", "T k f", "2.1-expert", step: "linear",
    from: ["ffn.hidden", "ffn.hidden_quantized", "ffn.gate.indices"],
    rounding: .activation)
  public static let expertActivation = Tap(
    .experts, "activation", "T k f", "2.1-expert", step: "ExpertSteps.gatedProduct",
    from: ["gate", "up", "ffn.gate.weights"], rounding: .activation)
  public static let expertOutput = Tap(
    .experts, "output", "T k d", "2.1-expert", step: "ExpertSteps.downProjection", from: ["activation"],
    rounding: .activation)
  public static let routed = Tap(
    .mixture, "routed", "T d", "2.1-mixture", step: "ExpertSteps.sumOverSlots", from: ["ffn.experts.output"])
  public static let mixtureOutput = Tap(
    .mixture, "output", "T d", "2.1-mixture", step: "MixtureOfExperts",
    from: ["routed", "ffn.shared_experts.output"], rounding: .activation)
  static let expertTaps = [
    expertHiddenQuantized, expertGate, expertUp, expertActivation, expertOutput, routed, mixtureOutput,
  ]

  // MARK: Multi-token prediction

  public static let pairedEmbedding = Tap(
    .prediction, "paired_embedding", "T d", "2.1-mtp", step: "LanguageModel.embed", from: [])
  public static let pairedStreams = Tap(
    .prediction, "paired_streams", "T n d", "2.1-mtp", step: "LanguageModel.predict", from: [])
  public static let embeddingNormalized = Tap(
    .prediction, "embedding_normalized", "T d", "2.1-mtp", step: "rmsNorm", from: ["paired_embedding"],
    rounding: .activation)
  public static let embeddingNormalizedQuantized = Tap(
    .prediction, "embedding_normalized_quantized", "T d", "5.2.1-deployed-activations",
    step: "QuantizationSteps.linearInput", from: ["embedding_normalized"], rounding: .linearInput)
  public static let embeddingProjected = Tap(
    .prediction, "embedding_projected", "T d", "2.1-mtp", step: "linear",
    from: ["embedding_normalized", "embedding_normalized_quantized"], rounding: .activation)
  public static let streamsNormalized = Tap(
    .prediction, "streams_normalized", "T n d", "2.1-mtp", step: "rmsNorm", from: ["paired_streams"],
    rounding: .activation)
  public static let streamsNormalizedQuantized = Tap(
    .prediction, "streams_normalized_quantized", "T n d", "5.2.1-deployed-activations",
    step: "QuantizationSteps.linearInput", from: ["streams_normalized"], rounding: .linearInput)
  public static let streamsProjected = Tap(
    .prediction, "streams_projected", "T n d", "2.1-mtp", step: "linear",
    from: ["streams_normalized", "streams_normalized_quantized"], rounding: .activation)
  public static let projectedSum = Tap(
    .prediction, "projected", "T n d", "2.1-mtp", step: "ModelSteps.predictionJoined",
    from: ["embedding_projected", "streams_projected"], rounding: .activation)
  public static let predictionHidden = Tap(
    .prediction, "hidden", "T d", "2.1-mtp", step: "rmsNorm", from: ["hc_head.collapsed"], rounding: .activation)
  public static let predictionLogits = Tap(
    .prediction, "logits", "T V", "2.1-mtp", step: "linear", from: ["hidden"])
  static let predictionTaps = [
    pairedEmbedding, pairedStreams, embeddingNormalized, embeddingNormalizedQuantized, embeddingProjected,
    streamsNormalized, streamsNormalizedQuantized, streamsProjected, projectedSum, predictionHidden, predictionLogits,
  ]
}
