import Taps
import Tensors
import TokenCompression

// Axes: T tokens, d model width, c head width, m compression ratio.

/// What an attention layer remembers of a sequence: a value, like the numbers in it.
///
/// It holds the window entries, the compressed entries with the rows of unfinished blocks, and for CSA the same for the
/// indexer's keys. It keeps a little more than the next token needs, so that rejected speculative tokens can be taken
/// back: `rollBack(to:)`.
public struct AttentionState<Scalar: RealScalar>: Equatable, Sendable {
  public let layout: AttentionLayout
  /// Rotated window entries of recent tokens, `[·, c]`, by position.
  public internal(set) var window: RowStore<Scalar>
  /// Nil in a layer without compression.
  public internal(set) var compressor: CompressorState<Scalar>?
  /// Nil in a layer without indexer.
  public internal(set) var indexCompressor: CompressorState<Scalar>?
  /// The earliest position that `rollBack(to:)` can still reach.
  public private(set) var earliestRollBack: Int

  /// The state before any token.
  public init(_ layout: AttentionLayout) {
    self.layout = layout
    window = RowStore(width: layout.headWidth)
    compressor = layout.ratio > 0 ? Self.compressor(layout, width: layout.headWidth) : nil
    indexCompressor = layout.indexWidth.map { Self.compressor(layout, width: $0) }
    earliestRollBack = 0
  }

  /// A state that was filled elsewhere: generated, or read from a file.
  ///
  /// - Throws: `InputError` if the parts contradict each other or the layout.
  public init(
    _ layout: AttentionLayout, window: RowStore<Scalar>, compressor: CompressorState<Scalar>?,
    indexCompressor: CompressorState<Scalar>?, earliestRollBack: Int? = nil
  ) throws(InputError) {
    let position = window.end
    let earliest = earliestRollBack ?? position
    func fits(_ state: CompressorState<Scalar>?, _ width: Int?) -> Bool {
      guard let state, let width else { return state == nil && width == nil }
      return state.ratio == layout.ratio && state.entries.width == width && state.position == position
        && state.canReturn(to: earliest)
    }
    guard window.width == layout.headWidth, (0...position).contains(earliest),
      window.start <= max(0, earliest - layout.window + 1),
      fits(compressor, layout.ratio > 0 ? layout.headWidth : nil), fits(indexCompressor, layout.indexWidth)
    else { throw InputError("state", "its parts do not fit each other or the layout \(layout)") }
    self.layout = layout
    self.window = window
    self.compressor = compressor
    self.indexCompressor = indexCompressor
    self.earliestRollBack = earliest
  }

  /// The number of tokens seen: the position of the next one.
  public var position: Int { window.end }

  /// Bytes that it occupies, in the scalar type of the path.
  public var byteCount: Int {
    window.byteCount + (compressor?.byteCount ?? 0) + (indexCompressor?.byteCount ?? 0)
  }

  /// Takes tokens into the compressed entries.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - compressor: of the entries
  ///   - hooks: of the compressor
  ///   - finishing: what is done to entries before they are remembered: rounding to the numerics of the cache
  /// - Throws: `InputError` if this layer has no compression or the shape does not fit.
  public mutating func compress(
    _ hidden: Tensor<Scalar>, with compressor: Compressor<Scalar>, hooks: Hooks,
    finishing: (Tensor<Scalar>) throws(InputError) -> Tensor<Scalar>
  ) throws(InputError) -> CompressionOutput<Scalar> {
    try Self.advance(&self.compressor, hidden, compressor, hooks, finishing: finishing)
  }

  /// Takes tokens into the indexer's keys.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - compressor: of the index keys
  ///   - hooks: of the index compressor
  ///   - finishing: what is done to keys before they are remembered: the Hadamard transform, and rounding
  /// - Throws: `InputError` if this layout has no indexer or the shape does not fit.
  public mutating func compressKeys(
    _ hidden: Tensor<Scalar>, with compressor: Compressor<Scalar>, hooks: Hooks,
    finishing: (Tensor<Scalar>) throws(InputError) -> Tensor<Scalar>
  ) throws(InputError) -> CompressionOutput<Scalar> {
    try Self.advance(&indexCompressor, hidden, compressor, hooks, finishing: finishing)
  }

  private static func advance(
    _ state: inout CompressorState<Scalar>?, _ hidden: Tensor<Scalar>, _ compressor: Compressor<Scalar>, _ hooks: Hooks,
    finishing: (Tensor<Scalar>) throws(InputError) -> Tensor<Scalar>
  ) throws(InputError) -> CompressionOutput<Scalar> {
    guard var moved = state else { throw InputError("attention", "the state has no entries of this kind") }
    state = nil  // so that there are never two owners, which would copy all entries at every call
    defer { state = moved }
    return try compressor(hidden, state: &moved, hooks: hooks, finishing: finishing)
  }

  /// Forgets every token from a position on, as if it had never been seen.
  ///
  /// - Parameter position: at most the present one
  /// - Throws: `InputError` if that lies in the future, or so far back that what it needs is gone.
  public mutating func rollBack(to position: Int) throws(InputError) {
    guard position <= self.position else {
      throw InputError("rollback", "position \(position) lies beyond the \(self.position) tokens seen")
    }
    guard position >= earliestRollBack else {
      throw InputError(
        "rollback",
        "position \(position) is too far back: this state can return to \(earliestRollBack) at the earliest")
    }
    window.cut(from: position)
    compressor?.rollBack(to: position)
    indexCompressor?.rollBack(to: position)
  }

  /// Forgets what neither the next token nor a roll-back within the depth of the layout needs.
  mutating func forgetWhatIsNoLongerNeeded() {
    earliestRollBack = max(earliestRollBack, position - layout.rollBackDepth)
    window.forget(before: earliestRollBack - layout.window + 1)
    compressor?.forgetRows(neededBefore: earliestRollBack)
    indexCompressor?.forgetRows(neededBefore: earliestRollBack)
  }

  private static func compressor(_ layout: AttentionLayout, width: Int) -> CompressorState<Scalar> {
    CompressorState(ratio: layout.ratio, overlaps: layout.ratio == 4, width: width)
  }
}

/// What decides the form of a state. A state belongs to layers of its own layout alone.
public struct AttentionLayout: Equatable, Sendable, CustomStringConvertible {
  /// c
  public let headWidth: Int
  /// Tokens that a query sees uncompressed, itself included.
  public let window: Int
  /// m: 0 sliding window only, 4 compressed sparse attention, anything else heavily compressed attention.
  public let ratio: Int
  /// The width of an index key; nil without indexer.
  public let indexWidth: Int?
  /// How many tokens can be taken back.
  public let rollBackDepth: Int

  /// Numbers as they are: a layer refuses a state of another layout than its own.
  public init(headWidth: Int, window: Int, ratio: Int, indexWidth: Int?, rollBackDepth: Int = 16) {
    self.headWidth = headWidth
    self.window = window
    self.ratio = ratio
    self.indexWidth = indexWidth
    self.rollBackDepth = rollBackDepth
  }

  public var description: String {
    "(head width \(headWidth), window \(window), ratio \(ratio), index width \(indexWidth ?? 0), "
      + "roll-back depth \(rollBackDepth))"
  }
}
