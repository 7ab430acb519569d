import Foundation
import GoldenTensors

/// How far the values of a trace may be from those of another run, in units of (unit roundoff × scale of the tap).
///
/// `v4-oracle golden budgets --traces` runs engines that round at random on small whole models and measures how far every
/// value of their traces is from that of a run that is not rounded; it fails if the largest is not what stands here. A
/// model of more layers may drift further, and one that rounds by itself drifts by what its coarsest codes are apart:
/// there `explain` says more, which judges each step by itself.
public enum TraceDrift {
  /// What is tolerated beyond the largest drift that was measured.
  public static let factor = 2.0

  /// The largest drift of any value in a class.
  ///
  /// - Parameters:
  ///   - precision: the class
  ///   - rounds: whether the model rounds caches or more by itself (`numerics` is not `exact`)
  public static func largest(_ precision: PrecisionClass, rounds: Bool) -> Double {
    switch (precision, rounds) {
    // Nothing is rounded to float64 at random: what adds up there adds up as in float32.
    case (.fp64, false), (.fp32, false): 134
    case (.tf32, false): 145
    case (.bf16, false): 114
    case (.fp64, true): 5.59e6 * PrecisionClass.fp32.unitRoundoff / PrecisionClass.fp64.unitRoundoff
    case (.fp32, true): 5.59e6
    case (.tf32, true): 738
    case (.bf16, true), (.fp8fp4, _): 108
    }
  }

  /// The tolerance of a traced tensor.
  ///
  /// - Parameters:
  ///   - scale: its largest finite magnitude
  ///   - precision: the class of the engine
  ///   - rounds: whether the model rounds by itself
  public static func tolerance(scale: Double, _ precision: PrecisionClass, rounds: Bool) -> Double {
    factor * largest(precision, rounds: rounds) * precision.unitRoundoff * scale
  }

  /// How the tolerance came about, in a few words.
  static func basis(_ precision: PrecisionClass, rounds: Bool) -> String {
    let roundoffs = String(format: "%.3g", factor * largest(precision, rounds: rounds))
    return
      "\(roundoffs) roundoffs of \(precision.rawValue) × the scale of the tensor, twice the largest drift measured in "
      + (rounds ? "models that round by themselves" : "small models")
  }
}

/// What a tensor of a golden case may be off by, in the measure of its judge; nil where it is exact.
///
/// - Parameters:
///   - tensor: its name
///   - entry: the case
///   - precision: the class of the engine
///   - budgets: of the library; without them only fp64 and fp32 have a tolerance
/// - Throws: `GoldenError` if the class has no measured tolerance.
public func tolerance(
  of tensor: String, in entry: GoldenManifest.CaseEntry, class precision: PrecisionClass,
  budgets: PrecisionBudgets? = nil
) throws(GoldenError) -> Double? {
  try CaseTolerances(entry, precision, budgets: budgets).tolerance(tensor)
}
