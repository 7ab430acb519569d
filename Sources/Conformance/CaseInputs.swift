import GoldenTensors
import LowPrecision
import Taps
import Tensors

/// What a golden case hands to an operation, in the scalar type of a path, and a record of what was taken.
///
/// Whatever is in the file has to be used: an input that an operation never asked for is an error of the harness.
final class CaseInputs<Scalar: RealScalar> {
  private let request: EngineRequest
  private let recorder: (any TapRecorder)?
  let disturbance: Disturbance?
  private var taken: Set<String> = []

  /// - Parameters:
  ///   - recorder: who listens at the taps of the operation
  ///   - disturbance: what rounds inputs and weights, and numerics; nil leaves all as it is
  init(_ request: EngineRequest, recorder: (any TapRecorder)? = nil, disturbance: Disturbance? = nil) {
    self.request = request
    self.recorder = recorder
    self.disturbance = disturbance
  }

  /// The hooks of the operation.
  ///
  /// - Parameters:
  ///   - mode: where the case rounds
  ///   - steps: how
  ///   - collector: who listens besides
  func hooks(
    _ mode: NumericsMode = .exact, steps: any QuantizationSteps = .reference, collector: TapCollector? = nil
  ) -> Hooks {
    collector?.next = recorder
    return Hooks(
      numerics: disturbance?.numerics(mode) ?? Numerics(mode, steps: steps), recorder: collector ?? recorder)
  }

  private func disturbed(_ tensor: Tensor<Scalar>, _ name: String) -> Tensor<Scalar> {
    disturbance?.input(tensor, name: name) ?? tensor
  }

  func input(_ name: String) throws -> Tensor<Scalar> {
    taken.insert("inputs/\(name)")
    return disturbed(try request.input(name), name)
  }

  func weight(_ name: String) throws -> Tensor<Scalar> {
    taken.insert("weights/\(name)")
    return disturbed(try request.weight(name), name)
  }

  func integerInput(_ name: String) throws -> Tensor<Int> {
    taken.insert("inputs/\(name)")
    return try request.integerInput(name)
  }

  func integerWeight(_ name: String) throws -> Tensor<Int> {
    taken.insert("weights/\(name)")
    return try request.integerWeight(name)
  }

  /// A weight that only some cases of an operation have.
  func weightIfPresent(_ name: String) throws -> Tensor<Scalar>? {
    request.weights[name] == nil ? nil : try weight(name)
  }

  /// An input that only some cases of an operation have.
  func inputIfPresent(_ name: String) throws -> Tensor<Scalar>? {
    request.inputs[name] == nil ? nil : try input(name)
  }

  /// Integers that only some cases of an operation have.
  func integerInputIfPresent(_ name: String) throws -> Tensor<Int>? {
    request.inputs[name] == nil ? nil : try integerInput(name)
  }

  /// A choice that only some cases of an operation have.
  func choiceIfPresent(_ name: String) throws -> String? {
    request.parameters[name] == nil ? nil : try choice(name)
  }

  /// An input as it was stored.
  func storedInput(_ name: String) throws -> StoredTensor {
    taken.insert("inputs/\(name)")
    return try request.storedInput(name)
  }

  var inputNames: [String] { request.inputs.keys.sorted() }

  func count(_ name: String) throws -> Int {
    taken.insert("parameters/\(name)")
    return try request.count(name)
  }

  /// A real parameter in the type of the path.
  func number(_ name: String) throws -> Scalar { Scalar(try double(name)) }

  /// A real parameter as it is stored.
  func double(_ name: String) throws -> Double {
    taken.insert("parameters/\(name)")
    return try request.number(name)
  }

  func choice(_ name: String) throws -> String {
    taken.insert("parameters/\(name)")
    return try request.choice(name)
  }

  /// What the operation never asked for.
  var untouched: [String] {
    let all =
      request.inputs.keys.map { "inputs/\($0)" } + request.weights.keys.map { "weights/\($0)" }
      + request.parameters.keys.map { "parameters/\($0)" }
    return Set(all).subtracting(taken).sorted()
  }
}
