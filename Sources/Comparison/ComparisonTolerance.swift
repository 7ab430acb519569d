import GoldenTensors

/// What a traced tensor may be off by, in units of (unit roundoff × its scale).
///
/// A trace has no measured tolerance: it can be of any model and any tokens. Sums over a few thousand products with
/// rounded terms stray by some tens of roundings of the result, a wrong token or weight by about the scale itself,
/// which is 2¹⁸ of them in float32. It is a sieve, not a measurement: golden cases have the measured tolerances.
public let roundoffsOfATrace = 64.0

/// The tolerance of a traced tensor.
///
/// - Parameter scale: its largest finite magnitude
public func traceTolerance(scale: Double, class precision: PrecisionClass) -> Double {
  roundoffsOfATrace * precision.unitRoundoff * scale
}

/// What a tensor of a golden case may be off by, in the measure of its judge; nil where it is exact.
///
/// - Parameter budgets: of the library; without them only fp64 and fp32 have a tolerance
/// - Throws: `GoldenError` if the class has no measured tolerance.
public func tolerance(
  of tensor: String, in entry: GoldenManifest.CaseEntry, class precision: PrecisionClass,
  budgets: PrecisionBudgets? = nil
) throws(GoldenError) -> Double? {
  try CaseTolerances(entry, precision, budgets: budgets).tolerance(tensor)
}
