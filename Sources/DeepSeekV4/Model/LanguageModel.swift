import CoreAttention
import HyperConnections
import LowPrecision
import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, n residual streams, d model width, V vocabulary.

/// A whole DeepSeek-V4: embedding → streams → blocks → head → logits.
public struct LanguageModel<Scalar: RealScalar>: Sendable {
  public let configuration: ModelConfiguration
  public let head: HyperConnectionHead<Scalar>
  /// `[d]`
  public let norm: Tensor<Scalar>
  /// The block for multi-token prediction; nil in a model without one.
  public let prediction: MultiTokenPrediction<Scalar>?
  public let steps: StepSet
  private let builder: BlockBuilder<Scalar>
  /// How many blocks run before the head.
  public let layerCount: Int
  /// The layers, where they are kept; empty where each is read when it is needed.
  private let keptLayers: [TransformerBlock<Scalar>]

  /// - Parameters:
  ///   - configuration: checked
  ///   - weights: under their official names
  ///   - steps: correct, or with a known bug
  ///   - angles: of the rotary embedding
  ///   - keepsLayers: whether the layers stay in memory; if not, each is read again at every call, and one layer at a
  ///     time is what memory has to hold. Experts are read when a token needs them in either case
  ///   - predicts: whether the MTP block is built, where the model has one
  ///   - rollBackDepth: how many speculative tokens can be taken back
  /// - Throws: `InputError` if the configuration contradicts itself or a weight does not fit, and what reading throws.
  public init(
    _ configuration: ModelConfiguration, weights: any WeightSource, steps: StepSet = StepSet(), angles: AnglePolicy,
    keepsLayers: Bool = true, predicts: Bool = true, rollBackDepth: Int = 16
  ) throws {
    let configuration = steps.model.configuration(configuration)
    try configuration.validate()
    self.configuration = configuration
    self.steps = steps
    builder = BlockBuilder(
      configuration: configuration, weights: weights, steps: steps, angles: angles, rollBackDepth: rollBackDepth)
    head = try builder.head(prefix: "")
    norm = try builder.vector("norm.weight", configuration.width)
    prediction =
      predicts && configuration.multiTokenPredictionLayers > 0
      ? try MultiTokenPrediction(builder, prefix: "mtp.0.") : nil
    let layers = steps.model.decoderLayers(
      configuration.layers, predictionBlocks: configuration.multiTokenPredictionLayers)
    layerCount = layers
    var kept: [TransformerBlock<Scalar>] = []
    if keepsLayers {
      for index in 0..<layers { kept.append(try Self.layer(index, builder)) }
    }
    keptLayers = kept
  }

  private static func layer(_ index: Int, _ builder: BlockBuilder<Scalar>) throws -> TransformerBlock<Scalar> {
    let configuration = builder.configuration
    guard index < configuration.layers else {  // only a known bug asks for it
      return try builder.block(prefix: "mtp.\(index - configuration.layers).", ratio: 0, byTable: false)
    }
    return try builder.block(
      prefix: "layers.\(index).", ratio: configuration.ratios[index],
      byTable: builder.steps.model.routesByTable(layer: index, hashLayers: configuration.hashLayers))
  }

  /// A layer of the model.
  ///
  /// - Throws: what reading its weights throws, if they are not kept.
  public func layer(_ index: Int) throws -> TransformerBlock<Scalar> {
    try keptLayers.isEmpty ? Self.layer(index, builder) : keptLayers[index]
  }

  /// The state before any token.
  public var emptyState: ModelState<Scalar> {
    func layout(_ ratio: Int) -> AttentionLayout {
      AttentionLayout(
        headWidth: configuration.headWidth, window: configuration.window, ratio: ratio,
        indexWidth: LayerKind(ratio: ratio) == .compressedSparse ? configuration.indexWidth : nil,
        rollBackDepth: builder.rollBackDepth)
    }
    let ratios = configuration.compressRatios.prefix(layerCount)
    return ModelState(
      layers: ratios.map { AttentionState(layout($0)) },
      prediction: prediction.map { _ in
        PredictionState(
          attention: AttentionState(layout(0)),
          recentStreams: RowStore(width: configuration.streams * configuration.width))
      })
  }

  /// How many speculative tokens can be taken back.
  public var rollBackDepth: Int { builder.rollBackDepth }

