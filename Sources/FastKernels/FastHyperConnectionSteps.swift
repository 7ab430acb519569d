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

  func splitMixes<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, streams n: Int, base: Tensor<Scalar>, scale: Tensor<Scalar>
  ) throws(InputError) -> MixLogits<Scalar> {
    guard let mixes32 = floats(mixes), let base32 = floats(base), let scale32 = floats(scale) else {
      return try ReferenceHyperConnectionSteps().splitMixes(mixes, streams: n, base: base, scale: scale)
    }
    let pre = try kernels.logits(ofMixes: mixes32, part: 0..<n, base: base32, gate: scale32[0])
    let post = try kernels.logits(ofMixes: mixes32, part: n..<2 * n, base: base32, gate: scale32[1])
    let comb = try kernels.logits(ofMixes: mixes32, part: 2 * n..<(2 + n) * n, base: base32, gate: scale32[2])
    return MixLogits(
      pre: generic(pre), post: generic(post), combination: generic(try comb.reshaped([mixes.shape[0], n, n])))
  }

  func preGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    guard let logits32 = floats(logits) else {
      return ReferenceHyperConnectionSteps().preGates(logits, epsilon: epsilon)
    }
    return generic(kernels.gates(logits32, factor: 1, term: Float(epsilon)))
  }

  func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    guard let logits32 = floats(logits) else {
      return ReferenceHyperConnectionSteps().postGates(logits, epsilon: epsilon)
    }
    return generic(kernels.gates(logits32, factor: 2, term: 0))
  }

  func headGates<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    guard let mixes32 = floats(mixes), let base32 = floats(base), let scale32 = floats(scale) else {
      return try ReferenceHyperConnectionSteps().headGates(mixes, base: base, scale: scale, epsilon: epsilon)
    }
    let logits = try kernels.logits(ofMixes: mixes32, part: 0..<base.count, base: base32, gate: scale32[0])
    return generic(kernels.gates(logits, factor: 1, term: Float(epsilon)))
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
