import HyperConnections
import Tensors

// Axes: T tokens, n residual streams, d model width.

/// The steps of the whole model, each with the correct default; a known bug overrides one.
///
/// | step | what |
/// | --- | --- |
/// | `configuration` | report 4.2.1: the numbers that a model is built with |
/// | `decoderLayers` | 2.2-block: how many blocks run before the head |
/// | `routesByTable` | 2.1-hash: which layers route by the table |
/// | `normalized` | 2.2-block: RMSNorm with weight, before each layer and at the end |
/// | `vocabularyLogits` | 2.2-head: the LM head after it |
/// | `pairedToken`, `predictionStreams`, `predictionProjected`, `predictionJoined` | 2.1-mtp: what an MTP block starts from |
/// | `predictionHead` | 2.1-mtp: whose hyper-connection head collapses its streams |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol ModelSteps: Sendable {
  func configuration(_ read: ModelConfiguration) -> ModelConfiguration

  func decoderLayers(_ layers: Int, predictionBlocks: Int) -> Int

  func routesByTable(layer: Int, hashLayers: Int) -> Bool

  func normalized<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func vocabularyLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, head: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func pairedToken(position: Int) -> Int

  func predictionStreams<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, head: HyperConnectionHead<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func predictionProjected<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func predictionJoined<Scalar: RealScalar>(
    embedding: Tensor<Scalar>, streams: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func predictionHead<Scalar: RealScalar>(
    own: HyperConnectionHead<Scalar>, ofTheModel: HyperConnectionHead<Scalar>
  ) -> HyperConnectionHead<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceModelSteps: ModelSteps {
  public init() {}
}

extension ModelSteps where Self == ReferenceModelSteps {
  /// The correct steps.
  public static var reference: ReferenceModelSteps { ReferenceModelSteps() }
}

extension ModelSteps {
  /// The numbers of config.json, and no class default of anybody's code.
  public func configuration(_ read: ModelConfiguration) -> ModelConfiguration { read }

  /// The layers and no more: blocks for multi-token prediction are none of them.
  public func decoderLayers(_ layers: Int, predictionBlocks: Int) -> Int { layers }

  /// The first layers of the model route by the table of token ids (2.1-hash).
  public func routesByTable(layer: Int, hashLayers: Int) -> Bool { layer < hashLayers }

  /// RMSNorm with weight: of what enters a layer, of what the head collapsed, and of what enters an MTP block.
  ///
  /// - Parameters:
  ///   - x: `[…, d]`
  ///   - weight: `[d]`
  ///   - epsilon: ε, `rms_norm_eps`
  public func normalized<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(x, weight: weight, epsilon: epsilon)
  }

  /// The logits of some tokens of the vocabulary.
  ///
  /// - Parameters:
  ///   - hidden: normalised, `[T, d]`
  ///   - head: rows of the LM head, `[v, d]`
  /// - Returns: `[T, v]`
  public func vocabularyLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, head: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, head)
  }

  /// The token whose embedding an MTP block joins with the streams of a position: the next one.
  public func pairedToken(position: Int) -> Int { position + 1 }

  /// What an MTP block takes from the last layer: all n streams, not collapsed.
  ///
  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - head: of the model; not used here: a known bug collapses the streams by it
  /// - Returns: `[T, n, d]`
  public func predictionStreams<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, head: HyperConnectionHead<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    streams
  }

  /// `e_proj` or `h_proj` of an MTP block.
  ///
  /// - Parameters:
  ///   - x: normalised, `[…, d]`
  ///   - weight: `[d, d]`
  public func predictionProjected<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(x, weight)
  }

  /// The streams that an MTP block starts from: the projected embedding is added to each projected stream.
  ///
  /// ```
  /// x′[j] = e_proj · RMSNorm(embedding) + h_proj · RMSNorm(x[j])
  /// ```
  ///
  /// - Parameters:
  ///   - embedding: projected, `[T, d]`
  ///   - streams: projected, `[T, n, d]`
  /// - Returns: `[T, n, d]`
  public func predictionJoined<Scalar: RealScalar>(
    embedding: Tensor<Scalar>, streams: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try streams + embedding.reshaped([embedding.shape[0], 1, embedding.shape[1]])
  }

  /// The hyper-connection head of an MTP block is its own.
  public func predictionHead<Scalar: RealScalar>(
    own: HyperConnectionHead<Scalar>, ofTheModel: HyperConnectionHead<Scalar>
  ) -> HyperConnectionHead<Scalar> {
    own
  }
}
