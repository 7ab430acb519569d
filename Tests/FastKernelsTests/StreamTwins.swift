import DeepSeekV4
import FastKernels
import HyperConnections
import Tensors

/// `mixes`: streams `[T, n, d]` and projection `[M, n·d]`.
struct MixesTwin: StepTwin {
  let name = "mixes"
  let epsilon: Float

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceHyperConnectionSteps().mixes(
      inputs[0], projection: inputs[1], normEpsilon: Scalar(epsilon), epsilon: 0)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.mixes(inputs[0], projection: inputs[1], normEpsilon: epsilon)
  }

  /// The product as for `linear`, times the factor; and the factor as for `rmsNorm`.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let columns = inputs[1].shape[1]
    let flat = try inputs[0].reshaped([inputs[0].shape[0], columns])
    let products = try linear(flat.magnitudes, inputs[1].magnitudes) * reciprocalRMS(flat, epsilon: Double(epsilon))
    return try products * (Double(columns + 1) * unitRoundoff) + exact.magnitudes * NormTwin.relativeError(of: columns)
  }
}

/// `splitMixes`: mixes `[T, M]`, base `[M]` and gates `[3]`; its three parts one after the other.
struct SplitTwin: StepTwin {
  let name = "splitMixes"
  let streams: Int

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try parts(ReferenceHyperConnectionSteps(), inputs)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try parts(StepSet.fast(kernels).hyperConnection, inputs)
  }

  private func parts<Scalar: RealScalar>(
    _ steps: any HyperConnectionSteps, _ inputs: [Tensor<Scalar>]
  ) throws -> Tensor<Scalar> {
    let logits = try steps.splitMixes(inputs[0], streams: streams, base: inputs[1], scale: inputs[2])
    let parts = logits.pre.elements + logits.post.elements + logits.combination.elements
    return Tensor(filling: [parts.count], parts)
  }

  /// A product and a sum.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try reference(inputs.map(\.magnitudes)) * (2 * unitRoundoff)
  }
}

/// `preGates`, `postGates` and `headGates`: logits `[T, n]`, and for the head base `[n]` and gate `[1]`.
struct GatesTwin: StepTwin {
  enum Gates { case pre, post, head }

  let name = "gates"
  let gates: Gates
  let epsilon: Float

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try values(ReferenceHyperConnectionSteps(), inputs)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try values(StepSet.fast(kernels).hyperConnection, inputs)
  }

  private func values<Scalar: RealScalar>(
    _ steps: any HyperConnectionSteps, _ inputs: [Tensor<Scalar>]
  ) throws -> Tensor<Scalar> {
    switch gates {
    case .pre: steps.preGates(inputs[0], epsilon: Scalar(epsilon))
    case .post: steps.postGates(inputs[0], epsilon: Scalar(epsilon))
    case .head: try steps.headGates(inputs[0], base: inputs[1], scale: inputs[2], epsilon: Scalar(epsilon))
    }
  }

  /// Of σ: an exponential of 2 units in the last place (4 roundings), a sum and a quotient; of the gate a product and a
  /// sum. σ passes on no more than the relative error that its exponential has; the head's logits have an error of their
  /// own, of which σ passes on a quarter at most.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let ofGates = exact.magnitudes * (8 * unitRoundoff)
    guard gates == .head else { return ofGates }
    let terms = try inputs[0].magnitudes * abs(inputs[2].elements[0]) + inputs[1].magnitudes
    return try ofGates + terms * (2 * unitRoundoff / 4)
  }
}

/// `preMix` and `collapse`: streams `[T, n, d]` and weights `[T, n]`.
struct WeightedSumTwin: StepTwin {
  let name = "weightedSum"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceHyperConnectionSteps().preMix(inputs[0], pre: inputs[1])
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.weightedSum(inputs[0], weights: inputs[1])
  }

  /// n products and sums.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try reference(inputs.map(\.magnitudes)) * (Double(inputs[1].shape[1] + 1) * unitRoundoff)
  }
}

/// `postMix`: streams `[T, n, d]`, layer output `[T, d]`, post `[T, n]` and comb `[T, n, n]`.
struct PostMixTwin: StepTwin {
  let name = "postMix"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceHyperConnectionSteps().postMix(
      inputs[0], layerOutput: inputs[1], post: inputs[2], combination: inputs[3])
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.postMix(inputs[0], layerOutput: inputs[1], post: inputs[2], combination: inputs[3])
  }

  /// n + 1 products and sums.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try reference(inputs.map(\.magnitudes)) * (Double(inputs[2].shape[1] + 2) * unitRoundoff)
  }
}

