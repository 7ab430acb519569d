import Tensors

// Axes: T tokens, n residual streams, d model width, M = (2 + n)·n mixes.

extension HyperConnectionSteps {
  /// The mixes of each token before gate and bias: the products of eqs. (3), (4) and (5), all in one projection.
  ///
  /// ```
  /// mixes = (vec(X) · Wᵀ) · 1/√(mean(vec(X)²) + ε)
  /// ```
  ///
  /// Order: the projection first, then the reciprocal RMS. There is no RMS weight (it is absorbed in the projection).
  /// ε is the model's `rms_norm_eps`, **not** `hc_eps`.
  ///
  /// - Parameters:
  ///   - streams: X, `[T, n, d]`
  ///   - projection: W, `[M, n·d]`; for the head `[n, n·d]`
  ///   - normEpsilon: ε, `rms_norm_eps`
  ///   - epsilon: `hc_eps`, not used here: a known bug puts it into the root
  /// - Returns: `[T, M]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    let flat = try streams.reshaped([streams.shape[0], streams.shape[1] * streams.shape[2]])
    return try linear(flat, projection) * reciprocalRMS(flat, epsilon: normEpsilon)
  }

  /// Gate and bias of eqs. (3), (4) and (5): `logits = mixes · α + S`, each part with its own α.
  ///
  /// The order in `mixes`, `base` and `scale` alike is **pre | post | comb**. The comb part is read row-major as
  /// `comb[source, target]`, so that B̃ = combᵀ.
  ///
  /// - Parameters:
  ///   - mixes: `[T, M]`
  ///   - n: the number of streams
  ///   - base: S, `[M]`
  ///   - scale: α, `[3]`
  /// - Returns: pre `[T, n]`, post `[T, n]`, comb `[T, n, n]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func splitMixes<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, streams n: Int, base: Tensor<Scalar>, scale: Tensor<Scalar>
  ) throws(InputError) -> MixLogits<Scalar> {
    let pre = try mixes.lastAxis(0..<n) * scale[0] + base.lastAxis(0..<n)
    let post = try mixes.lastAxis(n..<2 * n) * scale[1] + base.lastAxis(n..<2 * n)
    let comb = try mixes.lastAxis(2 * n..<(2 + n) * n) * scale[2] + base.lastAxis(2 * n..<(2 + n) * n)
    return MixLogits(pre: pre, post: post, combination: try comb.reshaped([mixes.shape[0], n, n]))
  }

  /// Eq. (6), as released: `A = σ(Ã) + ε`, the weights with which the streams enter the layer.
  ///
  /// The report has no ε here; the released code adds `hc_eps`.
  ///
  /// - Parameters:
  ///   - logits: Ã, `[T, n]`
  ///   - epsilon: ε, `hc_eps`
  /// - Returns: `[T, n]`
  public func preGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    logits.map(sigmoid) + epsilon
  }

  /// Eq. (7): `C = 2 σ(C̃)`, the weights with which the layer's output enters the streams. No ε.
  ///
  /// - Parameters:
  ///   - logits: C̃, `[T, n]`
  ///   - epsilon: not used here: a known bug adds it
  /// - Returns: `[T, n]`
  public func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    logits.map(sigmoid) * 2
  }

  /// The gates of the final collapse, as released (not in the report): `σ(mixes · α + S) + ε`. No Sinkhorn.
  ///
  /// - Parameters:
  ///   - mixes: `[T, n]`
  ///   - base: S, `[n]`
  ///   - scale: α, `[1]`
  ///   - epsilon: ε, `hc_eps`
  /// - Returns: `[T, n]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func headGates<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try (mixes * scale[0] + base).map(sigmoid) + epsilon
  }
}
