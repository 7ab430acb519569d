import GoldenTensors
import LowPrecision
import Taps
import Tensors

/// What a golden case hands to an operation, in the scalar type of a path, and a record of what was taken.
///
/// Whatever is in the file has to be used: an input that an operation never asked for is an error of the harness.
final class CaseInputs<Scalar: RealScalar> {
  private let goldenCase: GoldenCase
  private let recorder: (any TapRecorder)?
  let disturbance: Disturbance?
  private var taken: Set<String> = []

  /// - Parameters:
  ///   - recorder: who listens at the taps of the operation
  ///   - disturbance: what rounds inputs and weights, and numerics; nil leaves all as it is
  init(_ goldenCase: GoldenCase, recorder: (any TapRecorder)? = nil, disturbance: Disturbance? = nil) {
    self.goldenCase = goldenCase
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

  func input(_ name: String) throws -> Tensor<Scalar> { try reals(name, goldenCase.inputs, "inputs") }

  func weight(_ name: String) throws -> Tensor<Scalar> { try reals(name, goldenCase.weights, "weights") }

  func integerInput(_ name: String) throws -> Tensor<Int> { try integers(name, goldenCase.inputs, "inputs") }

  func integerWeight(_ name: String) throws -> Tensor<Int> { try integers(name, goldenCase.weights, "weights") }

  /// A weight that only some cases of an operation have.
  func weightIfPresent(_ name: String) throws -> Tensor<Scalar>? {
    goldenCase.weights[name] == nil ? nil : try weight(name)
  }

  /// An input that only some cases of an operation have.
  func inputIfPresent(_ name: String) throws -> Tensor<Scalar>? {
    goldenCase.inputs[name] == nil ? nil : try input(name)
  }

  /// Integers that only some cases of an operation have.
  func integerInputIfPresent(_ name: String) throws -> Tensor<Int>? {
    goldenCase.inputs[name] == nil ? nil : try integerInput(name)
  }

  /// A choice that only some cases of an operation have.
  func choiceIfPresent(_ name: String) throws -> String? {
    goldenCase.parameters[name] == nil ? nil : try choice(name)
  }

  /// An input as it was stored.
  func storedInput(_ name: String) throws -> StoredTensor { try stored(name, goldenCase.inputs, "inputs") }

  var inputNames: [String] { goldenCase.inputs.keys.sorted() }

  func count(_ name: String) throws -> Int {
    guard case .integer(let value) = try parameter(name) else { throw fault("the parameter \(name) is not an integer") }
    return Int(value)
  }

  /// A real parameter in the type of the path.
  func number(_ name: String) throws -> Scalar { Scalar(try double(name)) }

  /// A real parameter as it is stored.
  func double(_ name: String) throws -> Double {
    guard case .real(let value) = try parameter(name) else { throw fault("the parameter \(name) is not a real number") }
    return value
  }

  func choice(_ name: String) throws -> String {
    guard case .text(let value) = try parameter(name) else { throw fault("the parameter \(name) is not a word") }
    return value
  }

  /// What the operation never asked for.
  var untouched: [String] {
    let all =
      goldenCase.inputs.keys.map { "inputs/\($0)" } + goldenCase.weights.keys.map { "weights/\($0)" }
      + goldenCase.parameters.keys.map { "parameters/\($0)" }
    return Set(all).subtracting(taken).sorted()
  }

  private func parameter(_ name: String) throws -> StoredAttribute {
    taken.insert("parameters/\(name)")
    guard let value = goldenCase.parameters[name] else { throw fault("there is no parameter \(name)") }
    return value
  }

  private func stored(_ name: String, _ group: [String: StoredTensor], _ groupName: String) throws -> StoredTensor {
    taken.insert("\(groupName)/\(name)")
    guard let tensor = group[name] else { throw fault("there is no \(groupName)/\(name)") }
    return tensor
  }

  private func reals(_ name: String, _ group: [String: StoredTensor], _ groupName: String) throws -> Tensor<Scalar> {
    guard let tensor = try stored(name, group, groupName).reals(Scalar.self) else {
      throw fault("\(groupName)/\(name) does not hold reals")
    }
    return disturbance?.input(tensor, name: name) ?? tensor
  }

  private func integers(_ name: String, _ group: [String: StoredTensor], _ groupName: String) throws -> Tensor<Int> {
    guard let tensor = try stored(name, group, groupName).integers else {
      throw fault("\(groupName)/\(name) does not hold int64")
    }
    return tensor
  }

  private func fault(_ problem: String) -> GoldenError { GoldenError(goldenCase.entry.file, problem) }
}
