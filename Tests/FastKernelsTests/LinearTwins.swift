import CoreAttention
import FastKernels
import Taps
import Tensors

/// `linear`: x `[T, K]` and weight `[N, K]`.
struct LinearTwin: StepTwin {
  let name = "linear"

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try linear(inputs[0], inputs[1])
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.linear(inputs[0], inputs[1])
  }

  /// K products and sums in any order: K + 1 roundings on each term's way.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try linear(inputs[0].magnitudes, inputs[1].magnitudes) * (Double(inputs[1].shape[1] + 1) * unitRoundoff)
  }
}

/// The first product of the grouped output projection: attended `[T, h, c]` and down `[g·p, h·c/g]`.
struct GroupLatentsTwin: StepTwin {
  let name = "groupLatents"
  let groups: Int

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    // It is part of a step that passes it through a tap.
    let listener = LatentsListener()
    let up = Tensor(repeating: Scalar.zero, shape: [1, inputs[1].shape[0]])
    _ = try ReferenceAttentionSteps().groupedOutput(
      inputs[0], groups: groups, down: inputs[1], up: up, hooks: Hooks(recorder: listener))
    guard let latents: Tensor<Scalar> = listener.latents?.reals() else {
      throw InputError(name, "the reference step passed no tap")
    }
    return latents
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try kernels.groupLatents(inputs[0], groups: groups, down: inputs[1])
  }

  /// As for `linear`.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    try reference(inputs.map(\.magnitudes)) * (Double(inputs[1].shape[1] + 1) * unitRoundoff)
  }
}

private final class LatentsListener: TapRecorder {
  private(set) var latents: RecordedTensor?

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    if tap.name == Tap.groupLatents.name { latents = tensor }
  }
}

extension TwinCase {
  /// Products of every shape that a kernel cuts differently.
  static func linearCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 1)
    func product(_ tokens: Int, _ columns: Int, _ outputs: Int) -> TwinCase {
      TwinCase(LinearTwin(), numbers.tensor([tokens, columns]), numbers.tensor([outputs, columns]))
    }
    // Of the two axes the longer one is cut. Register tiles have 14 or 6 tokens, and fewer where fewer are left; more than
    // 16 tokens go that way.
    let tokens = (1...47).map { product($0, 33, 7) } + [127, 128, 129, 257].map { product($0, 19, 29) }
    let fewerThanOutputs = (17...47).map { product($0, 19, 50) }
    // Blocks have 384 columns and 384 outputs, and tiles two vectors of outputs.
    let columns = [0, 1, 3, 15, 16, 17, 31, 32, 33, 383, 384, 385, 400, 769, 1025].flatMap { columns in
      [1, 5, 16, 17, 35].map { product($0, columns, 6) }
    }
    let outputs = (1...50).flatMap { outputs in [3, 17].map { product($0, 9, outputs) } }
    let blocks = [383, 384, 385, 401, 770].flatMap { outputs in [17, 40].map { product($0, 5, outputs) } }
    return tokens + fewerThanOutputs + columns + outputs + blocks
      + [product(200, 1030, 43), product(17, 5, 1050), product(29, 390, 390)]
      // Scratch holds the sums of 2048 tokens.
      + [product(2049, 390, 3), product(4097, 3, 2), product(2049, 2, 2050)]
  }

  static func groupLatentsCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 2)
    return [(1, 4, 6, 2, 5), (3, 8, 9, 4, 3), (17, 6, 7, 3, 15), (40, 4, 33, 1, 4), (130, 4, 5, 4, 7)].map {
      tokens, heads, width, groups, rank in
      TwinCase(
        GroupLatentsTwin(groups: groups), numbers.tensor([tokens, heads, width]),
        numbers.tensor([groups * rank, heads * width / groups]))
    }
  }
}
