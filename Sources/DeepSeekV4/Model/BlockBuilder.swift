import CompressedSparseAttention
import CoreAttention
import ExpertRouting
import HeavilyCompressedAttention
import HyperConnections
import RotaryEmbedding
import Tensors
import TokenCompression

/// Builds the parts of a model from its configuration and the weights of their official names.
struct BlockBuilder<Scalar: RealScalar>: Sendable {
  let configuration: ModelConfiguration
  let weights: any WeightSource
  let steps: StepSet
  let angles: AnglePolicy
  let rollBackDepth: Int

  /// A layer of the model, or the block of an MTP module.
  ///
  /// - Parameters:
  ///   - prefix: of its weights, with the dot: `layers.3.`
  ///   - ratio: 0, 4 or another
  ///   - byTable: whether it routes by the hash table
  func block(prefix: String, ratio: Int, byTable: Bool) throws -> TransformerBlock<Scalar> {
    TransformerBlock(
      attentionSite: try site(prefix: prefix + "hc_attn"),
      attentionNorm: try vector(prefix + "attn_norm.weight", configuration.width),
      attention: try attention(prefix: prefix + "attn.", ratio: ratio),
      expertSite: try site(prefix: prefix + "hc_ffn"),
      expertNorm: try vector(prefix + "ffn_norm.weight", configuration.width),
      experts: try mixture(prefix: prefix + "ffn.", byTable: byTable),
      normEpsilon: Scalar(configuration.normEpsilon), steps: steps.model)
  }

  func vector(_ name: String, _ count: Int) throws -> Tensor<Scalar> {
    let vector: Tensor<Scalar> = try weights.reals(name, [count])
    try vector.requireFinite(name, in: "weights")
    return vector
  }

  func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Tensor<Scalar> {
    let matrix: Tensor<Scalar> = try weights.reals(name, [rows, columns])
    try matrix.requireFinite(name, in: "weights")
    return matrix
  }

  // MARK: Hyper-connections

  private func site(prefix: String) throws -> HyperConnectionSite<Scalar> {
    let (streams, width) = (configuration.streams, configuration.width)
    let mixes = (2 + streams) * streams
    return try HyperConnectionSite(
      streams: streams, width: width, projection: matrix(prefix + "_fn", mixes, streams * width),
      base: vector(prefix + "_base", mixes), scale: vector(prefix + "_scale", 3),
      iterations: configuration.sinkhornIterations, epsilon: Scalar(configuration.hyperConnectionEpsilon),
      normEpsilon: Scalar(configuration.normEpsilon), steps: steps.hyperConnection)
  }

  /// The collapse of the streams, of the model (prefix empty) or of an MTP block.
  func head(prefix: String) throws -> HyperConnectionHead<Scalar> {
    let (streams, width) = (configuration.streams, configuration.width)
    return try HyperConnectionHead(
      streams: streams, width: width, projection: matrix(prefix + "hc_head_fn", streams, streams * width),
      base: vector(prefix + "hc_head_base", streams), scale: vector(prefix + "hc_head_scale", 1),
      epsilon: Scalar(configuration.hyperConnectionEpsilon), normEpsilon: Scalar(configuration.normEpsilon),
      steps: steps.hyperConnection)
  }

  // MARK: Attention

  /// Layers without compression have the main θ and no YaRN, all others the other θ with YaRN.
  private func rotary(ratio: Int, headWidth: Int) throws -> RotaryConfiguration {
    try RotaryConfiguration(
      ropeDims: configuration.ropeDims, headWidth: headWidth,
      theta: ratio == 0 ? configuration.theta : configuration.compressTheta,
      yarn: ratio == 0 ? nil : configuration.yarn, angles: angles, operation: "attention")
  }

  private func attention(prefix: String, ratio: Int) throws -> any AttentionLayer<Scalar> {
    let numbers = configuration
    let (heads, width) = (numbers.heads, numbers.headWidth)
    let rank = numbers.outputGroups * numbers.outputRank
    let weights = AttentionWeights(
      queryDown: try matrix(prefix + "wq_a.weight", numbers.queryLatentWidth, numbers.width),
      queryNorm: try vector(prefix + "q_norm.weight", numbers.queryLatentWidth),
      queryUp: try matrix(prefix + "wq_b.weight", heads * width, numbers.queryLatentWidth),
      keyValueProjection: try matrix(prefix + "wkv.weight", width, numbers.width),
      keyValueNorm: try vector(prefix + "kv_norm.weight", width), sinks: try vector(prefix + "attn_sink", heads),
      outputDown: try matrix(prefix + "wo_a.weight", rank, heads * width / numbers.outputGroups),
      outputUp: try matrix(prefix + "wo_b.weight", numbers.width, rank))
    let attention = AttentionConfiguration<Scalar>(
      heads: heads, window: numbers.window, groups: numbers.outputGroups, normEpsilon: Scalar(numbers.normEpsilon),
      rotary: try rotary(ratio: ratio, headWidth: width), maximumPositions: numbers.maximumPositions,
      rollBackDepth: rollBackDepth)
    let kind = LayerKind(ratio: ratio)
    if kind == .slidingWindow {
      return try SlidingWindowLayer(
        width: numbers.width, weights: weights, configuration: attention, steps: steps.attention,
        rotarySteps: steps.rotary)
    }
    let core = try AttentionCore(
      width: numbers.width, ratio: ratio, indexWidth: kind == .compressedSparse ? numbers.indexWidth : nil,
      weights: weights, configuration: attention, steps: steps.attention, rotarySteps: steps.rotary)
    let compressor = try compressor(prefix: prefix + "compressor.", ratio: ratio, entryWidth: width, steps.rotary)
    guard kind == .compressedSparse else { return try HeavilyCompressedLayer(core: core, compressor: compressor) }
    return try CompressedSparseLayer(
      core: core, compressor: compressor, indexer: indexer(prefix: prefix + "indexer.", ratio: ratio))
  }

