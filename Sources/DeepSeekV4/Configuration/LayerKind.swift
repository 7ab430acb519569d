/// Which attention a layer has: its compression ratio says so.
public enum LayerKind: Equatable, Sendable {
  /// Ratio 0: a token sees the window alone.
  case slidingWindow
  /// Ratio 4: overlapping blocks, of which an indexer selects (CSA, report 2.3.1).
  case compressedSparse
  /// Any other ratio: blocks without overlap, all of them visible (HCA, report 2.3.2).
  case heavilyCompressed(ratio: Int)

  /// The kind of a compression ratio m.
  public init(ratio: Int) {
    switch ratio {
    case 0: self = .slidingWindow
    case 4: self = .compressedSparse
    default: self = .heavilyCompressed(ratio: ratio)
    }
  }
}
