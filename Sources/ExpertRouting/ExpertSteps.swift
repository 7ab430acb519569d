import Taps
import Tensors

// Axes: T tokens, d model width, f expert width, k experts per token.

/// The steps of the experts (report 2.1 and 4.2.3), one function each, in the order they run.
///
/// Every requirement has the correct step as its default; a known bug overrides exactly one.
///
/// | step | source |
/// | --- | --- |
/// | `clampLimit`, `clampedGate`, `clampedUp` | 2.1-clamp |
/// | `projected`, `gatedProduct`, `downProjection` | 2.1-expert |
/// | `sumOverSlots`, and `mixed` for all tokens | 2.1-mixture |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol ExpertSteps: Sendable {
  func clampLimit<Scalar: RealScalar>(_ limit: Scalar, isShared: Bool) -> Scalar

  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func clampedGate<Scalar: RealScalar>(_ gate: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar>

  func clampedUp<Scalar: RealScalar>(_ up: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar>

  func gatedProduct<Scalar: RealScalar>(
    gate: Tensor<Scalar>, up: Tensor<Scalar>, limit: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func downProjection<Scalar: RealScalar>(
    _ product: Tensor<Scalar>, slotWeights: Tensor<Scalar>, down: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> (activation: Tensor<Scalar>, output: Tensor<Scalar>)

  func sumOverSlots<Scalar: RealScalar>(
    _ outputs: [Tensor<Scalar>], experts: [Int]
  ) throws(InputError) -> Tensor<Scalar>

  func mixed<Scalar: RealScalar>(
    _ slots: Tensor<Scalar>, experts: Tensor<Int>
  ) throws(InputError) -> Tensor<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceExpertSteps: ExpertSteps {
  public init() {}
}

extension ExpertSteps where Self == ReferenceExpertSteps {
  /// The correct steps.
  public static var reference: ReferenceExpertSteps { ReferenceExpertSteps() }
}

extension ExpertSteps {
  /// The clamp limit of an expert: routed and shared experts have the same one (revision B of the released code).
  public func clampLimit<Scalar: RealScalar>(_ limit: Scalar, isShared: Bool) -> Scalar { limit }

  /// `x W₁ᵀ` or `x W₃ᵀ`: the gate or the up projection.
  ///
  /// - Parameters:
  ///   - hidden: x, `[T, d]`
  ///   - weight: `[f, d]`
  /// - Returns: `[T, f]`
  public func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, weight)
  }

  /// `min(gate, limit)`: capped above only. A limit of 0 means no clamp.
  ///
  /// - Parameters:
  ///   - gate: `[T, f]`
  ///   - limit: at least 0
  public func clampedGate<Scalar: RealScalar>(_ gate: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar> {
    limit > 0 ? gate.map { $0 > limit ? limit : $0 } : gate
  }

  /// `clamp(up, −limit, limit)`: both sides. A limit of 0 means no clamp.
  ///
  /// - Parameters:
  ///   - up: `[T, f]`
  ///   - limit: at least 0
  public func clampedUp<Scalar: RealScalar>(_ up: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar> {
    limit > 0 ? up.map { $0 > limit ? limit : $0 < -limit ? -limit : $0 } : up
  }

  /// SwiGLU: `SiLU(clamped gate) · clamped up`. The clamp comes before the product, not after.
  ///
  /// - Parameters:
  ///   - gate: `[T, f]`
  ///   - up: `[T, f]`
  ///   - limit: of the clamp; 0 means none
  /// - Returns: `[T, f]`
  public func gatedProduct<Scalar: RealScalar>(
    gate: Tensor<Scalar>, up: Tensor<Scalar>, limit: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    let silu = clampedGate(gate, limit: limit).map { $0 * sigmoid($0) }
    return try silu * clampedUp(up, limit: limit)
  }

  /// The slot weight, then the down projection: `(w · product) W₂ᵀ`.
  ///
  /// The order matters where the product is rounded before the projection, as in the deployed model.
  ///
  /// - Parameters:
  ///   - product: `[T, f]`
  ///   - slotWeights: `[T]`; 1 for the shared expert
  ///   - down: W₂, `[d, f]`
  ///   - hooks: where it rounds, and who listens
  /// - Returns: the input of the projection `[T, f]`, and its output `[T, d]`
  public func downProjection<Scalar: RealScalar>(
    _ product: Tensor<Scalar>, slotWeights: Tensor<Scalar>, down: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> (activation: Tensor<Scalar>, output: Tensor<Scalar>) {
    let activation = try hooks.pass(.expertActivation, slotWeights.reshaped([slotWeights.count, 1]) * product)
    let output = try hooks.pass(.expertOutput, linear(hooks.numerics.rounded(activation, .linearInput), down))
    return (activation, output)
  }

  /// The routed output of one token: the sum over its slots, in slot order. An expert named twice counts twice.
  ///
  /// - Parameters:
  ///   - outputs: k tensors `[1, d]`
  ///   - experts: which expert each slot named; not used here: a known bug keeps one slot of each expert
  /// - Returns: `[1, d]`
  public func sumOverSlots<Scalar: RealScalar>(
    _ outputs: [Tensor<Scalar>], experts: [Int]
  ) throws(InputError) -> Tensor<Scalar> {
    var sum = Tensor(repeating: Scalar.zero, shape: outputs.first?.shape ?? [])
    for output in outputs { sum = try sum + output }
    return sum
  }

  /// The routed output of all tokens, one after another.
  ///
  /// - Parameters:
  ///   - slots: what the expert of each slot gives, `[T, k, d]`
  ///   - experts: which expert each slot named, `[T, k]`
  /// - Returns: `[T, d]`
  public func mixed<Scalar: RealScalar>(
    _ slots: Tensor<Scalar>, experts: Tensor<Int>
  ) throws(InputError) -> Tensor<Scalar> {
    var rows: [Tensor<Scalar>] = []
    for token in 0..<slots.shape[0] {
      let chosen = try experts.slice(token).elements
      var outputs: [Tensor<Scalar>] = []
      for slot in chosen.indices { outputs.append(try slots.slice(token).rows(slot..<slot + 1)) }
      rows.append(try sumOverSlots(outputs, experts: chosen))
    }
    return try .concatenated(rows, width: slots.shape[2])
  }
}
