import Tensors

// Axes: T tokens, d model width, E routed experts, k experts per token, V vocabulary.

/// The steps of the router (report 2.1), one function each, in the order they run.
///
/// Every requirement has the correct step as its default; a known bug overrides exactly one.
///
/// | step | source | learned layers | hash layers |
/// | --- | --- | --- | --- |
/// | `gateLogits` | 2.1-affinity | yes | yes |
/// | `affinity`, and `affinities` of all experts | 2.1-affinity | yes | yes |
/// | `selectionScores`, `select` | 2.1-selection | yes | no |
/// | `tableRows` | 2.1-hash | no | yes |
/// | `gatheredScores`, `normalizedWeights` | 2.1-weights | yes | yes |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol RoutingSteps: Sendable {
  func gateLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, gate: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar

  func affinities<Scalar: RealScalar>(_ logits: Tensor<Scalar>) -> Tensor<Scalar>

  func selectionScores<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, bias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func select<Scalar: RealScalar>(
    _ selectionScores: Tensor<Scalar>, expertsPerToken: Int, in operation: String
  ) throws(InputError) -> TopK<Scalar>

  func tableRows<Scalar: RealScalar>(
    tokenIDs: Tensor<Int>, table: Tensor<Int>, scores: Tensor<Scalar>, in operation: String
  ) throws(InputError) -> Tensor<Int>

  func gatheredScores<Scalar: RealScalar>(
    _ indices: Tensor<Int>, scores: Tensor<Scalar>, bias: Tensor<Scalar>?, onHashLayer: Bool
  ) throws(InputError) -> Tensor<Scalar>

  func normalizedWeights<Scalar: RealScalar>(
    _ selected: Tensor<Scalar>, routeScale: Scalar
  ) throws(InputError) -> Tensor<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceRoutingSteps: RoutingSteps {
  public init() {}
}

extension RoutingSteps where Self == ReferenceRoutingSteps {
  /// The correct steps.
  public static var reference: ReferenceRoutingSteps { ReferenceRoutingSteps() }
}

