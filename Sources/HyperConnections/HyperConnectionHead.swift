import Taps
import Tensors

// Axes: T tokens, n residual streams, d model width.

/// The collapse of the streams before the final norm and the LM head. Not in the report; as released.
public struct HyperConnectionHead<Scalar: RealScalar>: Sendable {
  /// `[n, n·d]`
  public let projection: Tensor<Scalar>
  /// `[n]`
  public let base: Tensor<Scalar>
  /// `[1]`
  public let scale: Tensor<Scalar>
  /// `hc_eps`.
  public let epsilon: Scalar
  /// `rms_norm_eps` of the model.
  public let normEpsilon: Scalar
  public let streams: Int
  public let width: Int
  public let steps: any HyperConnectionSteps

  /// - Parameters:
  ///   - streams: n
  ///   - width: d
  ///   - projection: `[n, n·d]`
  ///   - base: `[n]`
  ///   - scale: `[1]`
  ///   - epsilon: `hc_eps`
  ///   - normEpsilon: `rms_norm_eps` of the model
  ///   - steps: correct, or with a known bug
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or a constant is unusable.
  public init(
    streams: Int, width: Int, projection: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>,
    epsilon: Scalar, normEpsilon: Scalar, steps: any HyperConnectionSteps = .reference
  ) throws(InputError) {
    try projection.requireShape([streams, streams * width], "projection", in: "head")
    try base.requireShape([streams], "base", in: "head")
    try scale.requireShape([1], "scale", in: "head")
    try projection.requireFinite("projection", in: "head")
    try base.requireFinite("base", in: "head")
    try scale.requireFinite("scale", in: "head")
    try requireEpsilon(epsilon, in: "head")
    try requireEpsilon(normEpsilon, "norm_epsilon", in: "head")
    self.projection = projection
    self.base = base
    self.scale = scale
    self.epsilon = epsilon
    self.normEpsilon = normEpsilon
    self.streams = streams
    self.width = width
    self.steps = steps
  }

  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - hooks: where it rounds, and who listens; of this head
  /// - Returns: mixes `[T, n]`, gates `[T, n]`, collapsed `[T, d]`
  /// - Throws: `InputError` for another shape or for no tokens.
  public func callAsFunction(
    _ streams: Tensor<Scalar>, hooks: Hooks = .none
  ) throws(InputError) -> HyperConnectionHeadOutput<Scalar> {
    try streams.requireAxes(["T", "n", "d"], "streams", in: "head")
    try streams.requireShape([streams.shape[0], self.streams, width], "streams", in: "head")
    let mixes = try hooks.pass(
      .headMixes, steps.mixes(streams, projection: projection, normEpsilon: normEpsilon, epsilon: epsilon))
    let gates = try hooks.pass(.headGates, steps.headGates(mixes, base: base, scale: scale, epsilon: epsilon))
    return HyperConnectionHeadOutput(
      mixes: mixes, gates: gates,
      collapsed: try hooks.pass(.collapsed, steps.collapse(streams, gates: gates)))
  }
}

/// What the head computes, step by step.
public struct HyperConnectionHeadOutput<Scalar: RealScalar>: Sendable {
  /// `[T, n]`: before gate and bias.
  public let mixes: Tensor<Scalar>
  /// `[T, n]`
  public let gates: Tensor<Scalar>
  /// `[T, d]`
  public let collapsed: Tensor<Scalar>
}
