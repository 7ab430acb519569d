import Tensors

/// What an engine gets to know of a golden case: all that goes in, and nothing of what has to come out.
public struct EngineRequest: Sendable {
  /// The id of the case.
  public let id: String
  public let preset, component: String
  public var operation: String
  public let description: String
  public let seed: Int
  public let parameters: [String: StoredAttribute]
  public var inputs: [String: StoredTensor]
  public let weights: [String: StoredTensor]

  /// A real input in the engine's type.
  ///
  /// - Throws: `GoldenError` if there is none of that name or it does not hold reals.
  public func input<Scalar: RealScalar>(_ name: String) throws -> Tensor<Scalar> {
    try reals(stored(name, inputs, "inputs"), "inputs/\(name)")
  }

  /// A real weight in the engine's type.
  ///
  /// - Throws: `GoldenError` if there is none of that name or it does not hold reals.
  public func weight<Scalar: RealScalar>(_ name: String) throws -> Tensor<Scalar> {
    try reals(stored(name, weights, "weights"), "weights/\(name)")
  }

  /// Token ids, positions and the like.
  ///
  /// - Throws: `GoldenError` if there is no input of that name or it does not hold int64.
  public func integerInput(_ name: String) throws -> Tensor<Int> {
    try integers(stored(name, inputs, "inputs"), "inputs/\(name)")
  }

  /// Expert ids.
  ///
  /// - Throws: `GoldenError` if there is no weight of that name or it does not hold int64.
  public func integerWeight(_ name: String) throws -> Tensor<Int> {
    try integers(stored(name, weights, "weights"), "weights/\(name)")
  }

  /// An input as it was stored.
  ///
  /// - Throws: `GoldenError` if there is none of that name.
  public func storedInput(_ name: String) throws -> StoredTensor { try stored(name, inputs, "inputs") }

  /// A parameter that is a count.
  ///
  /// - Throws: `GoldenError` if there is none of that name or it is not an integer.
  public func count(_ name: String) throws -> Int {
    guard case .integer(let value) = try parameter(name) else { throw fault("the parameter \(name) is not an integer") }
    return Int(value)
  }

  /// A parameter that is a real number.
  ///
  /// - Throws: `GoldenError` if there is none of that name or it is not real.
  public func number(_ name: String) throws -> Double {
    guard case .real(let value) = try parameter(name) else { throw fault("the parameter \(name) is not a real number") }
    return value
  }

  /// A parameter that is a word.
  ///
  /// - Throws: `GoldenError` if there is none of that name or it is not a word.
  public func choice(_ name: String) throws -> String {
    guard case .text(let value) = try parameter(name) else { throw fault("the parameter \(name) is not a word") }
    return value
  }

  private func parameter(_ name: String) throws -> StoredAttribute {
    guard let value = parameters[name] else { throw fault("there is no parameter \(name)") }
    return value
  }

  private func stored(_ name: String, _ group: [String: StoredTensor], _ groupName: String) throws -> StoredTensor {
    guard let tensor = group[name] else { throw fault("there is no \(groupName)/\(name)") }
    return tensor
  }

  private func reals<Scalar: RealScalar>(_ tensor: StoredTensor, _ what: String) throws -> Tensor<Scalar> {
    guard let reals = tensor.reals(Scalar.self) else { throw fault("\(what) does not hold reals") }
    return reals
  }

  private func integers(_ tensor: StoredTensor, _ what: String) throws -> Tensor<Int> {
    guard let integers = tensor.integers else { throw fault("\(what) does not hold int64") }
    return integers
  }

  private func fault(_ problem: String) -> GoldenError { GoldenError(id, problem) }
}

extension GoldenCase {
  /// The case as an engine sees it.
  public var request: EngineRequest {
    EngineRequest(
      id: entry.id, preset: entry.preset, component: entry.component, operation: entry.operation,
      description: entry.description, seed: entry.seed, parameters: parameters, inputs: inputs, weights: weights)
  }
}
