import Taps
import Tensors

// Axes: T tokens, d model width, E routed experts, f expert width, k experts per token.

/// One expert layer (report 2.1): router, routed experts and the shared expert.
///
/// ```
/// output = Σ over the k slots of expert(x, weight of the slot)  +  shared expert(x, 1)
/// ```
public struct MixtureOfExperts<Scalar: RealScalar>: Sendable {
  public let router: Router<Scalar>
  public let sharedExpert: Expert<Scalar>
  public let steps: any ExpertSteps
  /// Gives a routed expert by its number.
  public let expert: @Sendable (Int) throws -> any RoutedExpert<Scalar>

  /// - Parameters:
  ///   - router: the router of the layer
  ///   - shared: the shared expert
  ///   - steps: of the sum over slots; each expert has its own
  ///   - expert: gives one of the E routed experts, by its number. It is asked once in a call for each expert that any
  ///     token needs, and may read it from a file then
  public init(
    router: Router<Scalar>, shared: Expert<Scalar>, steps: any ExpertSteps = .reference,
    expert: @escaping @Sendable (Int) throws -> any RoutedExpert<Scalar>
  ) {
    self.router = router
    self.sharedExpert = shared
    self.steps = steps
    self.expert = expert
  }

  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - tokenIDs: `[T]`; needed by hash routing alone
  ///   - hooks: where it rounds, and who listens; of the expert layer
  /// - Throws: `InputError` as the router does, and what reading an expert throws.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, tokenIDs: Tensor<Int>? = nil, hooks: Hooks = .none
  ) throws -> MixtureOutput<Scalar> {
    let routing = try router(hidden, tokenIDs: tokenIDs, hooks: hooks.within("gate"))
    let linearInput = try hooks.linearInput(.expertHiddenQuantized, hidden)
    let slots = try slotOutputs(linearInput, routing, hooks)
    let tokens = hidden.shape[0]
    let routed = try hooks.pass(.routed, steps.mixed(slots, experts: routing.indices))
    let parts = HookedParts(of: [tokens, 1], hooks.within("shared_experts"))
    let shared = try sharedExpert(
      linearInput, slotWeights: Tensor(repeating: 1, shape: [tokens]), hooks: parts.rows(Array(0..<tokens))
    ).output
    try parts.finish()
    let output = try hooks.pass(.mixtureOutput, routed + shared)
    return MixtureOutput(routing: routing, routed: routed, shared: shared, output: output)
  }

  /// What the expert of each slot of each token gives, `[T, k, d]`, expert by expert.
  private func slotOutputs(
    _ hidden: Tensor<Scalar>, _ routing: Routing<Scalar>, _ hooks: Hooks
  ) throws -> Tensor<Scalar> {
    let (tokens, slots) = (routing.indices.shape[0], routing.indices.shape[1])
    let parts = HookedParts(of: [tokens, slots], hooks.within("experts"))
    let placesByExpert = Dictionary(grouping: routing.indices.elements.indices) { routing.indices.elements[$0] }
    var outputs = Tensor(repeating: Scalar.zero, shape: [tokens * slots, hidden.shape[1]])
    for (index, places) in placesByExpert.sorted(by: { $0.key < $1.key }) {
      let weights = places.map { routing.weights.elements[$0] }
      let input = try hidden.rows(at: places.map { $0 / slots })
      let slotWeights = try Tensor(shape: [places.count], elements: weights)
      let routed = try expert(index)
      try outputs.replaceRows(
        at: places, with: routed(input, slotWeights: slotWeights, hooks: parts.rows(places)).output)
    }
    try parts.finish()
    return try outputs.reshaped([tokens, slots, hidden.shape[1]])
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
