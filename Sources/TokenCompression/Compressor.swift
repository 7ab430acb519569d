import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, d model width, c entry width, w projected width (2c with overlap, else c), m compression ratio.

/// Compresses m tokens into one entry (report 2.3.1 with overlap, 2.3.2 without).
public struct Compressor<Scalar: RealScalar>: Sendable {
  /// `[w, d]`
  public let keyValueProjection: Tensor<Scalar>
  /// `[w, d]`
  public let gateProjection: Tensor<Scalar>
  /// `[m, w]`
  public let positionBias: Tensor<Scalar>
  /// `[c]`
  public let norm: Tensor<Scalar>
  public let ratio: Int
  public let overlaps: Bool
  public let normEpsilon: Scalar
  public let rotary: RotaryConfiguration
  public let steps: any CompressionSteps
  public let rotarySteps: any RotarySteps

  /// - Parameters:
  ///   - width: d
  ///   - ratio: m; 4 overlaps
  ///   - keyValueProjection: `[w, d]`
  ///   - gateProjection: `[w, d]`
  ///   - positionBias: B, `[m, w]`
  ///   - norm: `[c]`
  ///   - normEpsilon: `rms_norm_eps` of the model
  ///   - rotary: of the layer
  ///   - steps: correct, or with a known bug
  ///   - rotarySteps: the same for the rotation
  ///   - prefix: what precedes the names of the weights in an error
  ///   - operation: what an error names
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite.
  public init(
    width: Int, ratio: Int, keyValueProjection: Tensor<Scalar>, gateProjection: Tensor<Scalar>,
    positionBias: Tensor<Scalar>, norm: Tensor<Scalar>, normEpsilon: Scalar, rotary: RotaryConfiguration,
    steps: any CompressionSteps = .reference, rotarySteps: any RotarySteps = .reference,
    prefix: String = "", operation: String = "compress"
  ) throws(InputError) {
    guard ratio >= 1 else { throw InputError(operation, "ratio must be at least 1 to compress, got \(ratio)") }
    let overlaps = ratio == 4
    try norm.requireAxes(["c"], prefix + "norm", in: operation)
    let projected = overlaps ? 2 * norm.count : norm.count
    try keyValueProjection.requireShape([projected, width], prefix + "kv_projection", in: operation)
    try gateProjection.requireShape([projected, width], prefix + "gate_projection", in: operation)
    try positionBias.requireShape([ratio, projected], prefix + "position_bias", in: operation)
    try keyValueProjection.requireFinite(prefix + "kv_projection", in: operation)
    try gateProjection.requireFinite(prefix + "gate_projection", in: operation)
    try positionBias.requireFinite(prefix + "position_bias", in: operation)
    try norm.requireFinite(prefix + "norm", in: operation)
    try requireEpsilon(normEpsilon, "norm_epsilon", in: operation)
    self.keyValueProjection = keyValueProjection
    self.gateProjection = gateProjection
    self.positionBias = positionBias
    self.norm = norm
    self.ratio = ratio
    self.overlaps = overlaps
    self.normEpsilon = normEpsilon
    self.rotary = rotary
    self.steps = steps
    self.rotarySteps = rotarySteps
  }

  /// The state before any token.
  public var emptyState: CompressorState<Scalar> {
    CompressorState(ratio: ratio, overlaps: overlaps, width: norm.count)
  }

  /// Takes in tokens and makes an entry for each block that they complete.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - state: gets the projected rows and the entries
  ///   - hooks: where it rounds, and who listens; of this compressor
  ///   - finishing: what is done to the rotated entries `[N, c]` before they are remembered: rounded to the numerics of
  ///     the cache, and for the indexer transformed before that
  /// - Returns: the new entries, step by step
  /// - Throws: `InputError` for another shape or for no tokens.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout CompressorState<Scalar>, hooks: Hooks = .none,
    finishing: (Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> = { $0 }
  ) throws(InputError) -> CompressionOutput<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "compress")
    let chunkStart = state.position
    try state.keyValues.append(hooks.pass(.compressorKeyValues, steps.projected(hidden, keyValueProjection)))
    try state.scores.append(hooks.pass(.compressorScores, steps.projected(hidden, gateProjection)))

    let blocks = state.entries.end..<state.position / ratio
    let pooled = try hooks.pass(
      .pooled, steps.pooledBlocks(blocks, of: state, positionBias: positionBias, chunkStart: chunkStart))
    let normalized = try hooks.pass(
      .pooledNormalized, steps.normalized(pooled, weight: norm, epsilon: normEpsilon))
    let rotated = try steps.rotatedEntries(
      normalized, positions: blocks.map { steps.entryPosition(block: $0, ratio: ratio) }, rotary: rotary,
      rotarySteps: rotarySteps)
    let entries = try finishing(hooks.pass(.pooledRotated, rotated))
    try state.entries.append(entries)
    return CompressionOutput(pooled: pooled, normalized: normalized, entries: entries)
  }
}

/// The entries that a call completed, step by step, `[N, c]` each.
public struct CompressionOutput<Scalar: RealScalar>: Sendable {
  /// Before the norm.
  public let pooled: Tensor<Scalar>
  /// After the norm, before the rotation.
  public let normalized: Tensor<Scalar>
  /// As remembered.
  public let entries: Tensor<Scalar>
}
