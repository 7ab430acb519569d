import Conformance
import GoldenTensors
import Tensors
import Testing
import ToyEngine

/// All that it takes to hold an engine to the golden cases.
struct Toy: ConformanceEngine {
  let name = "toy"
  let precision = PrecisionClass.fp32
  var epsilonFactor: Float = 1

  func answer(_ request: EngineRequest) throws -> EngineAnswer {
    guard request.operation == "sinkhorn" else { return .unsupported("only sinkhorn") }
    let logits: Tensor<Float> = try request.input("combination_logits")
    let combination = try toySinkhorn(
      logits.elements, shape: logits.shape, iterations: request.count("iterations"),
      epsilon: Float(request.number("epsilon")) * epsilonFactor)
    return .tensors(["combination": .float32(try Tensor(shape: logits.shape, elements: combination))])
  }
}

@Suite struct ToyEngineTests {
  @Test func theToyConforms() throws {
    let report = try ConformanceReport(of: Toy(), GoldenLibrary.bundled(), filter: "hyper-connections/")
    #expect(report.passed, "\(report.text)")
    #expect(report.results.count { $0.outcome == .passed } >= 18)
  }

  @Test func aWrongEpsilonIsNoticed() throws {
    let wrong = Toy(epsilonFactor: 10)
    let report = try ConformanceReport(of: wrong, GoldenLibrary.bundled(), filter: "hyper-connections/")
    #expect(report.failures.count > 5)
  }
}
