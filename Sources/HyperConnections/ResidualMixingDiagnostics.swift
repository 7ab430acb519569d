import Tensors

// Axes: T tokens (or layers), n residual streams.

// What a student of the constraint (2) wants to see: how fast Sinkhorn-Knopp approaches the doubly stochastic matrices,
// and what that buys.

/// How far matrices are from doubly stochastic: the largest |sum − 1| over all their rows, and over all their columns.
public struct StochasticDefect: Equatable, Sendable {
  public let rows: Double
  public let columns: Double

  /// - Parameter matrices: `[T, n, n]`
  /// - Throws: `InputError` for a tensor of fewer than two axes.
  public init<Scalar: RealScalar>(_ matrices: Tensor<Scalar>) throws(InputError) {
    func largest(_ sums: Tensor<Scalar>) -> Double { sums.elements.map { abs(Double($0) - 1) }.max() ?? 0 }
    rows = largest(try matrices.sum(over: .rows))
    columns = largest(try matrices.sum(over: .columns))
  }
}

extension HyperConnectionSteps {
  /// The defect of comb after 1, 2, … `iterations` iterations. The column defect stays near ε, the row defect falls.
  ///
  /// - Parameters:
  ///   - logits: `[T, n, n]`
  ///   - iterations: the most that are looked at, at least 1
  ///   - epsilon: ε, `hc_eps`
  /// - Throws: `InputError` as `sinkhorn` does.
  public func sinkhornDefects<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> [StochasticDefect] {
    try requireSinkhornInput(logits, "combination_logits", iterations: iterations, in: "sinkhorn")
    var defects: [StochasticDefect] = []
    for count in 1...iterations {
      defects.append(try StochasticDefect(sinkhorn(logits, iterations: count, epsilon: epsilon)))
    }
    return defects
  }
}

/// The spectral norm ‖B‖₂ of each matrix, by power iteration on BᵀB.
///
/// For a non-negative matrix ‖B‖₂ ≤ √(largest row sum · largest column sum), so eq. (2) makes it at most 1, and a
/// defect δ of both makes it at most 1 + δ. The product of many such matrices then stays bounded: that is why the
/// residual stream of a deep model does not explode.
///
/// - Parameters:
///   - matrices: `[T, n, n]`, entries not negative (the start vector is positive)
///   - iterations: of the power method; the default is far more than small matrices need
/// - Returns: one norm for each matrix
/// - Throws: `InputError` for another shape.
public func spectralNorms<Scalar: RealScalar>(
  _ matrices: Tensor<Scalar>, iterations: Int = 200
) throws(InputError) -> [Double] {
  try requireSinkhornInput(matrices, "matrices", iterations: iterations, in: "spectralNorms")
  let exact = matrices.map { Double($0) }
  let transposed = try exact.transposed()
  let (count, n) = (matrices.shape[0], matrices.shape[1])
  var vectors = Tensor(repeating: 1.0, shape: [count, n, 1])
  var norms = Tensor(repeating: 0.0, shape: [count, 1, 1])
  for _ in 0..<iterations {
    vectors = try matrixProduct(transposed, matrixProduct(exact, vectors))
    norms = try (vectors * vectors).sum(over: .columns).map { $0.squareRoot() }
    vectors = try vectors / norms.map { $0 > 0 ? $0 : 1 }
  }
  return norms.elements.map { $0.squareRoot() }
}

/// The product B_{T−1} ⋯ B₁ B₀: how T layers in a row mix the streams.
///
/// - Parameter matrices: `[T, n, n]`, the first layer first
/// - Returns: `[1, n, n]`
/// - Throws: `InputError` for another shape or for no matrices.
public func product<Scalar: RealScalar>(of matrices: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
  try requireSinkhornInput(matrices, "matrices", iterations: 1, in: "product")
  let shape = [1, matrices.shape[1], matrices.shape[2]]
  var result = try matrices.slice(0).reshaped(shape)
  for layer in 1..<matrices.shape[0] {
    result = try matrixProduct(matrices.slice(layer).reshaped(shape), result)
  }
  return result
}
