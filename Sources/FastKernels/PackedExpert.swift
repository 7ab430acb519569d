import DeepSeekV4
import ExpertRouting
import LowPrecision
import Taps
import Tensors

// Axes: T tokens, d model width, f expert width.

/// An expert whose weights stay as the checkpoint stores them.
struct PackedExpert: RoutedExpert {
  typealias Scalar = Float

  let gate: PackedMatrix
  let up: PackedMatrix
  let down: PackedMatrix
  let clampLimit: Float
  let kernels: KernelSet

  /// - Throws: `InputError` for another shape or for no tokens.
  func callAsFunction(
    _ hidden: Tensor<Float>, slotWeights: Tensor<Float>, hooks: Hooks
  ) throws -> ExpertOutput<Float> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "expert")
    try hidden.requireShape([hidden.shape[0], gate.shape[1]], "hidden", in: "expert")
    try slotWeights.requireShape([hidden.shape[0]], "slot_weights", in: "expert")
    let gateValues = try hooks.pass(.expertGate, product(hidden, gate, hooks))
    let upValues = try hooks.pass(.expertUp, product(hidden, up, hooks))
    let gated = try kernels.gatedProduct(gate: gateValues, up: upValues, limit: clampLimit)
    let activation = try hooks.pass(.expertActivation, kernels.scaledRows(gated, by: slotWeights))
    let output = try hooks.pass(
      .expertOutput, product(hooks.numerics.rounded(activation, .linearInput), down, hooks))
    return ExpertOutput(gate: gateValues, up: upValues, activation: activation, output: output)
  }

  /// In BF16 arithmetic only where the input is quantized, which BF16 holds exactly.
  private func product(
    _ x: Tensor<Float>, _ weight: PackedMatrix, _ hooks: Hooks
  ) throws(InputError) -> Tensor<Float> {
    try kernels.linear(x, weight, in: hooks.numerics.rounds(.linearInput) ? .bfloat16WhereExact : .float32)
  }
}

/// Makes packed experts on the path in Float, if the other steps of experts are the fast ones.
struct FastStoredExpertSteps: StoredExpertSteps {
  let kernels: KernelSet

  func expert<Scalar: RealScalar>(
    _ matrices: StoredExpert, width: Int, clampLimit: Scalar, steps: any ExpertSteps
  ) throws(InputError) -> (any RoutedExpert<Scalar>)? {
    guard Scalar.self == Float.self, steps is FastExpertSteps else { return nil }
    let expert = PackedExpert(
      gate: try PackedMatrix(matrices.gate, named: matrices.prefix + "w1.weight"),
      up: try PackedMatrix(matrices.up, named: matrices.prefix + "w3.weight"),
      down: try PackedMatrix(matrices.down, named: matrices.prefix + "w2.weight"), clampLimit: Float(clampLimit),
      kernels: kernels)
    let expertWidth = expert.gate.shape[0]
    guard expert.gate.shape == [expertWidth, width], expert.up.shape == [expertWidth, width],
      expert.down.shape == [width, expertWidth]
    else { throw InputError("mixture", "the matrices of \(matrices.prefix) do not fit each other") }
    return expert as? any RoutedExpert<Scalar>
  }
}

extension PackedMatrix {
  /// A matrix of a checkpoint.
  ///
  /// - Parameters:
  ///   - stored: its bytes
  ///   - name: what an error calls it
  /// - Throws: `InputError` if the bytes do not fit each other, or one of them stands for NaN.
  init(_ stored: StoredMatrix, named name: String) throws(InputError) {
    let width = stored.codes.shape.last.map { stored.format == .float4E2M1 ? 2 * $0 : $0 } ?? 0
    try self.init(
      stored.format, shape: [stored.codes.shape.first ?? 0, width], codes: stored.codes.elements,
      scales: stored.scaleBytes.elements)
    let nanScale: UInt8 = 255
    let hasNaNCode = stored.format == .float8E4M3 && codes.contains { $0 & 0x7F == 0x7F }
    guard !hasNaNCode, !scales.contains(nanScale) else { throw InputError("mixture", "\(name) holds NaN") }
  }
}
