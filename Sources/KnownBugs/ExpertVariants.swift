import ExpertRouting
import LowPrecision
import Taps
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+ExpertRouting.swift.

private let correct = ReferenceExpertSteps()

struct SharedExpertNotClamped: ExpertSteps {
  func clampLimit<Scalar: RealScalar>(_ limit: Scalar, isShared: Bool) -> Scalar { isShared ? 0 : limit }
}

struct RoutedExpertsNotClamped: ExpertSteps {
  func clampLimit<Scalar: RealScalar>(_ limit: Scalar, isShared: Bool) -> Scalar { isShared ? limit : 0 }
}

struct ClampAfterProduct: ExpertSteps {
  func gatedProduct<Scalar: RealScalar>(
    gate: Tensor<Scalar>, up: Tensor<Scalar>, limit: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    correct.clampedUp(try correct.gatedProduct(gate: gate, up: up, limit: 0), limit: limit)
  }
}

struct GateClampedBelow: ExpertSteps {
  func clampedGate<Scalar: RealScalar>(_ gate: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar> {
    correct.clampedUp(gate, limit: limit)
  }
}

struct LimitZeroClampsToZero: ExpertSteps {
  func gatedProduct<Scalar: RealScalar>(
    gate: Tensor<Scalar>, up: Tensor<Scalar>, limit: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    limit > 0 ? try correct.gatedProduct(gate: gate, up: up, limit: limit) : gate.map { _ in 0 }
  }
}

struct WeightAfterDownProjection: ExpertSteps {
  func downProjection<Scalar: RealScalar>(
    _ product: Tensor<Scalar>, slotWeights: Tensor<Scalar>, down: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> (activation: Tensor<Scalar>, output: Tensor<Scalar>) {
    let activation = try hooks.pass(.expertActivation, product)
    let output = try linear(hooks.numerics.rounded(activation, .linearInput), down)
    return (activation, try hooks.pass(.expertOutput, slotWeights.reshaped([slotWeights.count, 1]) * output))
  }
}

struct SlotsSummedInBFloat16: ExpertSteps {
  func sumOverSlots<Scalar: RealScalar>(
    _ outputs: [Tensor<Scalar>], experts: [Int]
  ) throws(InputError) -> Tensor<Scalar> {
    var sum = Tensor(repeating: Scalar.zero, shape: outputs[0].shape)
    for output in outputs { sum = try (sum + output).map(SmallFloat.bfloat16.rounded) }
    return sum
  }
}

struct SlotsSummedBackwards: ExpertSteps {
  func sumOverSlots<Scalar: RealScalar>(
    _ outputs: [Tensor<Scalar>], experts: [Int]
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.sumOverSlots(outputs.reversed(), experts: experts.reversed())
  }
}

struct RepeatedExpertOverwrites: ExpertSteps {
  func sumOverSlots<Scalar: RealScalar>(
    _ outputs: [Tensor<Scalar>], experts: [Int]
  ) throws(InputError) -> Tensor<Scalar> {
    let kept = experts.indices.filter { slot in !experts[(slot + 1)...].contains(experts[slot]) }
    return try correct.sumOverSlots(kept.map { outputs[$0] }, experts: kept.map { experts[$0] })
  }
}
