import Tensors

// Axes: T tokens, n residual streams.

/// Eq. (8) as the report writes it: columns first, then rows, no ε.
///
/// ```
/// M⁽⁰⁾ = exp(B̃)
/// M⁽ᵗ⁾ = T_r(T_c(M⁽ᵗ⁻¹⁾)),   t = 1 … t_max
/// B    = M⁽ᵗᵐᵃˣ⁾
/// ```
///
/// How it relates to `HyperConnectionSteps.sinkhorn`: B = combᵀ on transposed logits. With ε = 0 the two are equal to
/// rounding; with the released ε = 1e-6 and 20 iterations they part by 1e-5 at logit scale 1 and by 0.1 at scale 4.
/// `swift test` prints that table.
///
/// The largest logit of each column is subtracted before the exponential, so that nothing overflows. The first column
/// pass removes that factor again, so the result is the same.
///
/// - Parameters:
///   - residualLogits: B̃, `[T, n, n]`; row = target stream, column = source stream
///   - iterations: t_max, at least 1
/// - Returns: B, `[T, n, n]`; each row sums to 1
/// - Throws: `InputError` for a shape that is not `[T, n, n]` or for 0 iterations.
public func residualMixing<Scalar: RealScalar>(
  _ residualLogits: Tensor<Scalar>, iterations: Int
) throws(InputError) -> Tensor<Scalar> {
  try requireSinkhornInput(residualLogits, "residual_logits", iterations: iterations, in: "equation-8")
  var mixing = try (residualLogits - residualLogits.maximum(over: .columns)).map(Scalar.exponential)
  for _ in 0..<iterations {
    mixing = try mixing / mixing.sum(over: .columns)
    mixing = try mixing / mixing.sum(over: .rows)
  }
  return mixing
}
