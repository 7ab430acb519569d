import DeepSeekV4
import GoldenTensors
import HyperConnections
import LowPrecision
import Taps
import Tensors

/// The rounding errors of a precision class, put into a run of the slow path (`docs/numerics.md`).
///
/// Every input, weight, named value and output is rounded; so are the values inside steps that the deployed model rounds,
/// and Sinkhorn between its passes. Where a case rounds by itself, it still does, after that.
struct Disturbance: Sendable {
  let precision: PrecisionClass
  private let rounding: RandomRounding

  /// - Parameter seed: of a run; nil rounds to the nearest
  init(_ precision: PrecisionClass, seed: UInt64?, rule: BudgetRule = .published) {
    self.init(precision, seed: seed, bits: rule.noiseBits(precision))
  }

  /// - Parameter bits: the significant bits that values have
  init(_ precision: PrecisionClass, seed: UInt64?, bits: Int) {
    self.precision = precision
    rounding = RandomRounding(seed: seed, bits: bits)
  }

  /// A named value.
  ///
  /// - Parameter call: how many of that name there were before
  func rounded(_ x: Tensor<Double>, name: String, call: Int = 0) -> Tensor<Double> {
    rounding.rounded(x, name: name, call: call)
  }

  /// An input or a weight of a case. Frequencies and angles are float32 in every class.
  func input<Scalar: RealScalar>(_ x: Tensor<Scalar>, name: String) -> Tensor<Scalar> {
    guard name != "frequency_table" else { return x }
    let rounded = rounding.rounded(x as? Tensor<Double> ?? x.map { Double($0) }, name: name)
    return rounded as? Tensor<Scalar> ?? rounded.map { Scalar($0) }
  }

  /// The numerics of a case, with the noise before each rounding, and at every place where deployed numerics round.
  func numerics(_ mode: NumericsMode) -> Numerics {
    Numerics(.deployed, steps: DisturbedQuantizationSteps(rounding: rounding, precision: precision, mode: mode))
  }

  /// The steps of a case, with the noise inside those that have none of the taps inside.
  func steps(_ steps: StepSet) -> StepSet {
    var steps = steps
    steps.hyperConnection = DisturbedHyperConnectionSteps(rounding: rounding)
    return steps
  }
}

/// Rounding of a class, before the rounding that the numerics of the case ask for.
private struct DisturbedQuantizationSteps: QuantizationSteps {
  let rounding: RandomRounding
  let precision: PrecisionClass
  let mode: NumericsMode
  private let reference = ReferenceQuantizationSteps()

  init(rounding: RandomRounding, precision: PrecisionClass, mode: NumericsMode) {
    self.rounding = rounding
    self.precision = precision
    self.mode = mode
  }

  private func noisy<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ kind: Rounding) -> Tensor<Scalar> {
    rounding.rounded(x, salt: nameHash(kind.rawValue))
  }

  func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let noisy = noisy(x, .activation)
    return mode == .deployed ? reference.activation(noisy) : noisy
  }

  func linearInput<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    let noisy = noisy(x, .linearInput)
    if mode == .deployed { return try reference.linearInput(noisy) }
    return precision == .fp8fp4 ? rounding.quantized(noisy, .float8E4M3, columns: 128) : noisy
  }

  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    let noisy = noisy(x, .entry)
    if mode != .exact { return try reference.entry(noisy, rotaryDims: rotaryDims) }
    guard precision == .fp8fp4, let width = x.shape.last, width > rotaryDims else { return noisy }
    let coded = rounding.quantized(try noisy.lastAxis(0..<width - rotaryDims), .float8E4M3, columns: 64)
    return try coded.joiningLastAxis(noisy.lastAxis(width - rotaryDims..<width))
  }

  func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    let noisy = noisy(x, .indexVector)
    if mode != .exact { return try reference.indexVector(noisy) }
    return precision == .fp8fp4 ? rounding.quantized(noisy, .float4E2M1, columns: 32) : noisy
  }
}

/// Sinkhorn, rounded after each pass.
private struct DisturbedHyperConnectionSteps: HyperConnectionSteps {
  let rounding: RandomRounding

  func sinkhornStart<Scalar: RealScalar>(
    _ logits: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    rounding.rounded(
      try ReferenceHyperConnectionSteps().sinkhornStart(logits, epsilon: epsilon), salt: nameHash("sinkhorn"))
  }

  func normalized<Scalar: RealScalar>(
    _ matrix: Tensor<Scalar>, over axis: ReductionAxis, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    rounding.rounded(
      try ReferenceHyperConnectionSteps().normalized(matrix, over: axis, epsilon: epsilon), salt: nameHash("sinkhorn"))
  }
}

/// Weights of a model, rounded.
struct DisturbedWeights: WeightSource {
  let source: any WeightSource
  let disturbance: Disturbance

  func reals<Scalar: RealScalar>(_ name: String, shape: [Int], rows: Range<Int>?) throws -> Tensor<Scalar> {
    let firstRow = rows?.lowerBound ?? 0
    return disturbance.input(try source.reals(name, shape: shape, rows: rows), name: "\(name) \(firstRow)")
  }

  func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> { try source.integers(name, shape: shape) }
}
