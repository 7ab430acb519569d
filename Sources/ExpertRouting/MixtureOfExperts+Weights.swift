import Tensors

// Axes: d model width, E routed experts, f expert width.

/// The weights of all routed experts of a layer, in memory.
public struct RoutedExpertWeights<Scalar: RealScalar>: Sendable {
  /// w1, `[E, f, d]`
  public let gateProjection: Tensor<Scalar>
  /// w3, `[E, f, d]`
  public let upProjection: Tensor<Scalar>
  /// w2, `[E, d, f]`
  public let downProjection: Tensor<Scalar>

  /// Weights as they are: `MixtureOfExperts` checks their shapes.
  public init(gateProjection: Tensor<Scalar>, upProjection: Tensor<Scalar>, downProjection: Tensor<Scalar>) {
    self.gateProjection = gateProjection
    self.upProjection = upProjection
    self.downProjection = downProjection
  }
}

extension MixtureOfExperts {
  /// An expert layer with all its weights in memory.
  ///
  /// - Parameters:
  ///   - router: the router of the layer
  ///   - routed: the routed experts, `[E, …]` each
  ///   - shared: the shared expert's w1 `[f, d]`, w3 `[f, d]`, w2 `[d, f]`
  ///   - clampLimit: for routed and shared experts alike; 0 means no clamp
  ///   - steps: correct, or with a known bug
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
    let sharedExpert = try Expert(
      width: width, gateProjection: shared.gateProjection, upProjection: shared.upProjection,
      downProjection: shared.downProjection, clampLimit: clampLimit, isShared: true, steps: steps,
      prefix: "shared_", operation: "mixture")
    self.init(router: router, shared: sharedExpert, steps: steps) { [experts] in experts[$0] }
  }
}
