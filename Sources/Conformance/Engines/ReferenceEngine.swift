import DeepSeekV4
import FastKernels
import GoldenTensors
import KnownBugs
import Tensors

/// The slow path of this package, or its fast kernels, as an engine, with a known bug in it if one is asked for.
public struct ReferenceEngine: ConformanceEngine, Sendable {
  public let name: String
  public let version = "development"
  private let path: VerificationPath
  private let steps: StepSet

  /// - Parameters:
  ///   - path: in which precision it computes
  ///   - kernels: what the fast twins of the steps run on; nil for the slow path
  ///   - bug: the id of a known bug to plant; its steps are slow
  /// - Throws: `InputError` if there is no such bug or it is not one wrong step, and for fast kernels on the path in
  ///   Double, which has none.
  public init(path: VerificationPath = .float, kernels: KernelSet? = nil, bug: String? = nil) throws {
    try path.require(kernels)
    self.path = path
    steps = try KnownBug.steps(with: bug, among: kernels.map(StepSet.fast) ?? StepSet())
    name =
      (kernels.map { "v4-oracle fast kernels (\($0.instructionSet))" } ?? "v4-oracle slow path")
      + (bug.map { " with \($0)" } ?? "")
  }

  public var precision: PrecisionClass { path.precision }

  public var operations: [String]? { GoldenOperation.allCases.map(\.rawValue) }

  public var replays: Bool { true }

  /// - Throws: `InputError` if the input is refused, `GoldenError` if the case is not one of its operation.
  public func answer(_ request: EngineRequest) throws -> EngineAnswer { try answer(request, recorder: nil) }

  public func answer(
    _ request: EngineRequest, holding selections: [String: StoredTensor]
  ) throws -> EngineAnswer {
    // A first run tells how many tokens each call has.
    let own = CaseRecorder()
    _ = try answer(request, recorder: own)
    var held: [String: [Tensor<Int>]] = [:]
    for (name, tensor) in selections {
      guard let integers = tensor.integers else { throw GoldenError(request.id, "\(name) holds no int64") }
      held[name] = try own.split(integers, as: name)
    }
    return try answer(request, recorder: CaseRecorder(holding: held))
  }

  private func answer(_ request: EngineRequest, recorder: CaseRecorder?) throws -> EngineAnswer {
    guard let operation = GoldenOperation(rawValue: request.operation) else {
      return .unsupported("does not know the operation \(request.operation)")
    }
    let production =
      switch path {
      case .float: try operation.run(request, as: Float.self, steps: steps, recorder: recorder)
      case .double: try operation.run(request, as: Double.self, steps: steps, recorder: recorder)
      }
    return .tensors(production.tensors.mapValues(StoredTensor.init))
  }
}

extension StoredTensor {
  /// Widened to 64 bits, without loss.
  init(_ produced: ProducedTensor) {
    switch produced {
    case .reals(let tensor): self = .float64(tensor)
    case .integers(let tensor): self = .int64(tensor.map { Int64($0) })
    }
  }
}
