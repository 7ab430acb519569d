import ExpertRouting
import Taps
import Tensors

/// The steps of the router on fast kernels; on the path in Double the reference steps.
struct FastRoutingSteps: RoutingSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func gateLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, gate: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, gate)
  }

  func affinities<Scalar: RealScalar>(_ logits: Tensor<Scalar>) -> Tensor<Scalar> {
    guard let logits32 = floats(logits) else { return logits.map(affinity) }
    return generic(kernels.affinities(logits32))
  }

  func selectionScores<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, bias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    guard let scores32 = floats(scores), let bias32 = floats(bias) else { return try scores + bias }
    return generic(try kernels.sumOfRows(scores32, bias: bias32))
  }

  func select<Scalar: RealScalar>(
    _ selectionScores: Tensor<Scalar>, expertsPerToken: Int, in operation: String
  ) throws(InputError) -> TopK<Scalar> {
    guard let scores = floats(selectionScores), scores.rank == 2, scores.count > 0,
      (1...scores.shape[1]).contains(expertsPerToken)
    else { return try TopK(selectionScores, k: expertsPerToken, parameter: "experts_per_token", in: operation) }
    let (indices, margin) = try kernels.topK(scores, k: expertsPerToken, in: operation)
    return TopK(indices: indices, margin: generic(margin))
  }
}

/// The steps of the experts on fast kernels; on the path in Double the reference steps.
struct FastExpertSteps: ExpertSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, weight)
  }

  func gatedProduct<Scalar: RealScalar>(
    gate: Tensor<Scalar>, up: Tensor<Scalar>, limit: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    guard let gate32 = floats(gate), let up32 = floats(up) else {
      return try ReferenceExpertSteps().gatedProduct(gate: gate, up: up, limit: limit)
    }
    return generic(try kernels.gatedProduct(gate: gate32, up: up32, limit: Float(limit)))
  }

  func downProjection<Scalar: RealScalar>(
    _ product: Tensor<Scalar>, slotWeights: Tensor<Scalar>, down: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> (activation: Tensor<Scalar>, output: Tensor<Scalar>) {
    guard let product32 = floats(product), let weights32 = floats(slotWeights) else {
      return try ReferenceExpertSteps().downProjection(product, slotWeights: slotWeights, down: down, hooks: hooks)
    }
    let weighted: Tensor<Scalar> = generic(try kernels.scaledRows(product32, by: weights32))
    let activation = try hooks.pass(.expertActivation, weighted)
    let output = try hooks.pass(
      .expertOutput, kernels.genericLinear(hooks.numerics.rounded(activation, .linearInput), down))
    return (activation, output)
  }

  func mixed<Scalar: RealScalar>(
    _ slots: Tensor<Scalar>, experts: Tensor<Int>
  ) throws(InputError) -> Tensor<Scalar> {
    guard let slots32 = floats(slots) else { return try ReferenceExpertSteps().mixed(slots, experts: experts) }
    return generic(try kernels.sumOverSlots(slots32))
  }
}
