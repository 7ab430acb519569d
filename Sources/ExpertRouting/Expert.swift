import Taps
import Tensors

// Axes: T tokens, d model width, f expert width.

/// What an expert layer sends tokens through: an `Expert`, or one that keeps its weights in another form.
public protocol RoutedExpert<Scalar>: Sendable {
  associatedtype Scalar: RealScalar

  /// `W₂ · (w · SwiGLU(W₁ x, W₃ x))`.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`, as the input of a linear map
  ///   - slotWeights: w, `[T]`
  ///   - hooks: where it rounds, and who listens; of this expert
  /// - Throws: `InputError` for another shape or for no tokens.
  func callAsFunction(
    _ hidden: Tensor<Scalar>, slotWeights: Tensor<Scalar>, hooks: Hooks
  ) throws -> ExpertOutput<Scalar>
}

/// One expert: a SwiGLU layer with clamped gate and up projections.
public struct Expert<Scalar: RealScalar>: RoutedExpert {
  /// w1, `[f, d]`
  public let gateProjection: Tensor<Scalar>
  /// w3, `[f, d]`
  public let upProjection: Tensor<Scalar>
  /// w2, `[d, f]`
  public let downProjection: Tensor<Scalar>
  /// 0 means no clamp; 10 in the released models.
  public let clampLimit: Scalar
  public let steps: any ExpertSteps

  /// - Parameters:
  ///   - width: d
  ///   - gateProjection: w1, `[f, d]`
  ///   - upProjection: w3, `[f, d]`
  ///   - downProjection: w2, `[d, f]`
  ///   - clampLimit: 0 means no clamp
  ///   - isShared: whether every token goes through it; its clamp limit is the same, but a known bug has another
  ///   - steps: correct, or with a known bug
  ///   - prefix: what precedes the names of the weights in an error
  ///   - operation: what an error names
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or the clamp limit is unusable.
  public init(
    width: Int, gateProjection: Tensor<Scalar>, upProjection: Tensor<Scalar>, downProjection: Tensor<Scalar>,
    clampLimit: Scalar, isShared: Bool = false, steps: any ExpertSteps = .reference,
    prefix: String = "", operation: String = "expert"
  ) throws(InputError) {
    try requireClampLimit(clampLimit, in: operation)
    try gateProjection.requireAxes(["f", "d"], prefix + "gate_projection", in: operation)
    let expertWidth = gateProjection.shape[0]
    let shapes = [[expertWidth, width], [expertWidth, width], [width, expertWidth]]
    let weights = [gateProjection, upProjection, downProjection]
    let names = ["gate_projection", "up_projection", "down_projection"]
    for (weight, (name, shape)) in zip(weights, zip(names, shapes)) {
      try weight.requireShape(shape, prefix + name, in: operation)
      try weight.requireFinite(prefix + name, in: operation)
    }
    self.gateProjection = gateProjection
    self.upProjection = upProjection
    self.downProjection = downProjection
    self.clampLimit = steps.clampLimit(clampLimit, isShared: isShared)
    self.steps = steps
  }

  /// - Parameters:
  ///   - hidden: `[T, d]`, as the input of a linear map
  ///   - slotWeights: `[T]`: the router's weight of this expert for each token; 1 for the shared expert
  ///   - hooks: where it rounds, and who listens; of this expert
  /// - Throws: `InputError` for another shape or for no tokens.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, slotWeights: Tensor<Scalar>, hooks: Hooks = .none
  ) throws(InputError) -> ExpertOutput<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "expert")
    try hidden.requireShape([hidden.shape[0], gateProjection.shape[1]], "hidden", in: "expert")
    try slotWeights.requireShape([hidden.shape[0]], "slot_weights", in: "expert")
    let gate = try hooks.pass(.expertGate, steps.projected(hidden, by: gateProjection))
    let up = try hooks.pass(.expertUp, steps.projected(hidden, by: upProjection))
    let product = try steps.gatedProduct(gate: gate, up: up, limit: clampLimit)
    let (activation, output) = try steps.downProjection(
      product, slotWeights: slotWeights, down: downProjection, hooks: hooks)
    return ExpertOutput(gate: gate, up: up, activation: activation, output: output)
  }
}

/// What an expert computes, step by step.
public struct ExpertOutput<Scalar: RealScalar>: Sendable {
  /// `[T, f]`, before the clamp.
  public let gate: Tensor<Scalar>
  /// `[T, f]`, before the clamp.
  public let up: Tensor<Scalar>
  /// `[T, f]`, after clamp, SiLU, product and slot weight: the input of the down projection.
  public let activation: Tensor<Scalar>
  /// `[T, d]`
  public let output: Tensor<Scalar>

  /// Three tensors `[T, f]`, and the output `[T, d]`.
  public init(gate: Tensor<Scalar>, up: Tensor<Scalar>, activation: Tensor<Scalar>, output: Tensor<Scalar>) {
    self.gate = gate
    self.up = up
    self.activation = activation
    self.output = output
  }
}

func requireClampLimit<Scalar: RealScalar>(_ limit: Scalar, in operation: String) throws(InputError) {
  guard limit.isFinite, limit >= 0 else {
    throw InputError(operation, "clamp_limit must be 0 (off) or positive, got \(limit)")
  }
}
