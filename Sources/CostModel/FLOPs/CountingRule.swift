import DeepSeekV4

/// What the two factors of a product are held in when they are multiplied.
public enum ProductFormat: String, Sendable, CaseIterable {
  /// FP8 × FP8, and FP4 weights × FP8 inputs: today's hardware is as fast at both (report 5.2.1).
  case float8 = "FP8"
  /// BF16 × BF16, and what the released code multiplies in more than that.
  case bfloat16 = "BF16"
  /// FP4 × FP4: the index scores of V4.
  case float4 = "FP4"

  /// A product with a weight that is stored in a format.
  public init(of format: WeightFormat) {
    switch format {
    case .float8, .float4: self = .float8
    case .bfloat16, .float32: self = .bfloat16
    }
  }
}

/// How multiplications in different formats are added up.
///
/// The report says "equivalent FP8 FLOPs" and no more. That rule is inferred: with it both lines and both percentages of
/// Figure 1 come out; with `raw`, Flash would be at 12 % and not at 10 %.
public enum CountingRule: String, CaseIterable, Sendable {
  /// An operation counts as the time it takes against one in FP8: BF16 twice, FP4 × FP4 half.
  case fp8Equivalent = "fp8-equivalent"
  /// Every operation counts once.
  case raw

  /// What one operation counts.
  public func factor(_ format: ProductFormat) -> Double {
    switch (self, format) {
    case (.raw, _), (.fp8Equivalent, .float8): 1
    case (.fp8Equivalent, .bfloat16): 2
    case (.fp8Equivalent, .float4): 0.5
    }
  }
}
