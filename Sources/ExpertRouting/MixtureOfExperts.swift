import Tensors

// Axes: T tokens, d model width, E routed experts, f expert width, k experts per token.

/// The weights of all routed experts of a layer.
public struct RoutedExpertWeights<Scalar: RealScalar>: Sendable {
  /// w1, `[E, f, d]`
  public let gateProjection: Tensor<Scalar>
  /// w3, `[E, f, d]`
  public let upProjection: Tensor<Scalar>
  /// w2, `[E, d, f]`
  public let downProjection: Tensor<Scalar>

  public init(gateProjection: Tensor<Scalar>, upProjection: Tensor<Scalar>, downProjection: Tensor<Scalar>) {
    self.gateProjection = gateProjection
    self.upProjection = upProjection
    self.downProjection = downProjection
  }
}

/// One expert layer (report 2.1): router, routed experts and the shared expert.
///
/// ```
/// output = Σ over the k slots of expert(x, weight of the slot)  +  shared expert(x, 1)
/// ```
public struct MixtureOfExperts<Scalar: RealScalar>: Sendable {
  public let router: Router<Scalar>
  public let experts: [Expert<Scalar>]
  public let sharedExpert: Expert<Scalar>
  public let steps: any ExpertSteps

  /// - Parameters:
  ///   - router: the router of the layer
  ///   - routed: the routed experts, `[E, …]` each
  ///   - shared: the shared expert's w1 `[f, d]`, w3 `[f, d]`, w2 `[d, f]`
  ///   - clampLimit: for routed and shared experts alike; 0 means no clamp
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or the clamp limit is unusable.
  public init(
    router: Router<Scalar>, routed: RoutedExpertWeights<Scalar>,
    shared: (gateProjection: Tensor<Scalar>, upProjection: Tensor<Scalar>, downProjection: Tensor<Scalar>),
    clampLimit: Scalar, steps: any ExpertSteps = .reference
  ) throws(InputError) {
    let (count, width) = (router.gate.shape[0], router.gate.shape[1])
    try requireClampLimit(clampLimit, in: "mixture")
    try routed.gateProjection.requireAxes(["E", "f", "d"], "gate_projection", in: "mixture")
    let expertWidth = routed.gateProjection.shape[1]
    try routed.gateProjection.requireShape([count, expertWidth, width], "gate_projection", in: "mixture")
    try routed.upProjection.requireShape([count, expertWidth, width], "up_projection", in: "mixture")
    try routed.downProjection.requireShape([count, width, expertWidth], "down_projection", in: "mixture")
    var experts: [Expert<Scalar>] = []
    for index in 0..<count {
      experts.append(
        try Expert(
          width: width, gateProjection: routed.gateProjection.slice(index),
          upProjection: routed.upProjection.slice(index), downProjection: routed.downProjection.slice(index),
          clampLimit: clampLimit, steps: steps, prefix: "expert \(index): ", operation: "mixture"))
    }
    self.experts = experts
    self.sharedExpert = try Expert(
      width: width, gateProjection: shared.gateProjection, upProjection: shared.upProjection,
      downProjection: shared.downProjection, clampLimit: clampLimit, isShared: true, steps: steps,
      prefix: "shared_", operation: "mixture")
    self.router = router
    self.steps = steps
  }

  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - tokenIDs: `[T]`; needed by hash routing alone
  /// - Throws: `InputError` as the router does.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, tokenIDs: Tensor<Int>? = nil
  ) throws(InputError) -> MixtureOutput<Scalar> {
    let routing = try router(hidden, tokenIDs: tokenIDs)
    let (tokens, width, slots) = (hidden.shape[0], hidden.shape[1], routing.indices.shape[1])
    var rows: [Tensor<Scalar>] = []
    for token in 0..<tokens {
      let row = try hidden.slice(token).reshaped([1, width])
      let chosen = try routing.indices.slice(token).elements
      var outputs: [Tensor<Scalar>] = []
      for slot in 0..<slots {
        let weight = Tensor(repeating: routing.weights[token, slot], shape: [1])
        outputs.append(try experts[chosen[slot]](row, slotWeights: weight).output)
      }
      rows.append(try steps.sumOverSlots(outputs, experts: chosen))
    }
    let routed = try Tensor.stacked(rows).reshaped([tokens, width])
    let shared = try sharedExpert(hidden, slotWeights: Tensor(repeating: 1, shape: [tokens])).output
    return MixtureOutput(routing: routing, routed: routed, shared: shared, output: try routed + shared)
  }
}

/// What an expert layer computes.
public struct MixtureOutput<Scalar: RealScalar>: Sendable {
  public let routing: Routing<Scalar>
  /// `[T, d]`: the weighted sum of the routed experts.
  public let routed: Tensor<Scalar>
  /// `[T, d]`
  public let shared: Tensor<Scalar>
  /// `[T, d]`: routed + shared.
  public let output: Tensor<Scalar>
}
