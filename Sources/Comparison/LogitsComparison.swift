import Foundation
import GoldenTensors
import Tensors

/// What the logits of two runs say about the tokens that would be chosen.
public struct LogitsComparison: Codable, Sendable {
  /// Positions where the two runs choose another token.
  public struct Divergence: Codable, Sendable {
    public let position: Int
    public let expectedToken: Int
    public let candidateToken: Int
    /// The highest less the second highest expected logit.
    public let margin: Double
    /// Whether the class can be off by as much: then either token is right.
    public let isWithinTolerance: Bool
  }

  public private(set) var positions = 0
  /// KL(expected ‖ candidate) in nats: the mean, and the largest with its position.
  public private(set) var meanKL = 0.0
  public private(set) var worstKL = 0.0
  public private(set) var worstPosition = 0
  /// Positions where both have the same highest logit; of equal ones the first.
  public private(set) var agreements = 0
  /// The first position where they have not.
  public private(set) var firstDivergence: Divergence?

  public init() {}

  /// Adds the logits of a call, `[T, V]`.
  ///
  /// - Parameters:
  ///   - start: the position of its first row
  ///   - tolerance: what the class may be off by in one logit
  /// - Throws: what reading throws.
  /// - Precondition: both are reals, of one shape with two axes.
  mutating func add(expected: TensorSource, got: TensorSource, start: Int, tolerance: Double) throws {
    let width = expected.rowLength
    guard width > 0 else { return }
    try TensorSource.forEachPiece(expected, got) { first, x, y in
      let (x, y) = (x.doubles.elements, y.doubles.elements)
      for row in 0..<x.count / width {
        let range = row * width..<(row + 1) * width
        add(x[range], y[range], position: start + first + row, tolerance: tolerance)
      }
    }
  }

  private mutating func add(
    _ expected: ArraySlice<Double>, _ got: ArraySlice<Double>, position: Int, tolerance: Double
  ) {
    let divergence = Self.divergence(expected, got)
    positions += 1
    meanKL += (divergence - meanKL) / Double(positions)
    if !worstKL.isNaN, !(divergence <= worstKL) { (worstKL, worstPosition) = (divergence, position) }
    let (mine, theirs) = (Self.highest(expected), Self.highest(got))
    if mine.index == theirs.index {
      agreements += 1
    } else if firstDivergence == nil {
      let margin = mine.value - mine.second
      firstDivergence = Divergence(
        position: position, expectedToken: mine.index, candidateToken: theirs.index, margin: margin,
        isWithinTolerance: margin <= 2 * tolerance)
    }
  }

  /// KL of the softmax of two rows, in nats. Rounding can make it a little less than 0; NaN if a row has NaN.
  private static func divergence(_ expected: ArraySlice<Double>, _ got: ArraySlice<Double>) -> Double {
    let (x, y) = (logNormalizer(expected), logNormalizer(got))
    var sum = 0.0
    for (p, q) in zip(expected, got) where p != -.infinity {
      let logarithm = p - x
      sum += exp(logarithm) * (logarithm - (q - y))
    }
    return sum < 0 ? 0 : sum
  }

  private static func logNormalizer(_ row: ArraySlice<Double>) -> Double {
    let largest = row.max() ?? 0
    return largest + log(row.reduce(0) { $0 + exp($1 - largest) })
  }

  private static func highest(_ row: ArraySlice<Double>) -> (index: Int, value: Double, second: Double) {
    var best = (index: 0, value: -Double.infinity, second: -Double.infinity)
    for (index, value) in row.enumerated() {
      if value > best.value {
        best = (index, value, best.value)
      } else if value > best.second {
        best.second = value
      }
    }
    return best
  }
}
