import CoreAttention
import ExpertRouting
import HyperConnections
import Taps
import Tensors

// Axes: T tokens, n residual streams, d model width, V vocabulary.

/// The block for multi-token prediction (report 2.1; released code): from the streams of the last layer at a position
/// and the token after it, to logits of the token after that.
///
/// ```
/// x′[j] = e_proj · RMSNorm(embedding of token i + 1) + h_proj · RMSNorm(x_i[j])     for each stream j
/// a block of ratio 0 with learned routing, at position i
/// its own hyper-connection head and norm, the LM head of the model
/// ```
public struct MultiTokenPrediction<Scalar: RealScalar>: Sendable {
  public let block: TransformerBlock<Scalar>
  public let head: HyperConnectionHead<Scalar>
  /// `[d]`
  public let norm: Tensor<Scalar>
  /// enorm, `[d]`
  public let embeddingNorm: Tensor<Scalar>
  /// hnorm, `[d]`
  public let streamsNorm: Tensor<Scalar>
  /// e_proj, `[d, d]`
  public let embeddingProjection: Tensor<Scalar>
  /// h_proj, `[d, d]`
  public let streamsProjection: Tensor<Scalar>
  public let normEpsilon: Scalar
  public let steps: any ModelSteps

  init(_ builder: BlockBuilder<Scalar>, prefix: String) throws {
    let width = builder.configuration.width
    block = try builder.block(prefix: prefix, ratio: 0, byTable: false)
    head = try builder.head(prefix: prefix)
    norm = try builder.vector(prefix + "norm.weight", width)
    embeddingNorm = try builder.vector(prefix + "enorm.weight", width)
    streamsNorm = try builder.vector(prefix + "hnorm.weight", width)
    embeddingProjection = try builder.matrix(prefix + "e_proj.weight", width, width)
    streamsProjection = try builder.matrix(prefix + "h_proj.weight", width, width)
    normEpsilon = Scalar(builder.configuration.normEpsilon)
    steps = builder.steps.model
  }

  /// The streams that the block starts from.
  ///
  /// - Parameters:
  ///   - embedding: of the tokens at positions i + 1, `[T, d]`
  ///   - streams: of the last layer at positions i, `[T, n, d]`
  ///   - hooks: of the MTP block
  /// - Returns: `[T, n, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func projected(
    embedding: Tensor<Scalar>, streams: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let normalEmbedding = try hooks.pass(
      .embeddingNormalized, steps.normalized(embedding, weight: embeddingNorm, epsilon: normEpsilon))
    let normalStreams = try hooks.pass(
      .streamsNormalized, steps.normalized(streams, weight: streamsNorm, epsilon: normEpsilon))
    let fromEmbedding = try hooks.pass(
      .embeddingProjected,
      steps.predictionProjected(
        hooks.linearInput(.embeddingNormalizedQuantized, normalEmbedding), by: embeddingProjection))
    let fromStreams = try hooks.pass(
      .streamsProjected,
      steps.predictionProjected(
        hooks.linearInput(.streamsNormalizedQuantized, normalStreams), by: streamsProjection))
    return try hooks.pass(
      .projectedSum, steps.predictionJoined(embedding: fromEmbedding, streams: fromStreams))
  }
}

/// What the MTP block computes for T pairs.
public struct PredictionOutput<Scalar: RealScalar>: Sendable {
  /// `[T, n, d]`: what the block starts from.
  public let projected: Tensor<Scalar>
  public let block: BlockOutput<Scalar>
  /// `[T, d]`
  public let hidden: Tensor<Scalar>
  /// `[T, V]`: entry i is about token i + 2.
  public let logits: Tensor<Scalar>
}

extension LanguageModel {
  /// Runs the MTP block on every pair that the new tokens complete: the streams at i with token i + 1.
  ///
  /// - Parameters:
  ///   - tokenIDs: T new ones
  ///   - start: the position of the first
  ///   - streams: of the last layer at their positions, `[T, n, d]`
  ///   - state: of the block; it moves on by as many pairs
  ///   - hooks: of the model
  /// - Returns: nil without such a block, or where no pair is complete
  /// - Throws: what its parts throw.
  public func predict(
    _ tokenIDs: [Int], start: Int, streams: Tensor<Scalar>, state: inout PredictionState<Scalar>, hooks: Hooks
  ) throws -> PredictionOutput<Scalar>? {
    guard let prediction else { return nil }
    try state.recentStreams.append(streams.reshaped([streams.shape[0], streams.count / streams.shape[0]]))
    defer { state.finish(position: start + tokenIDs.count, depth: rollBackDepth) }
    let positions = max(start - 1, 0)..<start + tokenIDs.count - 1
    guard !positions.isEmpty else { return nil }

    // A known bug pairs a position with an earlier token, which may not be among these.
    let paired = positions.map { tokenIDs[max(steps.model.pairedToken(position: $0) - start, 0)] }
    let hooks = hooks.within("mtp.0")
    let embedding = hooks.recorded(.pairedEmbedding, try embed(paired, start: positions.lowerBound))
    let recent = try state.recentStreams.rows(positions)
      .reshaped([positions.count, configuration.streams, configuration.width])
    let projected = try prediction.projected(
      embedding: embedding,
      streams: steps.model.predictionStreams(hooks.recorded(.pairedStreams, recent), head: head), hooks: hooks)
    let ids = try Tensor(shape: [paired.count], elements: paired)
    let block = try prediction.block(projected, tokenIDs: ids, state: &state.attention, hooks: hooks)
    let head = steps.model.predictionHead(own: prediction.head, ofTheModel: head)
    let collapsed = try head(block.streams, hooks: hooks.within("hc_head")).collapsed
    let hidden = try hooks.pass(
      .predictionHidden, steps.model.normalized(collapsed, weight: prediction.norm, epsilon: prediction.normEpsilon))
    return PredictionOutput(
      projected: projected, block: block, hidden: hidden,
      logits: hooks.recorded(.predictionLogits, try logits(hidden)))
  }
}
