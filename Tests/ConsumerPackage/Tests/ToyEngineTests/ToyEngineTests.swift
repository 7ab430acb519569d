import Conformance
import GoldenTensors
import Tensors
import Testing
import ToyEngine

/// What it takes to hold an engine to the golden cases.
@Suite struct ToyEngineTests {
  @Test func sinkhornFollowsTheGoldenCases() throws {
    let golden = try GoldenLibrary.bundled()
    let entries = golden.manifest.cases.filter { $0.operation == "sinkhorn" && $0.expectedError == nil }
    #expect(entries.count >= 15)
    for entry in entries {
      let goldenCase = try golden.load(entry)
      let comparison = try goldenCase.compare("combination", run(goldenCase))
      #expect(comparison.passed, "\(entry.id): \(comparison.sentence)")
    }
  }

  @Test func aWrongEpsilonIsNoticed() throws {
    let golden = try GoldenLibrary.bundled()
    let entries = golden.manifest.cases.filter { $0.operation == "sinkhorn" && $0.expectedError == nil }
    let failed = try entries.filter { entry in
      let goldenCase = try golden.load(entry)
      return try !goldenCase.compare("combination", run(goldenCase, epsilonFactor: 10)).passed
    }
    #expect(failed.count > 5)
  }

  private func run(_ goldenCase: GoldenCase, epsilonFactor: Float = 1) throws -> Tensor<Float> {
    let logits = try #require(goldenCase.inputs["combination_logits"]?.reals(Float.self))
    guard case .integer(let iterations)? = goldenCase.parameters["iterations"],
      case .real(let epsilon)? = goldenCase.parameters["epsilon"]
    else { throw GoldenError(goldenCase.entry.file, "has no iterations or no epsilon") }
    let n = logits.shape[1]
    let matrices = stride(from: 0, to: logits.count, by: n * n).flatMap { start in
      toySinkhorn(
        Array(logits.elements[start..<start + n * n]), n: n, iterations: Int(iterations),
        epsilon: Float(epsilon) * epsilonFactor)
    }
    return try Tensor(shape: logits.shape, elements: matrices)
  }
}
