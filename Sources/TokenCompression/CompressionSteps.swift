import RotaryEmbedding
import Tensors

// Axes: T tokens, d model width, c entry width, w projected width (2c with overlap, else c), m compression ratio,
// R rows that are pooled into one entry (2m with overlap, else m).

/// The steps of token compression (report 2.3.1 and 2.3.2), each with the correct default; a known bug overrides one.
///
/// | step | equations |
/// | --- | --- |
/// | `projected` | (9), (10); (20), (21) |
/// | `biased` | the B of (11) and (22) |
/// | `rowsBeforeTheFirstBlock`, `blockRows` | which rows (11) and (22) stack |
/// | `pooled`, and `pooledBlocks` for all blocks | (11), (12); (22), (23) |
/// | `normalized` | 2.3.3-head-norm |
/// | `entryPosition`, `rotatedEntry`, and `rotatedEntries` for all blocks | 2.3.3-rotary |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol CompressionSteps: Sendable {
  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func biased<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, positionBias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func rowsBeforeTheFirstBlock<Scalar: RealScalar>(ratio: Int, width: Int) -> CompressionRows<Scalar>

  func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar>

  func pooled<Scalar: RealScalar>(_ rows: CompressionRows<Scalar>) throws(InputError) -> Tensor<Scalar>

  func pooledBlocks<Scalar: RealScalar>(
    _ blocks: Range<Int>, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> Tensor<Scalar>

  func normalized<Scalar: RealScalar>(
    _ pooled: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func entryPosition(block: Int, ratio: Int) -> Int

  func rotatedEntry<Scalar: RealScalar>(
    _ entry: Tensor<Scalar>, position: Int, rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>

  func rotatedEntries<Scalar: RealScalar>(
    _ entries: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>
}

/// The rows that one entry is pooled from.
public struct CompressionRows<Scalar: RealScalar>: Sendable {
  /// C: `[R, c]`
  public var keyValues: Tensor<Scalar>
  /// Z + B: `[R, c]`
  public var scores: Tensor<Scalar>

  /// Contents and scores of the same rows, `[R, c]` each.
  public init(keyValues: Tensor<Scalar>, scores: Tensor<Scalar>) {
    self.keyValues = keyValues
    self.scores = scores
  }
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceCompressionSteps: CompressionSteps {
  public init() {}
}

extension CompressionSteps where Self == ReferenceCompressionSteps {
  /// The correct steps.
  public static var reference: ReferenceCompressionSteps { ReferenceCompressionSteps() }
}

extension CompressionSteps {
  /// Eqs. (9), (10), (20), (21): `H W`.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - projection: `[w, d]`
  /// - Returns: `[T, w]`
  public func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, projection)
  }

  /// The position bias, one row for each place in a block. It enters the score only, never the content.
  ///
  /// - Parameters:
  ///   - scores: Z of one block, `[m, w]`
  ///   - positionBias: B, `[m, w]`
  /// - Returns: `[m, w]`
  public func biased<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, positionBias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try scores + positionBias
  }

  /// What stands in for the block before the first one: content 0, score −∞, so that it takes no weight.
  ///
  /// - Returns: `[m, c]` each
  public func rowsBeforeTheFirstBlock<Scalar: RealScalar>(ratio: Int, width: Int) -> CompressionRows<Scalar> {
    CompressionRows(
      keyValues: Tensor(repeating: 0, shape: [ratio, width]),
      scores: Tensor(repeating: -.infinity, shape: [ratio, width]))
  }

  /// The rows of a block. Without overlap (eq. 22) its own m rows.
  ///
  /// With overlap (eq. 11) 2m rows: the **first** half of the channels of the **previous** block's tokens, and the
  /// **second** half of the channels of this block's tokens.
  ///
  /// - Parameters:
  ///   - block: its number
  ///   - state: holds the projected rows of this block and, with overlap, of the previous one
  ///   - positionBias: B, `[m, w]`
  ///   - chunkStart: where the present call began; not used here: a known bug forgets what was before it
  /// - Returns: `[R, c]` each
  public func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar> {
    let ratio = state.ratio
    func rows(_ block: Int, _ channels: Range<Int>) throws(InputError) -> CompressionRows<Scalar> {
      let range = block * ratio..<(block + 1) * ratio
      let scores = try biased(state.scores.rows(range), positionBias: positionBias)
      return CompressionRows(
        keyValues: try state.keyValues.rows(range).lastAxis(channels), scores: try scores.lastAxis(channels))
    }
    let width = state.entries.width
    guard state.overlaps else { return try rows(block, 0..<width) }
    let previous =
      block == 0 ? rowsBeforeTheFirstBlock(ratio: ratio, width: width) : try rows(block - 1, 0..<width)
    let current = try rows(block, width..<2 * width)
    return CompressionRows(
      keyValues: try previous.keyValues.appending(current.keyValues),
      scores: try previous.scores.appending(current.scores))
  }

  /// Eqs. (11), (12) and (22), (23): for each channel a softmax over the rows, then the weighted sum of the rows.
  ///
  /// - Returns: `[1, c]`
  public func pooled<Scalar: RealScalar>(_ rows: CompressionRows<Scalar>) throws(InputError) -> Tensor<Scalar> {
    let weights = try rows.scores.transposed().softmax()
    return try (weights * rows.keyValues.transposed()).sum(over: .rows).transposed()
  }

  /// The entries of blocks that are whole, one after another: `pooled` of their `blockRows`.
  ///
  /// - Parameters:
  ///   - blocks: their numbers, N of them
  ///   - state: holds their projected rows
  ///   - positionBias: B, `[m, w]`
  ///   - chunkStart: where the present call began, as for `blockRows`
  /// - Returns: `[N, c]`
  public func pooledBlocks<Scalar: RealScalar>(
    _ blocks: Range<Int>, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> Tensor<Scalar> {
    var entries: [Tensor<Scalar>] = []
    for block in blocks {
      entries.append(try pooled(blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)))
    }
    return try .concatenated(entries, width: state.entries.width)
  }

  /// RMSNorm with weight (2.3.3).
  ///
  /// - Parameters:
  ///   - pooled: `[N, c]`
  ///   - weight: `[c]`
  ///   - epsilon: ε, `rms_norm_eps`
  public func normalized<Scalar: RealScalar>(
    _ pooled: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(pooled, weight: weight, epsilon: epsilon)
  }

  /// Where an entry stands for the rotary embedding: at the first token of its block.
  public func entryPosition(block: Int, ratio: Int) -> Int { block * ratio }

  /// The entry, rotated at that position.
  ///
  /// - Parameters:
  ///   - entry: `[1, c]`
  ///   - position: in tokens, as `entryPosition` gives it
  ///   - rotary: of the layer
  ///   - rotarySteps: how it is rotated
  public func rotatedEntry<Scalar: RealScalar>(
    _ entry: Tensor<Scalar>, position: Int, rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    let heads = try entry.reshaped([1, 1, entry.count])
    return try rotarySteps.rotated(heads, positions: [position], configuration: rotary, inverse: false)
      .reshaped(entry.shape)
  }

  /// Entries one after another, each rotated at its own position.
  ///
  /// - Parameters:
  ///   - entries: `[N, c]`
  ///   - positions: of the N entries, in tokens
  ///   - rotary: of the layer
  ///   - rotarySteps: how they are rotated
  /// - Returns: `[N, c]`
  public func rotatedEntries<Scalar: RealScalar>(
    _ entries: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    var rotated: [Tensor<Scalar>] = []
    for (row, position) in positions.enumerated() {
      rotated.append(
        try rotatedEntry(entries.rows(row..<row + 1), position: position, rotary: rotary, rotarySteps: rotarySteps))
    }
    return try .concatenated(rotated, width: entries.shape[1])
  }
}
