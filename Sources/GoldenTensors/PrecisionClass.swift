/// What an engine computes in: the class by which it is judged, from the finest to the coarsest.
public enum PrecisionClass: String, Codable, CaseIterable, Sendable {
  /// Float64 throughout.
  case fp64
  /// Float32 throughout.
  case fp32
  /// Float32, with the inputs of matrix products rounded to 11 significant bits.
  case tf32
  /// Values of 8 significant bits between operations, sums in float32.
  case bf16
  /// As bf16, with the inputs of linear maps, the caches and the index path in FP8 and FP4, as deployed.
  case fp8fp4 = "fp8-fp4"

  /// The significant bits that a value of this class has, the leading one included.
  public var significantBits: Int {
    switch self {
    case .fp64: 53
    case .fp32: 24
    case .tf32: 11
    case .bf16, .fp8fp4: 8
    }
  }

  /// The largest relative error of one rounding.
  public var unitRoundoff: Double { 1 / Double(1 << significantBits) }
}