  private func compressor(
    prefix: String, ratio: Int, entryWidth: Int, _ rotarySteps: any RotarySteps
  ) throws -> Compressor<Scalar> {
    let projected = LayerKind(ratio: ratio) == .compressedSparse ? 2 * entryWidth : entryWidth
    return try Compressor(
      width: configuration.width, ratio: ratio,
      keyValueProjection: matrix(prefix + "wkv.weight", projected, configuration.width),
      gateProjection: matrix(prefix + "wgate.weight", projected, configuration.width),
      positionBias: matrix(prefix + "ape", ratio, projected), norm: vector(prefix + "norm.weight", entryWidth),
      normEpsilon: Scalar(configuration.normEpsilon),
      rotary: steps.attention.rotaryForEntries(rotary(ratio: ratio, headWidth: entryWidth), ratio: ratio),
      steps: steps.compression, rotarySteps: rotarySteps, prefix: prefix, operation: "attention")
  }

  private func indexer(prefix: String, ratio: Int) throws -> LightningIndexer<Scalar> {
    let numbers = configuration
    let compressor = try compressor(
      prefix: prefix + "compressor.", ratio: ratio, entryWidth: numbers.indexWidth, steps.indexRotary)
    return try LightningIndexer(
      width: numbers.width, latentWidth: numbers.queryLatentWidth, heads: numbers.indexHeads, topK: numbers.indexTopK,
      queryProjection: matrix(
        prefix + "wq_b.weight", numbers.indexHeads * numbers.indexWidth, numbers.queryLatentWidth),
      weightsProjection: matrix(prefix + "weights_proj.weight", numbers.indexHeads, numbers.width),
      compressor: compressor, rotary: compressor.rotary, steps: steps.indexer, rotarySteps: steps.indexRotary)
  }

  // MARK: Experts

  private func mixture(prefix: String, byTable: Bool) throws -> MixtureOfExperts<Scalar> {
    let numbers = configuration
    let rule: RoutingRule<Scalar> =
      byTable
      ? .hash(
        table: try weights.integers(
          prefix + "gate.tid2eid", shape: [numbers.vocabularySize, numbers.expertsPerToken]))
      : .learned(bias: try vector(prefix + "gate.bias", numbers.experts), expertsPerToken: numbers.expertsPerToken)
    let router = try Router(
      gate: matrix(prefix + "gate.weight", numbers.experts, numbers.width), width: numbers.width, rule: rule,
      routeScale: Scalar(numbers.routeScale), steps: steps.routing, operation: "mixture")
    return MixtureOfExperts(
      router: router, shared: try expert(prefix: prefix + "shared_experts.", isShared: true), steps: steps.expert
    ) { [self] in
      let prefix = "\(prefix)experts.\($0)."
      return try storedExpert(prefix: prefix) ?? expert(prefix: prefix, isShared: false)
    }
  }

  /// A routed expert of the bytes of the checkpoint, where both the weights and the steps have such.
  private func storedExpert(prefix: String) throws -> (any RoutedExpert<Scalar>)? {
    guard let maker = steps.storedExperts else { return nil }
    // Reading is most of the time that an expert takes for a few tokens.
    let matrices = try concurrentMap(["w1", "w3", "w2"]) { name in
      Result { try weights.stored("\(prefix)\(name).weight") }
    }.map { try $0.get() }
    guard let gate = matrices[0], let up = matrices[1], let down = matrices[2] else { return nil }
    return try maker.expert(
      StoredExpert(gate: gate, up: up, down: down, prefix: prefix), width: configuration.width,
      clampLimit: Scalar(configuration.clampLimit), steps: steps.expert)
  }

  private func expert(prefix: String, isShared: Bool) throws -> Expert<Scalar> {
    let (width, expertWidth) = (configuration.width, configuration.expertWidth)
    return try Expert(
      width: width, gateProjection: matrix(prefix + "w1.weight", expertWidth, width),
      upProjection: matrix(prefix + "w3.weight", expertWidth, width),
      downProjection: matrix(prefix + "w2.weight", width, expertWidth), clampLimit: Scalar(configuration.clampLimit),
      isShared: isShared, steps: steps.expert, prefix: prefix, operation: "mixture")
  }
}