/// `sinkhorn`: logits `[T, n, n]`.
struct SinkhornTwin: StepTwin {
  let name = "sinkhorn"
  let iterations: Int
  let epsilon: Float

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceHyperConnectionSteps().sinkhorn(inputs[0], iterations: iterations, epsilon: Scalar(epsilon))
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.sinkhorn(inputs[0], iterations: iterations, epsilon: epsilon)
  }

  /// To divide rows or columns by their sums never brings two positive matrices further apart in Hilbert's metric (the
  /// logarithm of the largest over the least quotient of their elements), so errors only add up: those of the start, with
  /// x − max and an exponential of 2 units in the last place in it, and n + 2 roundings in each pass. Twice, because a
  /// quotient has two sides.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let n = Double(exact.shape[1])
    let start = 2 * inputs[0].largestMagnitude + 2 * 4 + n + 2
    return exact.magnitudes * (2 * (start + 2 * Double(iterations) * (n + 2)) * unitRoundoff)
  }
}

extension TwinCase {
  static func streamCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 3)
    var cases: [TwinCase] = []
    for (tokens, streams, width, mixes) in [
      (1, 1, 1, 1), (2, 4, 5, 24), (3, 4, 33, 24), (4, 2, 17, 8), (5, 4, 512, 24), (9, 4, 515, 7), (6, 3, 21, 15),
      (7, 5, 600, 13), (65, 1, 40, 3), (9, 4, 1030, 24), (17, 2, 2049, 5), (21, 4, 260, 4), (131, 3, 2800, 3),
      (16, 4, 33, 24), (17, 4, 1030, 24), (18, 5, 600, 35), (20, 3, 21, 15), (24, 1, 1, 1), (29, 6, 9, 48),
    ] {
      let projection = numbers.tensor([mixes, streams * width])
      cases.append(TwinCase(MixesTwin(epsilon: 1e-6), numbers.tensor([tokens, streams, width]), projection))
      // Streams so small that ε counts.
      let small = numbers.tensor([tokens, streams, width], scale: 1e-3)
      cases.append(TwinCase(MixesTwin(epsilon: 1e-6), small, projection))
    }
    for (tokens, streams) in [(1, 1), (1, 4), (3, 4), (5, 3), (17, 2), (40, 4), (3, 6)] {
      let mixes = numbers.tensor([tokens, (2 + streams) * streams], scale: 5)
      let base = numbers.tensor([(2 + streams) * streams])
      cases.append(TwinCase(SplitTwin(streams: streams), mixes, base, numbers.tensor([3])))
      let logits = numbers.tensor([tokens, streams], scale: 20)
      cases.append(TwinCase(GatesTwin(gates: .pre, epsilon: 1e-3), logits))
      cases.append(TwinCase(GatesTwin(gates: .post, epsilon: 1e-3), logits))
      cases.append(
        TwinCase(GatesTwin(gates: .head, epsilon: 1e-3), logits, numbers.tensor([streams]), numbers.tensor([1])))
    }
    cases.append(TwinCase(GatesTwin(gates: .post, epsilon: 0), .grid(from: -120, to: 120, step: 1.0 / 16)))
    for streams in 1...5 {
      for width in [1, 3, 15, 16, 17, 31, 33, 67, 129] {
        let tokens = numbers.integer(in: 1..<6)
        let x = numbers.tensor([tokens, streams, width])
        cases.append(TwinCase(WeightedSumTwin(), x, numbers.positives([tokens, streams])))
        cases.append(
          TwinCase(
            PostMixTwin(), x, numbers.tensor([tokens, width]), numbers.positives([tokens, streams]),
            numbers.positives([tokens, streams, streams])))
      }
    }
    // Results of 4 MiB and more are written past the caches.
    cases.append(TwinCase(WeightedSumTwin(), numbers.tensor([257, 1, 4099]), numbers.positives([257, 1])))
    cases.append(
      TwinCase(
        PostMixTwin(), numbers.tensor([65, 4, 4099]), numbers.tensor([65, 4099]), numbers.positives([65, 4]),
        numbers.positives([65, 4, 4])))
    return cases
  }

  static func sinkhornCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 4)
    var cases: [TwinCase] = []
    for streams in 1...6 {
      for matrices in [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33] {
        let logits = numbers.tensor([matrices, streams, streams], scale: matrices % 2 == 0 ? 10 : 2)
        for (iterations, epsilon) in [(20, Float(1e-6)), (1, 1e-3), (3, 0.05)] {
          cases.append(TwinCase(SinkhornTwin(iterations: iterations, epsilon: epsilon), logits))
        }
      }
    }
    return cases
  }
}
