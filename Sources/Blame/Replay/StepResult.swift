import GoldenTensors
import Taps

/// What a replay says of one value of a trace: whether its own step is right, whatever was wrong before it.
public struct StepResult: Codable, Sendable {
  public let call: Int
  /// As in `layers.2.attn.queries`.
  public let name: String
  /// The tap in the registry, `attention/queries`.
  public let tap: String
  public let step: String
  public let equation: String
  public let verdict: Verdict
  /// The largest |recorded − computed|; of a selection the score that was given away. NaN where the two cannot be compared.
  public let error: GoldenManifest.Figure
  /// The largest |computed|.
  public let scale: Double
  /// What the error may be.
  public let budget: Double
  /// Where the error is largest.
  public let index: [Int]
  public let recorded, computed: GoldenManifest.Figure?
  /// What is wrong, in words, where numbers do not say it.
  public let problem: String?
  /// The errors row by row; only of the first place where a step is wrong, and only where the two can be compared.
  public let rows: RowErrors?

  /// Whether a value follows from what was recorded before it.
  public enum Verdict: String, Codable, Sendable {
    case right
    case wrong
    /// A selection that differs where scores are too close to tell.
    case tie
    /// Not judged: something that it was computed from is NaN, infinite or of another shape.
    case inherited
  }

  /// The error as a multiple of the budget: at most 1 is right.
  public var multiple: Double {
    if error.value.isNaN { return .infinity }
    return error.value == 0 ? 0 : budget > 0 ? error.value / budget : .infinity
  }

  /// The error relative to the scale.
  public var relativeError: Double { scale > 0 ? error.value / scale : error.value }
}

/// The largest error of each row of a value, or of each few rows.
public struct RowErrors: Codable, Sendable {
  /// How many rows stand together in one number.
  public let stride: Int
  /// How many rows there are.
  public let rows: Int
  /// In the order of the rows; NaN or infinite where a number is in the wrong place.
  public let errors: [GoldenManifest.Figure]

  /// At most so many numbers are kept.
  static let most = 256

  /// - Parameter errors: one for each row
  init(_ errors: [Double]) {
    rows = errors.count
    stride = max((errors.count + Self.most - 1) / Self.most, 1)
    self.errors = Swift.stride(from: 0, to: errors.count, by: stride).map { [stride] first in
      let group = errors[first..<min(first + stride, errors.count)]
      return .init(group.contains(where: \.isNaN) ? .nan : group.max() ?? 0)
    }
  }
}

/// How far a value may be off in one step, from how far disturbing its inputs by one rounding moves it.
///
/// ```
/// budget = spreadFactor × largest spread + roundoffFactor × unit roundoff × scale
/// ```
struct StepBudget {
  static let spreadFactor = 8.0
  static let roundoffFactor = 8.0
  /// Where taps lie between that are not recorded, the roundings of all steps between add up.
  static let chainFactor = 4.0
  /// Where a step rounds inside to BF16, one value among so many may be off by two such roundings.
  static let valuesForOneThatFallsOtherWay = 50

  let unitRoundoff: Double

  func budget(spread: Double, scale: Double) -> Double {
    Self.spreadFactor * spread + Self.roundoffFactor * unitRoundoff * scale
  }
}
