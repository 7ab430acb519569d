import Tensors

// Axes: N entries, c entry width, w projected width (2c with overlap, else c), m compression ratio.

/// What a compressor remembers of the tokens it has seen: its finished entries, and the projected rows that an
/// unfinished block (and, with overlap, the next one) still needs.
public struct CompressorState<Scalar: RealScalar>: Equatable, Sendable {
  /// m
  public let ratio: Int
  /// Whether an entry also pools the previous block.
  public let overlaps: Bool
  /// `[N, c]`: one for each whole block, in order.
  public internal(set) var entries: RowStore<Scalar>
  /// Projected contents of recent tokens, `[·, w]`.
  public internal(set) var keyValues: RowStore<Scalar>
  /// Projected scores of recent tokens, without position bias, `[·, w]`.
  public internal(set) var scores: RowStore<Scalar>

  /// The state before any token.
  ///
  /// - Parameters:
  ///   - ratio: m
  ///   - overlaps: whether an entry also pools the previous block
  ///   - width: c
  public init(ratio: Int, overlaps: Bool, width: Int) {
    let projected = overlaps ? 2 * width : width
    self.ratio = ratio
    self.overlaps = overlaps
    entries = RowStore(width: width)
    keyValues = RowStore(width: projected)
    scores = RowStore(width: projected)
  }

  /// A state that was filled elsewhere.
  ///
  /// - Parameters:
  ///   - ratio: m, at least 1
  ///   - overlaps: whether an entry also pools the previous block
  ///   - entries: `[N, c]`, from number 0 on
  ///   - keyValues: recent rows, `[·, w]`, up to the present position
  ///   - scores: the same
  /// - Throws: `InputError` if the parts contradict each other.
  public init(
    ratio: Int, overlaps: Bool, entries: RowStore<Scalar>, keyValues: RowStore<Scalar>, scores: RowStore<Scalar>
  ) throws(InputError) {
    guard ratio >= 1 else { throw InputError("state", "the ratio of a compressor must be at least 1, got \(ratio)") }
    let projected = overlaps ? 2 * entries.width : entries.width
    let needed = Self.firstRowNeeded(at: keyValues.end, ratio: ratio, overlaps: overlaps)
    guard entries.start == 0, entries.end == keyValues.end / ratio, keyValues.width == projected,
      scores.width == projected, scores.end == keyValues.end, scores.start == keyValues.start,
      keyValues.start <= needed
    else { throw InputError("state", "the parts of a compressor state do not fit each other") }
    self.ratio = ratio
    self.overlaps = overlaps
    self.entries = entries
    self.keyValues = keyValues
    self.scores = scores
  }

  /// The tokens seen.
  public var position: Int { keyValues.end }

  /// Bytes that it occupies.
  public var byteCount: Int { entries.byteCount + keyValues.byteCount + scores.byteCount }

  /// Whether it still has what going on from an earlier position needs.
  public func canReturn(to position: Int) -> Bool {
    keyValues.start <= Self.firstRowNeeded(at: position, ratio: ratio, overlaps: overlaps)
  }

  /// The first projected row that is needed to go on from a position.
  static func firstRowNeeded(at position: Int, ratio: Int, overlaps: Bool) -> Int {
    max(0, (position / ratio - (overlaps ? 1 : 0)) * ratio)
  }

  /// Forgets the rows that going on from `position` or later never needs.
  public mutating func forgetRows(neededBefore position: Int) {
    let first = Self.firstRowNeeded(at: position, ratio: ratio, overlaps: overlaps)
    keyValues.forget(before: first)
    scores.forget(before: first)
  }

  /// Forgets every token from a position on.
  ///
  /// - Precondition: the rows needed there are still remembered.
  public mutating func rollBack(to position: Int) {
    entries.cut(from: position / ratio)
    keyValues.cut(from: position)
    scores.cut(from: position)
  }
}
