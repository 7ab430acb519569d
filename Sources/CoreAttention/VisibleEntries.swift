import Tensors

// Axes: T tokens, c head width.

/// The entries that the tokens of a call see, where the state keeps them.
public struct VisibleEntries<Scalar: RealScalar>: Sendable {
  /// Uncompressed entries by position, `[·, c]`.
  public let window: RowStore<Scalar>
  /// For each of the T tokens the positions that its window reaches.
  public let windows: [Range<Int>]
  /// W: the length of a full window.
  public let windowLength: Int
  /// Compressed entries, `[N, c]`; nil in a layer without them.
  public let compressed: RowStore<Scalar>?
  /// For each of the T tokens the numbers of the compressed entries that it attends to.
  public let chosen: [[Int]]

  /// Entries of T tokens, `[·, c]`: a step throws if a number is not among them.
  public init(
    window: RowStore<Scalar>, windows: [Range<Int>], windowLength: Int, compressed: RowStore<Scalar>?, chosen: [[Int]]
  ) {
    self.window = window
    self.windows = windows
    self.windowLength = windowLength
    self.compressed = compressed
    self.chosen = chosen
  }
}