  /// Runs the model on the next tokens of a sequence.
  ///
  /// - Parameters:
  ///   - tokenIDs: T ≥ 1 of them: a whole prompt, a piece of one, or the one token that was decoded last
  ///   - state: moves on by T tokens, or stays as it was if something throws
  ///   - hooks: where it rounds, and who listens
  /// - Throws: `InputError` for no token, an unknown token id, a position beyond the maximum; what reading weights throws.
  public func callAsFunction(
    _ tokenIDs: [Int], state: inout ModelState<Scalar>, hooks: Hooks = .none
  ) throws -> ModelOutput<Scalar> {
    let end = state.position + tokenIDs.count
    guard end <= configuration.maximumPositions else {
      throw InputError(
        "model", "position \(end - 1) is beyond the maximum of \(configuration.maximumPositions) positions")
    }
    var next = state
    let ids = try Tensor(shape: [tokenIDs.count], elements: tokenIDs)
    var streams = try initialStreams(tokenIDs, start: state.position, hooks: hooks)
    var blocks: [BlockOutput<Scalar>] = []
    for index in 0..<layerCount {
      let block = try layer(index)(
        streams, tokenIDs: ids, state: &next.layers[index], hooks: hooks.within("layers.\(index)"))
      streams = block.streams
      blocks.append(block)
    }
    let (hidden, logits) = try ending(streams, hooks: hooks)
    var prediction: PredictionOutput<Scalar>?
    if var predicted = next.prediction {
      prediction = try predict(tokenIDs, start: state.position, streams: streams, state: &predicted, hooks: hooks)
      next.prediction = predicted
    }
    next.finish(tokens: tokenIDs.count)
    state = next
    return ModelOutput(blocks: blocks, streams: streams, hidden: hidden, logits: logits, prediction: prediction)
  }

  /// The beginning: n copies of the embedding of each token, `[T, n, d]`.
  ///
  /// - Parameters:
  ///   - tokenIDs: T ≥ 1 of them
  ///   - start: the position of the first token, for errors
  ///   - hooks: who listens
  /// - Throws: `InputError` for no token or an unknown id.
  public func initialStreams(_ tokenIDs: [Int], start: Int, hooks: Hooks) throws -> Tensor<Scalar> {
    let embedding = hooks.recorded(.embedding, try embed(tokenIDs, start: start))
    return hooks.recorded(
      .initialStreams, try steps.hyperConnection.expand(embedding, streams: configuration.streams))
  }

  /// The end: from the streams after the last layer, `[T, n, d]`, to hidden `[T, d]` and logits `[T, V]`.
  ///
  /// - Throws: `InputError` if the shape does not fit, and what reading the LM head throws.
  public func ending(
    _ streams: Tensor<Scalar>, hooks: Hooks
  ) throws -> (hidden: Tensor<Scalar>, logits: Tensor<Scalar>) {
    let collapsed = try head(streams, hooks: hooks.within("hc_head")).collapsed
    let hidden = try hooks.pass(
      .hidden,
      steps.model.normalized(collapsed, weight: norm, epsilon: Scalar(configuration.normEpsilon)))
    return (hidden, hooks.recorded(.logits, try logits(hidden)))
  }

  /// The rows of the embedding, `[T, d]`.
  ///
  /// - Parameter start: the position of the first token, for errors
  func embed(_ tokenIDs: [Int], start: Int) throws -> Tensor<Scalar> {
    guard !tokenIDs.isEmpty else { throw InputError("model", "needs at least one token") }
    var rows: [Tensor<Scalar>] = []
    for (place, id) in tokenIDs.enumerated() {
      guard (0..<configuration.vocabularySize).contains(id) else {
        throw InputError(
          "model",
          "token id \(id) at position \(start + place) is outside the vocabulary of \(configuration.vocabularySize)")
      }
      rows.append(
        try builder.weights.reals(
          "embed.weight", shape: [configuration.vocabularySize, configuration.width], rows: id..<id + 1))
    }
    let embedding = try Tensor.concatenated(rows, width: configuration.width)
    try embedding.requireFinite("embed.weight", in: "weights")
    return embedding
  }

  /// The LM head, `[T, V]`, shared with the MTP block. Its rows are read piece by piece.
  func logits(_ hidden: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let vocabulary = configuration.vocabularySize
    let (piece, piecesAtATime) = (4096, 4)
    var parts: [Tensor<Scalar>] = []
    for first in stride(from: 0, to: vocabulary, by: piece * piecesAtATime) {
      let end = min(first + piece * piecesAtATime, vocabulary)
      let pieces = stride(from: first, to: end, by: piece).map { $0..<min($0 + piece, vocabulary) }
      let weights = concurrentMap(pieces) { rows in
        Result {
          let weight: Tensor<Scalar> = try builder.weights.reals(
            "head.weight", shape: [vocabulary, configuration.width], rows: rows)
          try weight.requireFinite("head.weight", in: "weights")
          return weight
        }
      }
      for weight in weights {
        parts.append(try steps.model.vocabularyLogits(hidden, head: weight.get()).transposed())
      }
    }
    return try Tensor.concatenated(parts, width: hidden.shape[0]).transposed()
  }
}

/// What a model computes for T tokens.
public struct ModelOutput<Scalar: RealScalar>: Sendable {
  /// Of each layer.
  public let blocks: [BlockOutput<Scalar>]
  /// `[T, n, d]`: after the last layer.
  public let streams: Tensor<Scalar>
  /// `[T, d]`: collapsed and normalised.
  public let hidden: Tensor<Scalar>
  /// `[T, V]`: entry t is about token t + 1.
  public let logits: Tensor<Scalar>
  /// What the MTP block says of the tokens that are known; nil without such a block, or before the second token.
  public let prediction: PredictionOutput<Scalar>?
}