extension RoutingSteps {
  /// The logit of each expert for each token: `x Wᵀ`, in full precision.
  ///
  /// - Parameters:
  ///   - hidden: x, `[T, d]`
  ///   - gate: W, `[E, d]`
  /// - Returns: `[T, E]`
  public func gateLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, gate: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, gate)
  }

  /// The affinity of a logit: `√softplus(x) = √log(1 + eˣ)`.
  ///
  /// Exact to rounding while `e^(x/2)` is a normal number: from −174 on in Float, from −1416 on in Double.
  ///
  /// ```
  /// x > 0:   √(x + log1p(e⁻ˣ))                     eˣ would overflow
  /// x ≤ 0:   e^(x/2) · √(log1p(eˣ) / eˣ)           softplus would underflow; the quotient tends to 1
  /// ```
  ///
  /// The released code uses torch's softplus, which is linear above 20 (off by 1e-10 there) and underflows to 0 near
  /// −104 in float32: see docs/deviations.md.
  public func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar {
    if logit > 0 {
      return (logit + Scalar.logarithmOfOnePlus(Scalar.exponential(-logit))).squareRoot()
    }
    let exponential = Scalar.exponential(logit)
    let quotient = exponential < Scalar.ulpOfOne / 2 ? 1 : Scalar.logarithmOfOnePlus(exponential) / exponential
    return Scalar.exponential(logit / 2) * quotient.squareRoot()
  }

  /// The affinity of each expert for each token.
  ///
  /// - Parameter logits: `[T, E]`
  /// - Returns: `[T, E]`
  public func affinities<Scalar: RealScalar>(_ logits: Tensor<Scalar>) -> Tensor<Scalar> { logits.map(affinity) }

  /// The scores that decide the selection, and nothing else: affinity + bias.
  ///
  /// - Parameters:
  ///   - scores: `[T, E]`
  ///   - bias: `[E]`, the auxiliary-loss-free balance bias
  /// - Returns: `[T, E]`
  public func selectionScores<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, bias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try scores + bias
  }

  /// The k experts with the highest selection scores; equal scores by lower index. No limit on groups or nodes.
  ///
  /// - Parameters:
  ///   - selectionScores: `[T, E]`
  ///   - expertsPerToken: k
  ///   - operation: what an error names
  /// - Returns: indices `[T, k]` and the margin of each token's selection
  public func select<Scalar: RealScalar>(
    _ selectionScores: Tensor<Scalar>, expertsPerToken: Int, in operation: String
  ) throws(InputError) -> TopK<Scalar> {
    try TopK(selectionScores, k: expertsPerToken, parameter: "experts_per_token", in: operation)
  }

  /// Hash routing: the experts of a token are the row of its id in a stored table. The scores do not matter here.
  ///
  /// - Parameters:
  ///   - tokenIDs: `[T]`
  ///   - table: `tid2eid`, `[V, k]`
  ///   - scores: `[T, E]`, not used here: a known bug selects by them
  ///   - operation: what an error names
  /// - Returns: `[T, k]`, in the order of the row
  /// - Throws: `InputError` if a token id is outside the table.
  public func tableRows<Scalar: RealScalar>(
    tokenIDs: Tensor<Int>, table: Tensor<Int>, scores: Tensor<Scalar>, in operation: String
  ) throws(InputError) -> Tensor<Int> {
    let (vocabulary, width) = (table.shape[0], table.shape[1])
    var rows: [Int] = []
    for (position, token) in tokenIDs.elements.enumerated() {
      guard (0..<vocabulary).contains(token) else {
        throw InputError(
          operation, "token id \(token) at position \(position) is outside the table of \(vocabulary) tokens")
      }
      rows += table.elements[(token * width)..<((token + 1) * width)]
    }
    return try Tensor(shape: [tokenIDs.count, width], elements: rows)
  }

  /// The scores of the selected experts, **without** the bias: it belongs to the selection alone. A hash layer has no
  /// bias; one that a checkpoint carries there is ignored.
  ///
  /// - Parameters:
  ///   - indices: `[T, k]`
  ///   - scores: `[T, E]`
  ///   - bias: `[E]`; not used here: a known bug adds it
  ///   - onHashLayer: not used here: a known bug treats hash layers differently
  /// - Returns: `[T, k]`
  public func gatheredScores<Scalar: RealScalar>(
    _ indices: Tensor<Int>, scores: Tensor<Scalar>, bias: Tensor<Scalar>?, onHashLayer: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    try gathered(indices, from: scores)
  }

  /// The weights of the selected experts: `score / Σ scores × route scale`. Nothing is added to the sum.
  ///
  /// - Parameters:
  ///   - selected: `[T, k]`
  ///   - routeScale: 1.5 in Flash, 2.5 in Pro
  /// - Returns: `[T, k]`
  public func normalizedWeights<Scalar: RealScalar>(
    _ selected: Tensor<Scalar>, routeScale: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try selected / selected.sum(over: .rows) * routeScale
  }
}

/// `values[t, indices[t, s]]`: `[T, k]` positions and `[T, E]` values to `[T, k]`.
///
/// - Precondition: a position is between 0 and E − 1.
/// - Throws: `InputError` never in practice: the result has the shape of the positions.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func gathered<Scalar: RealScalar>(
  _ indices: Tensor<Int>, from values: Tensor<Scalar>
) throws(InputError) -> Tensor<Scalar> {
  let (slots, candidates) = (indices.shape[1], values.shape[1])
  var elements: [Scalar] = []
  elements.reserveCapacity(indices.count)
  for token in 0..<indices.shape[0] {
    for slot in 0..<slots {
      elements.append(values.elements[token * candidates + indices.elements[token * slots + slot]])
    }
  }
  return try Tensor(shape: indices.shape, elements: elements)
}
