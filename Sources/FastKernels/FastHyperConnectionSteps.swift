import HyperConnections
import Tensors

/// The steps of hyper-connections on fast kernels; on the path in Double the reference steps.
struct FastHyperConnectionSteps: HyperConnectionSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    guard let streams32 = floats(streams), let projection32 = floats(projection) else {
      return try ReferenceHyperConnectionSteps().mixes(
        streams, projection: projection, normEpsilon: normEpsilon, epsilon: epsilon)
    }
    return generic(try kernels.mixes(streams32, projection: projection32, normEpsilon: Float(normEpsilon)))
  }

  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    guard let logits32 = floats(logits) else {
      return try ReferenceHyperConnectionSteps().sinkhorn(logits, iterations: iterations, epsilon: epsilon)
    }
    return generic(try kernels.sinkhorn(logits32, iterations: iterations, epsilon: Float(epsilon)))
  }

  func preMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, pre: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    guard let streams32 = floats(streams), let pre32 = floats(pre) else {
      return try ReferenceHyperConnectionSteps().preMix(streams, pre: pre)
    }
    return generic(try kernels.weightedSum(streams32, weights: pre32))
  }

  func postMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, layerOutput: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    guard let streams32 = floats(streams), let output32 = floats(layerOutput), let post32 = floats(post),
      let combination32 = floats(combination)
    else {
      return try ReferenceHyperConnectionSteps().postMix(
        streams, layerOutput: layerOutput, post: post, combination: combination)
    }
    return generic(
      try kernels.postMix(streams32, layerOutput: output32, post: post32, combination: combination32))
  }

  func collapse<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, gates: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try preMix(streams, pre: gates)
  }
}
