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

/// How far a value may be off in one step, from how far disturbing its inputs by one rounding moves it.
///
/// ```
/// budget = spreadFactor × largest spread + roundoffFactor × unit roundoff × scale
/// ```
struct StepBudget {
  static let spreadFactor = 8.0
  static let roundoffFactor = 8.0

  let unitRoundoff: Double

  func budget(spread: Double, scale: Double) -> Double {
    Self.spreadFactor * spread + Self.roundoffFactor * unitRoundoff * scale
  }
}
