import HyperConnections
import LowPrecision
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+HyperConnections.swift.

private let correct = ReferenceHyperConnectionSteps()

struct CombNotTransposed: HyperConnectionSteps {
  func postMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, layerOutput: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.postMix(streams, layerOutput: layerOutput, post: post, combination: combination.transposed())
  }
}

struct StreamsInBFloat16: HyperConnectionSteps {
  func postMix<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, layerOutput: Tensor<Scalar>, post: Tensor<Scalar>, combination: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.postMix(streams, layerOutput: layerOutput, post: post, combination: combination)
      .map(SmallFloat.bfloat16.rounded)
  }
}

struct MixesInBFloat16: HyperConnectionSteps {
  func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.mixes(streams, projection: projection, normEpsilon: normEpsilon, epsilon: epsilon)
      .map(SmallFloat.bfloat16.rounded)
  }
}

struct NormWithSinkhornEpsilon: HyperConnectionSteps {
  func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.mixes(streams, projection: projection, normEpsilon: epsilon, epsilon: epsilon)
  }
}

struct NormSummedBackwards: HyperConnectionSteps {
  func mixes<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, projection: Tensor<Scalar>, normEpsilon: Scalar, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    let flat = try streams.reshaped([streams.shape[0], streams.shape[1] * streams.shape[2]])
    let backwards = try Tensor(shape: [flat.count], elements: flat.elements.reversed()).reshaped(flat.shape)
    // Reversing all elements reverses the tokens too: turn those back.
    let roots = try reciprocalRMS(backwards, epsilon: normEpsilon)
    let inOrder = try Tensor(shape: roots.shape, elements: roots.elements.reversed())
    return try linear(flat, projection) * inOrder
  }
}

struct SplitPreCombPost: HyperConnectionSteps {
  func splitMixes<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, streams n: Int, base: Tensor<Scalar>, scale: Tensor<Scalar>
  ) throws(InputError) -> MixLogits<Scalar> {
    let end = (2 + n) * n
    let pre = try mixes.lastAxis(0..<n) * scale[0] + base.lastAxis(0..<n)
    let comb = try mixes.lastAxis(n..<n + n * n) * scale[1] + base.lastAxis(n..<n + n * n)
    let post = try mixes.lastAxis(n + n * n..<end) * scale[2] + base.lastAxis(n + n * n..<end)
    return MixLogits(pre: pre, post: post, combination: try comb.reshaped([mixes.shape[0], n, n]))
  }
}

struct PreWithoutEpsilon: HyperConnectionSteps {
  func preGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    correct.preGates(logits, epsilon: 0)
  }
}

struct PostWithoutFactor2: HyperConnectionSteps {
  func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    logits.map(sigmoid)
  }
}

struct PostLikePre: HyperConnectionSteps {
  func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    correct.preGates(logits, epsilon: epsilon)
  }
}

struct PostWithEpsilon: HyperConnectionSteps {
  func postGates<Scalar: RealScalar>(_ logits: Tensor<Scalar>, epsilon: Scalar) -> Tensor<Scalar> {
    correct.postGates(logits, epsilon: epsilon) + epsilon
  }
}

// MARK: Sinkhorn

struct SinkhornFromSigmoid: HyperConnectionSteps {
  func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    logits.map(sigmoid) + epsilon
  }
}

struct SinkhornFromExponential: HyperConnectionSteps {
  func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    logits.map(Scalar.exponential)
  }
}

struct SinkhornStartWithoutEpsilon: HyperConnectionSteps {
  func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try logits.softmax()
  }
}

struct SumsWithoutEpsilon: HyperConnectionSteps {
  func normalized<Scalar: RealScalar>(
    _ matrix: Tensor<Scalar>, over axis: ReductionAxis, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.normalized(matrix, over: axis, epsilon: 0)
  }
}

struct SumsClampedAtEpsilon: HyperConnectionSteps {
  func normalized<Scalar: RealScalar>(
    _ matrix: Tensor<Scalar>, over axis: ReductionAxis, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try matrix / matrix.sum(over: axis).map { max($0, epsilon) }
  }
}

struct SinkhornWithTenfoldEpsilon: HyperConnectionSteps {
  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.sinkhorn(logits, iterations: iterations, epsilon: epsilon * 10)
  }
}

struct SinkhornColumnsFirst: HyperConnectionSteps {
  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.sinkhorn(logits.transposed(), iterations: iterations, epsilon: epsilon).transposed()
  }
}

struct SinkhornMoreIterations: HyperConnectionSteps {
  let more: Int

  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.sinkhorn(logits, iterations: max(iterations + more, 1), epsilon: epsilon)
  }
}

struct SinkhornSkipped: HyperConnectionSteps {
  func sinkhorn<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, iterations: Int, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    logits.map(Scalar.exponential)
  }
}

// MARK: The head

struct HeadTakesFirstStream: HyperConnectionSteps {
  func collapse<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, gates: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let first = try Tensor(
      shape: gates.shape, elements: gates.elements.indices.map { $0 % gates.shape[1] == 0 ? Scalar(1) : 0 })
    return try correct.collapse(streams, gates: first)
  }
}

struct HeadTakesMean: HyperConnectionSteps {
  func collapse<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, gates: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.collapse(streams, gates: Tensor(repeating: 1 / Scalar(gates.shape[1]), shape: gates.shape))
  }
}

struct HeadWithoutEpsilon: HyperConnectionSteps {
  func headGates<Scalar: RealScalar>(
    _ mixes: Tensor<Scalar>, base: Tensor<Scalar>, scale: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.headGates(mixes, base: base, scale: scale, epsilon: 0)
  }
}
