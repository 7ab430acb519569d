import Foundation

/// The one rule by which the budgets of the coarser precision classes are made. See `docs/numerics.md`.
///
/// ```
/// budget = max(spread_factor × largest spread, floor_roundoffs × unit roundoff × scale, float tolerance, finer classes)
/// margin = margin_factor × max(spread_factor × largest spread, floor_roundoffs × unit roundoff × scale), of the scores
/// ```
///
/// A spread is the largest error of a tensor in one run of the slow path that is rounded at random; of all runs the
/// largest one counts.
public struct BudgetRule: Codable, Equatable, Sendable {
  /// Runs in which each value is rounded up or down at random, by its distance.
  public let randomRuns: Int
  /// Runs in which each value is rounded to the nearest.
  public let nearestRuns: Int
  public let spreadFactor: Double
  public let floorRoundoffs: Double
  public let marginFactor: Double
  /// The significant bits of the noise that stands for float32 where a case itself rounds to BF16. Fewer than 24, so
  /// that each run sees some of those roundings fall the other way.
  public let float32NoiseBits: Int

  enum CodingKeys: String, CodingKey, CaseIterable {
    case randomRuns = "random_runs"
    case nearestRuns = "nearest_runs"
    case spreadFactor = "spread_factor"
    case floorRoundoffs = "floor_roundoffs"
    case marginFactor = "margin_factor"
    case float32NoiseBits = "float32_noise_bits"
  }

  /// The rule that `docs/numerics.md` publishes. A file with another one is refused.
  public static let published = BudgetRule(
    randomRuns: 32, nearestRuns: 1, spreadFactor: 4, floorRoundoffs: 4, marginFactor: 2, float32NoiseBits: 18)

  /// The significant bits that values have in a run that stands for a class.
  public func noiseBits(_ precision: PrecisionClass) -> Int {
    precision == .fp32 ? float32NoiseBits : precision.significantBits
  }

  /// What a class may be off by.
  private func allowance(spread: Double, scale: Double, _ precision: PrecisionClass) -> Double {
    max(spreadFactor * spread, floorRoundoffs * precision.unitRoundoff * scale)
  }

  /// The budgets of a tensor, by class.
  ///
  /// - Parameters:
  ///   - spreads: the largest spread in each class that was measured
  ///   - scale: of the tensor
  ///   - float: its float tolerance, below which no budget falls; nil for the scores of a selection, whose budget is the
  ///     margin by which two of them may be misjudged
  public func budgets(
    spreads: [PrecisionClass: Double], scale: Double, float: Double?
  ) -> [PrecisionClass: Double] {
    var budgets: [PrecisionClass: Double] = [:]
    var least = float ?? 0
    for precision in PrecisionClass.allCases {
      guard let spread = spreads[precision] else { continue }
      let allowance = allowance(spread: spread, scale: scale, precision) * (float == nil ? marginFactor : 1)
      least = threeDigits(max(least, allowance))
      budgets[precision] = least
    }
    return budgets
  }
}

/// A number as the file of budgets holds it.
public func threeDigits(_ value: Double) -> Double {
  value.isFinite ? Double(String(format: "%.3g", value)) ?? value : value
}
