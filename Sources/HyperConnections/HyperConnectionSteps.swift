import Tensors

// Axes: T tokens, n residual streams, d model width, M = (2 + n)·n mixes.

/// The steps of manifold-constrained hyper-connections (report 2.2), one function each, in the order they run.
///
/// Every requirement has the correct step as its default: `ReferenceHyperConnectionSteps` overrides nothing. A known bug
/// is a conformance that overrides exactly one of them, so the correct code carries no switch.
///
/// | step | equation |
/// | --- | --- |
/// | `expand` | unnumbered (2.2-expand) |
/// | `mixes` | (3), (4), (5): the product, with the RMS of the flattened streams |
/// | `splitMixes` | (3), (4), (5): gate and bias; the released order pre, post, comb |
/// | `preGates`, `postGates` | (6), (7) |
/// | `sinkhornStart`, `normalized`, `sinkhorn` | (8), as released |
/// | `preMix`, `postMix` | (1) |
/// | `headGates`, `collapse` | unnumbered (2.2-head) |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol HyperConnectionSteps: Sendable {
  func expand<Scalar: RealScalar>(_ embedding: Tensor<Scalar>, streams: Int) throws(InputError) -> Tensor<Scalar>

  func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  /// Gate and bias of eqs. (3), (4) and (5): mixes `[T, M]` to pre `[T, n]`, post `[T, n]` and comb `[T, n, n]`.
  func splitMixes<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, streams: Int, base: Tensor<Scalar>, scale: Tensor<Scalar>
  ) throws(InputError) -> MixLogits<Scalar>

  func preGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar>

  func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar>

  func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func normalized<Scalar: RealScalar>(
    _ matrix: Tensor<Scalar>, over axis: ReductionAxis, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func preMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, pre: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func postMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, layerOutput: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func headGates<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func collapse<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, gates: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceHyperConnectionSteps: HyperConnectionSteps {
  public init() {}
}

extension HyperConnectionSteps where Self == ReferenceHyperConnectionSteps {
  /// The correct steps.
  public static var reference: ReferenceHyperConnectionSteps { ReferenceHyperConnectionSteps() }
}

/// The three parts of the mixes after gate and bias, before their nonlinearities: Ã, C̃ and the logits of comb.
public struct MixLogits<Scalar: RealScalar>: Sendable {
  /// `[T, n]`: Ã of eq. (3).
  public let pre: Tensor<Scalar>
  /// `[T, n]`: C̃ᵀ of eq. (5).
  public let post: Tensor<Scalar>
  /// `[T, n, n]`: B̃ᵀ of eq. (4); row = source stream, column = target stream.
  public let combination: Tensor<Scalar>

  /// The logits of T tokens: `[T, n]`, `[T, n]` and `[T, n, n]`.
  public init(pre: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>) {
    self.pre = pre
    self.post = post
    self.combination = combination
  }
}
