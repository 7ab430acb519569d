import Tensors

// Axes: T tokens, n residual streams. A row of comb is a source stream, a column a target stream.

extension HyperConnectionSteps {
  /// Eq. (8) as released: Sinkhorn-Knopp, which makes each comb nearly doubly stochastic.
  ///
  /// ```
  /// comb ← softmax of each row, + ε          the first row pass; ε is added to the entries
  /// comb ← comb / (column sums + ε)          the first column pass
  /// (iterations − 1) times:
  ///   comb ← comb / (row sums + ε)
  ///   comb ← comb / (column sums + ε)
  /// ```
  ///
  /// It ends on columns: those sum to 1 to about ε, the rows only approximately (at logit scale 10, rows may be off
  /// by 0.08 after 20 iterations). With B = combᵀ the order equals the report's "columns, then rows"; see
  /// `residualMixing(_:iterations:)` for that form and how far apart the two are.
  ///
  /// - Parameters:
  ///   - logits: `[T, n, n]`
  ///   - iterations: t_max, at least 1; 20 in the released models
  ///   - epsilon: ε, `hc_eps`
  /// - Returns: comb, `[T, n, n]`
  /// - Throws: `InputError` for a shape that is not `[T, n, n]`, for 0 iterations, for an unusable ε.
  public func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try requireSinkhornInput(logits, "combination_logits", iterations: iterations, in: "sinkhorn")
    try requireEpsilon(epsilon, in: "sinkhorn")

    var combination = try sinkhornStart(logits, epsilon: epsilon)
    combination = try normalized(combination, over: .columns, epsilon: epsilon)
    for _ in 1..<iterations {
      combination = try normalized(combination, over: .rows, epsilon: epsilon)
      combination = try normalized(combination, over: .columns, epsilon: epsilon)
    }
    return combination
  }

  /// The first row pass: `softmax(row) + ε`. Here ε is added to every entry, not to the sum.
  ///
  /// - Parameters:
  ///   - logits: `[T, n, n]`
  ///   - epsilon: ε, `hc_eps`
  /// - Returns: `[T, n, n]`
  public func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try logits.softmax() + epsilon
  }

  /// T_r or T_c of eq. (8) with the released ε: each row, or each column, divided by (its sum + ε).
  ///
  /// - Parameters:
  ///   - matrix: `[T, n, n]`
  ///   - axis: rows for T_r, columns for T_c
  ///   - epsilon: ε, `hc_eps`
  /// - Returns: `[T, n, n]`
  public func normalized<Scalar: RealScalar>(
    _ matrix: Tensor<Scalar>, over axis: ReductionAxis, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try matrix / (matrix.sum(over: axis) + epsilon)
  }
}

/// Requires square matrices and at least one iteration.
func requireSinkhornInput<Scalar: RealScalar>(
  _ logits: Tensor<Scalar>, _ name: String, iterations: Int, in operation: String
) throws(InputError) {
  try logits.requireAxes(["T", "n", "n"], name, in: operation)
  try logits.requireShape([logits.shape[0], logits.shape[1], logits.shape[1]], name, in: operation)
  guard iterations >= 1 else { throw InputError(operation, "iterations must be at least 1, got \(iterations)") }
}
