import Taps
import Tensors

// Axes: T tokens, n residual streams, d model width, M = (2 + n)·n mixes.

/// One hyper-connection site (report 2.2): what surrounds one attention or expert layer. A block has two.
///
/// ```
/// streams ─┬─ coefficients ─ pre, post, comb
///          ├─ preMix(pre) ─ layer ─ F ─┐
///          └─ postMix(post, comb) ─────┴─ streams
/// ```
public struct HyperConnectionSite<Scalar: RealScalar>: Sendable {
  /// `[M, n·d]`, rows in the order pre, post, comb.
  public let projection: Tensor<Scalar>
  /// `[M]`, in the same order.
  public let base: Tensor<Scalar>
  /// `[3]`: the gates α of pre, post and comb.
  public let scale: Tensor<Scalar>
  public let streams: Int
  public let width: Int
  public let iterations: Int
  /// `hc_eps`.
  public let epsilon: Scalar
  /// `rms_norm_eps` of the model.
  public let normEpsilon: Scalar
  public let steps: any HyperConnectionSteps

  /// - Parameters:
  ///   - streams: n
  ///   - width: d
  ///   - projection: `[M, n·d]`
  ///   - base: `[M]`
  ///   - scale: `[3]`
  ///   - iterations: t_max, at least 1
  ///   - epsilon: `hc_eps`
  ///   - normEpsilon: `rms_norm_eps` of the model
  ///   - steps: correct, or with a known bug
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or a constant is unusable.
  public init(
    streams: Int, width: Int, projection: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>,
    iterations: Int, epsilon: Scalar, normEpsilon: Scalar, steps: any HyperConnectionSteps = .reference
  ) throws(InputError) {
    let mixes = (2 + streams) * streams
    try projection.requireShape([mixes, streams * width], "projection", in: "site")
    try base.requireShape([mixes], "base", in: "site")
    try scale.requireShape([3], "scale", in: "site")
    try projection.requireFinite("projection", in: "site")
    try base.requireFinite("base", in: "site")
    try scale.requireFinite("scale", in: "site")
    guard iterations >= 1 else { throw InputError("site", "iterations must be at least 1, got \(iterations)") }
    try requireEpsilon(epsilon, in: "site")
    try requireEpsilon(normEpsilon, "norm_epsilon", in: "site")
    self.projection = projection
    self.base = base
    self.scale = scale
    self.streams = streams
    self.width = width
    self.iterations = iterations
    self.epsilon = epsilon
    self.normEpsilon = normEpsilon
    self.steps = steps
  }

  /// The coefficients that the streams themselves decide: A, B and C of eq. (1).
  ///
  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - hooks: who listens; coefficients round nowhere
  /// - Throws: `InputError` for another shape or for no tokens.
  public func coefficients(
    _ streams: Tensor<Scalar>, hooks: Hooks = .none
  ) throws(InputError) -> HyperConnectionCoefficients<Scalar> {
    try streams.requireAxes(["T", "n", "d"], "streams", in: "site")
    try streams.requireShape([streams.shape[0], self.streams, width], "streams", in: "site")
    let mixes = try hooks.pass(
      .mixes, steps.mixes(streams, projection: projection, normEpsilon: normEpsilon, epsilon: epsilon))
    let logits = try steps.splitMixes(mixes, streams: self.streams, base: base, scale: scale)
    return HyperConnectionCoefficients(
      mixes: mixes, logits: logits,
      pre: try hooks.pass(.pre, steps.preGates(logits.pre, epsilon: epsilon)),
      post: try hooks.pass(.post, steps.postGates(logits.post, epsilon: epsilon)),
      combination: try hooks.pass(
        .combination,
        steps.sinkhorn(
          hooks.pass(.combinationLogits, logits.combination), iterations: iterations, epsilon: epsilon)))
  }

  /// The site around a layer.
  ///
  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - hooks: where it rounds, and who listens; of this site
  ///   - layer: from the layer's input `[T, d]` to its output `[T, d]` (its own norm included)
  /// - Returns: the streams after the layer, `[T, n, d]`
  /// - Throws: `InputError` if a shape does not fit, and what the layer throws.
  public func callAsFunction(
    _ streams: Tensor<Scalar>, hooks: Hooks = .none, layer: (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) throws -> Tensor<Scalar> {
    let coefficients = try coefficients(streams, hooks: hooks)
    let layerOutput = try layer(hooks.pass(.layerInput, steps.preMix(streams, pre: coefficients.pre)))
    try layerOutput.requireShape([streams.shape[0], width], "layer_output", in: "site")
    return try hooks.pass(
      .streams,
      steps.postMix(
        streams, layerOutput: layerOutput, post: coefficients.post, combination: coefficients.combination))
  }
}

/// What a site computes from its streams, step by step.
public struct HyperConnectionCoefficients<Scalar: RealScalar>: Sendable {
  /// `[T, M]`: before gate and bias.
  public let mixes: Tensor<Scalar>
  /// After gate and bias.
  public let logits: MixLogits<Scalar>
  /// `[T, n]`: A of eq. (1).
  public let pre: Tensor<Scalar>
  /// `[T, n]`: C of eq. (1).
  public let post: Tensor<Scalar>
  /// `[T, n, n]`: comb = Bᵀ of eq. (1).
  public let combination: Tensor<Scalar>
}
