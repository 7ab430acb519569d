/// RMSNorm: `x / √(mean(x²) + ε) · weight`, over the last axis. The weight multiplies as it is, not as 1 + weight.
///
/// - Parameters:
///   - x: `[…, d]`
///   - weight: `[d]`; nil for the norm without weight that each query head gets
///   - epsilon: ε, the model's `rms_norm_eps`
/// - Throws: `InputError` if the weight does not fit.
public func rmsNorm<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, weight: Tensor<Scalar>?, epsilon: Scalar
) throws(InputError) -> Tensor<Scalar> {
  let normalized = try x * reciprocalRMS(x, epsilon: epsilon)
  guard let weight else { return normalized }
  return try normalized * weight
}
