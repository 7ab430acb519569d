import RotaryEmbedding
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
  ///   - finishing: what is done to an entry `[1, c]` before it is remembered: the Hadamard transform of the indexer
  /// - Returns: the new entries, step by step
  /// - Throws: `InputError` for another shape or for no tokens.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout CompressorState<Scalar>,
    finishing: (Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> = { $0 }
  ) throws(InputError) -> CompressionOutput<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "compress")
    let chunkStart = state.position
    try state.keyValues.append(steps.projected(hidden, keyValueProjection))
    try state.scores.append(steps.projected(hidden, gateProjection))

    var (pooled, normalized, entries): ([Tensor<Scalar>], [Tensor<Scalar>], [Tensor<Scalar>]) = ([], [], [])
    for block in state.entries.end..<state.position / ratio {
      let rows = try steps.blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)
      let pool = try steps.pooled(rows)
      let normal = try steps.normalized(pool, weight: norm, epsilon: normEpsilon)
      let entry = try steps.rotatedEntry(
        normal, position: steps.entryPosition(block: block, ratio: ratio), rotary: rotary, rotarySteps: rotarySteps)
      let finished = try finishing(entry)
      try state.entries.append(finished)
      pooled.append(pool)
      normalized.append(normal)
      entries.append(finished)
    }
    let width = norm.count
    return CompressionOutput(
      pooled: try .concatenated(pooled, width: width), normalized: try .concatenated(normalized, width: width),
      entries: try .concatenated(entries, width: width))
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
