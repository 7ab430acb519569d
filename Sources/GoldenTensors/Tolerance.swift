/// How close an implementation has to come to one tensor, and on what that rests.
public struct Tolerance: Codable, Equatable, Sendable {
  /// For a path that computes in float32.
  public let float: Double
  /// For a path that computes in float64.
  public let double: Double
  /// Which measurement, or the floor, decided `float`.
  public let basis: String

  enum CodingKeys: String, CodingKey, CaseIterable { case float, double, basis }
}

/// The one rule by which every tolerance is made from what was measured. See `golden/FORMAT.md`.
///
/// ```
/// float  = max(spread_factor × largest float32 spread, floor_ulps × 2⁻²³ × scale)
/// double = double_relative × scale
/// ```
public struct ToleranceRule: Codable, Equatable, Sendable {
  public let spreadFactor: Double
  public let floorUlps: Double
  public let doubleRelative: Double
  /// The largest disagreement, as a multiple of scale, between the float64 generators.
  public let agreementLimit: Double

  enum CodingKeys: String, CodingKey, CaseIterable {
    case spreadFactor = "spread_factor"
    case floorUlps = "floor_ulps"
    case doubleRelative = "double_relative"
    case agreementLimit = "agreement_limit"
  }

  /// The rule that `golden/FORMAT.md` publishes. A manifest with another one is refused.
  public static let published = ToleranceRule(
    spreadFactor: 4, floorUlps: 4, doubleRelative: 1e-12, agreementLimit: 1e-13)

  /// The float tolerance for these measurements.
  public func float(spreads: [Double], scale: Double) -> Double {
    max(spreadFactor * (spreads.max() ?? 0), floorUlps * 0x1p-23 * scale)
  }

  /// The double tolerance for this scale.
  public func double(scale: Double) -> Double { doubleRelative * scale }
}
