/// How the numbers of a weight matrix are stored.
public enum WeightFormat: String, Sendable, CaseIterable, CustomStringConvertible {
  case float32 = "fp32"
  case bfloat16 = "bf16"
  /// E4M3 in blocks of 128 × 128, each with a power-of-two scale.
  case float8 = "fp8"
  /// E2M1 in blocks of 1 × 32, each with a power-of-two scale.
  case float4 = "fp4"

  public var description: String { rawValue }
}
