import CompressedSparseAttention
import DeepSeekV4
import ExpertRouting
import FastKernels
import RotaryEmbedding
import Taps
import Tensors

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// `rmsNorm`: x `[…, d]`, and a weight `[d]` or none.
struct NormTwin: StepTwin {
  let name = "rmsNorm"
  let epsilon: Float

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try rmsNorm(inputs[0], weight: inputs.count > 1 ? inputs[1] : nil, epsilon: Scalar(epsilon))
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.rmsNorm(inputs[0], weight: inputs.count > 1 ? inputs[1] : nil, epsilon: epsilon)
  }

  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    exact.magnitudes * Self.relativeError(of: inputs[0].shape[inputs[0].rank - 1])
  }

  /// A sum of d squares, its mean, + ε: d + 2 roundings, of which the root takes half. Then the root itself, its
  /// reciprocal and two products.
  static func relativeError(of width: Int) -> Double { (Double(width + 2) / 2 + 4) * unitRoundoff }
}

/// The rotary embedding: x `[T, h, c]`.
struct RotationTwin: StepTwin {
  let name = "rotated"
  let positions: [Int]
  let configuration: RotaryConfiguration
  let inverse: Bool

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceRotarySteps().rotated(inputs[0], positions: positions, configuration: configuration, inverse: inverse)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try StepSet.fast(kernels).rotary.rotated(
      inputs[0], positions: positions, configuration: configuration, inverse: inverse)
  }

  /// Of a pair, cosine and sine, the products and the sum are rounded; channels that are not turned stay as they are.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let x = inputs[0]
    let (width, turned) = (x.shape[2], configuration.ropeDims)
    var bounds = Array(repeating: 0.0, count: x.count)
    for index in bounds.indices where index % width >= width - turned {
      let partner = (index % width - (width - turned)) % 2 == 0 ? index + 1 : index - 1
      bounds[index] = 3 * unitRoundoff * (abs(x.elements[index]) + abs(x.elements[partner]))
    }
    return try Tensor(shape: x.shape, elements: bounds)
  }
}

/// The Hadamard transform: x `[…, i]`.
struct HadamardTwin: StepTwin {
  let name = "hadamard"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> { try hadamard(inputs[0]) }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> { try kernels.hadamard(inputs[0]) }

  /// One rounding for each of log₂ i butterflies, and three for the factor and its product.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let width = Double(exact.shape[exact.rank - 1])
    let sums = try inputs[0].magnitudes.sum(over: .rows) * ((log2(width) + 3) * unitRoundoff / width.squareRoot())
    return try Tensor(repeating: 0, shape: exact.shape) + sums
  }
}

/// Affinities: logits `[T, E]`.
struct AffinityTwin: StepTwin {
  let name = "affinities"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    ReferenceRoutingSteps().affinities(inputs[0])
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> { kernels.affinities(inputs[0]) }

  /// Measured: 3.2 units of roundoff at most, on 800 000 logits from −170 to 200 and three instruction sets.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    exact.magnitudes * (4 * unitRoundoff)
  }
}

/// `gatedProduct`: gate and up `[T, f]`.
struct GatedProductTwin: StepTwin {
  let name = "gatedProduct"
  let limit: Float

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceExpertSteps().gatedProduct(gate: inputs[0], up: inputs[1], limit: Scalar(limit))
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.gatedProduct(gate: inputs[0], up: inputs[1], limit: limit)
  }

  /// Measured: 3.7 units of roundoff at most, on 800 000 gates from −85 to 100 and three instruction sets. Where the
  /// exponential is denormal, one unit of those times gate and up besides.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try exact.magnitudes * (5 * unitRoundoff) + inputs[0].magnitudes * inputs[1].magnitudes * 0x1p-149
  }
}

/// The mixture of experts: slots `[T, k, d]`.
struct SlotSumTwin: StepTwin {
  let name = "sumOverSlots"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    let experts = Tensor(repeating: 0, shape: Array(inputs[0].shape[..<2]))
    return try ReferenceExpertSteps().mixed(inputs[0], experts: experts)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.sumOverSlots(inputs[0])
  }

  /// k sums.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try reference(inputs.map(\.magnitudes)) * (Double(inputs[0].shape[1]) * unitRoundoff)
  }
}

/// The scores of a selection: scores `[T, E]` and bias `[E]`.
struct BiasTwin: StepTwin {
  let name = "sumOfRows"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceRoutingSteps().selectionScores(inputs[0], bias: inputs[1])
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.sumOfRows(inputs[0], bias: inputs[1])
  }

  /// One sum.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    exact.magnitudes * unitRoundoff
  }
}

/// The slot weights of an expert: product `[T, f]` and weights `[T]`.
struct ScaledRowsTwin: StepTwin {
  let name = "scaledRows"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    let down = Tensor(repeating: Scalar.zero, shape: [1, inputs[0].shape[1]])
    return try ReferenceExpertSteps().downProjection(
      inputs[0], slotWeights: inputs[1], down: down, hooks: .none
    ).activation
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.scaledRows(inputs[0], by: inputs[1])
  }

  /// One product.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    exact.magnitudes * unitRoundoff
  }
}
