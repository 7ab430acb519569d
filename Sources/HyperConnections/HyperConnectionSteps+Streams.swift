import Tensors

// Axes: T tokens, n residual streams, d model width.

extension HyperConnectionSteps {
  /// The streams at the bottom of the model: n copies of the embedding.
  ///
  /// - Parameters:
  ///   - embedding: `[T, d]`
  ///   - streams: n, at least 1
  /// - Returns: `[T, n, d]`
  /// - Throws: `InputError` for another shape, for no tokens, for n < 1.
  public func expand<Scalar: RealScalar>(
    _ embedding: Tensor<Scalar>, streams: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try embedding.requireAxes(["T", "d"], "embedding", in: "expand")
    guard streams >= 1 else { throw InputError("expand", "streams must be at least 1, got \(streams)") }
    let (tokens, width) = (embedding.shape[0], embedding.shape[1])
    return try Tensor(repeating: 0, shape: [tokens, streams, width]) + embedding.reshaped([tokens, 1, width])
  }

  /// `A X` of eq. (1): the layer's input, a weighted sum of the streams.
  ///
  /// - Parameters:
  ///   - streams: X, `[T, n, d]`
  ///   - pre: A, `[T, n]`
  /// - Returns: `[T, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func preMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, pre: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try weightedStreamSum(streams, pre)
  }

  /// Eq. (1): the streams after the layer, `X' = B X + C F(A X)`.
  ///
  /// ```
  /// X'[k] = post[k] · F + Σⱼ comb[j, k] · X[j]
  /// ```
  ///
  /// comb is used **transposed**, B = combᵀ: its first axis is the source stream.
  ///
  /// - Parameters:
  ///   - streams: X, `[T, n, d]`
  ///   - layerOutput: F, `[T, d]`
  ///   - post: C, `[T, n]`
  ///   - combination: comb = Bᵀ, `[T, n, n]`
  /// - Returns: `[T, n, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func postMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, layerOutput: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let (tokens, n, width) = (streams.shape[0], streams.shape[1], streams.shape[2])
    let residual = try matrixProduct(combination.transposed(), streams)
    return try post.reshaped([tokens, n, 1]) * layerOutput.reshaped([tokens, 1, width]) + residual
  }

  /// The collapse at the top of the model: a weighted sum of the streams, before the final norm.
  ///
  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - gates: `[T, n]`
  /// - Returns: `[T, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func collapse<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, gates: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try weightedStreamSum(streams, gates)
  }
}

/// `Σⱼ weights[j] · X[j]` for each token: `[T, n, d]` and `[T, n]` to `[T, d]`.
private func weightedStreamSum<Scalar: RealScalar>(
  _ streams: Tensor<Scalar>, _ weights: Tensor<Scalar>
) throws(InputError) -> Tensor<Scalar> {
  let (tokens, n, width) = (streams.shape[0], streams.shape[1], streams.shape[2])
  return try matrixProduct(weights.reshaped([tokens, 1, n]), streams).reshaped([tokens, width])
}
