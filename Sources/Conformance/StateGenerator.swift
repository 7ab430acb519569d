import CoreAttention
import Tensors
import TokenCompression

/// The integer generator of `golden/FORMAT.md` that fills the state of a long context instead of storing it.
///
/// ```
/// u = splitmix64(seed · 1000003 + tensor · 2³² · 257 + row · 65537 + column)     modulo 2⁶⁴
/// value = (u >> 40) / 2²³ − 1                                                 exact in float32, in [−1, 1)
/// ```
struct StateGenerator {
  private let seed: UInt64
  private let disturbance: Disturbance?

  /// - Parameter disturbance: what rounds the state; nil leaves it as it is
  init(seed: Int, disturbance: Disturbance? = nil) {
    self.seed = UInt64(bitPattern: Int64(seed))
    self.disturbance = disturbance
  }

  /// The tensors that a state is made of, by their numbers.
  private enum Part: UInt64 {
    case window, entries, keys, keyValues, scores, indexKeyValues, indexScores
  }

  private func value(_ part: Part, _ row: Int, _ column: Int) -> Float {
    let place = UInt64(row) &* 65_537 &+ UInt64(column)
    return unitValue(splitmix64(seed &* 1_000_003 &+ part.rawValue &* (257 << 32) &+ place))
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func rows<Scalar: RealScalar>(
    _ part: Part, _ range: Range<Int>, width: Int
  ) throws -> RowStore<Scalar> {
    var store = RowStore<Scalar>(width: width, start: range.lowerBound)
    var elements: [Scalar] = []
    elements.reserveCapacity(range.count * width)
    for row in range {
      for column in 0..<width { elements.append(Scalar(value(part, row, column))) }
    }
    let values = try Tensor(shape: [range.count, width], elements: elements)
    try store.append(disturbance?.input(values, name: "state \(part.rawValue)") ?? values)
    return store
  }

  /// The state of a layer that has seen `position` tokens.
  func state<Scalar: RealScalar>(_ layout: AttentionLayout, position: Int) throws -> AttentionState<Scalar> {
    guard position >= 0 else { throw InputError("attention", "start must not be negative, got \(position)") }
    func compressor(_ width: Int, _ entries: Part, _ keyValues: Part, _ scores: Part) throws -> CompressorState<Scalar>
    {
      let overlaps = layout.ratio == 4
      let projected = overlaps ? 2 * width : width
      let recent = max(0, (position / layout.ratio - (overlaps ? 1 : 0)) * layout.ratio)..<position
      return try CompressorState(
        ratio: layout.ratio, overlaps: overlaps, entries: rows(entries, 0..<position / layout.ratio, width: width),
        keyValues: rows(keyValues, recent, width: projected), scores: rows(scores, recent, width: projected))
    }
    return try AttentionState(
      layout, window: rows(.window, max(0, position - layout.window + 1)..<position, width: layout.headWidth),
      compressor: layout.ratio > 0 ? compressor(layout.headWidth, .entries, .keyValues, .scores) : nil,
      indexCompressor: try layout.indexWidth.map { try compressor($0, .keys, .indexKeyValues, .indexScores) })
  }
}
