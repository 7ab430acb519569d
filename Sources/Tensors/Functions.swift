/// `1 / √(mean(x²) + ε)` of each row, over the last axis, which keeps length 1.
///
/// The mean is taken first, then ε is added, then the root: the order of the released code.
///
/// - Parameters:
///   - x: `[…, d]`
///   - epsilon: ε, the model's `rms_norm_eps` unless a component says otherwise
/// - Throws: `InputError` for a scalar.
public func reciprocalRMS<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, epsilon: Scalar
) throws(InputError) -> Tensor<Scalar> {
  let width = Scalar(x.shape.last ?? 1)
  return try sumOfSquares(x).map { 1 / ($0 / width + epsilon).squareRoot() }
}

extension Tensor where Element: RealScalar {
  /// ReLU of each element of `[…]`: `max(x, 0)`. NaN stays NaN.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func rectified() -> Tensor {
    Tensor(unchecked: shape, elements.map { $0 > 0 || $0.isNaN ? $0 : 0 })
  }
}

/// The logistic function `1 / (1 + e⁻ˣ)`, written so that neither side overflows.
public func sigmoid<Scalar: RealScalar>(_ x: Scalar) -> Scalar {
  if x >= 0 { return 1 / (1 + Scalar.exponential(-x)) }
  let exponential = Scalar.exponential(x)
  return exponential / (1 + exponential)
}
