import HyperConnections
import Tensors
import TestSupport
import Testing

@Suite struct SinkhornTests {
  let steps = ReferenceHyperConnectionSteps()

  /// B = combᵀ: the released order on logits L equals the report's on Lᵀ when ε = 0, and parts from it with ε.
  @Test func relationToEquation8AsTheReportWritesIt() throws {
    var lines = ["", "Released Sinkhorn (combᵀ) against eq. (8), 1000 random 4 × 4 logits, 20 iterations, Double:"]
    lines.append("  logit scale   ε = 0      ε = 1e-6")
    var parts: [Double: (exact: Double, released: Double)] = [:]
    for scale in [0.1, 1, 4, 10] {
      var generator = SeededGenerator(seed: 8)
      let logits: Tensor<Double> = try generator.normals([1000, 4, 4], scale: scale)
      let report = try residualMixing(logits.transposed(), iterations: 20)
      let exact = try steps.sinkhorn(logits, iterations: 20, epsilon: 0).transposed()
      let released = try steps.sinkhorn(logits, iterations: 20, epsilon: 1e-6).transposed()
      let row = (exact: largestDifference(exact, report), released: largestDifference(released, report))
      parts[scale] = row
      lines.append("  \(pad("\(scale)", 13)) \(pad(short(row.exact), 10)) \(short(row.released))")
    }
    print(lines.joined(separator: "\n"))
    #expect(parts.count == 4)
    for row in parts.values { #expect(row.exact < 1e-14) }
    let scale1 = try #require(parts[1]).released
    let scale4 = try #require(parts[4]).released
    #expect(scale1 > 1e-6 && scale1 < 1e-4)
    #expect(scale4 > 0.01 && scale4 < 1)
  }

  @Test func endsOnColumns() throws {
    var generator = SeededGenerator(seed: 4)
    let logits: Tensor<Double> = try generator.normals([200, 4, 4], scale: 10)
    let defect = try StochasticDefect(steps.sinkhorn(logits, iterations: 20, epsilon: 1e-6))
    #expect(defect.columns < 2e-6)
    #expect(defect.rows > 1e-3)
  }

  @Test func defectsOfRowsFallWithTheIterations() throws {
    var generator = SeededGenerator(seed: 5)
    let logits: Tensor<Double> = try generator.normals([50, 4, 4], scale: 1)
    let defects = try steps.sinkhornDefects(logits, iterations: 20, epsilon: 1e-6)
    #expect(defects.count == 20)
    for (earlier, later) in zip(defects, defects.dropFirst()) { #expect(later.rows <= earlier.rows + 1e-6) }
    #expect(defects[0].rows > 0.1)
    #expect(defects[19].rows < 1e-3)
    // A column that summed to s ends at s/(s + ε): off by ε/s, and the smallest s here is above 0.01.
    #expect(defects.allSatisfy { $0.columns < 1e-4 })
  }

  /// One stream: softmax gives 1, so comb = (1 + ε)/(1 + ε + ε) and so on: computed here by hand.
  @Test func oneStreamByHand() throws {
    let epsilon = 0.25
    let logits = try Tensor(shape: [1, 1, 1], elements: [3.0])
    let first = (1 + epsilon) / (1 + 2 * epsilon)
    #expect(try steps.sinkhorn(logits, iterations: 1, epsilon: epsilon)[0, 0, 0] == first)
    let row = first / (first + epsilon)
    #expect(try steps.sinkhorn(logits, iterations: 2, epsilon: epsilon)[0, 0, 0] == row / (row + epsilon))
  }

  /// Two streams, logits [[0, log 3], [0, 0]], ε = 0, one iteration: rows (1/4, 3/4), (1/2, 1/2), then columns.
  @Test func twoStreamsByHand() throws {
    let logits = try Tensor(shape: [1, 2, 2], elements: [0, 1.0986122886681098, 0, 0])
    let comb = try steps.sinkhorn(logits, iterations: 1, epsilon: 0)
    let expected = [1.0 / 3, 0.6, 2.0 / 3, 0.4]
    for (got, expected) in zip(comb.elements, expected) { #expect(abs(got - expected) < 1e-15) }
  }

  @Test func refusesBadInput() throws {
    let logits = try Tensor(shape: [1, 2, 2], elements: [0.0, 1, 2, 3])
    #expect(throws: InputError("sinkhorn", "iterations must be at least 1, got 0")) {
      try steps.sinkhorn(logits, iterations: 0, epsilon: 0)
    }
    #expect(throws: InputError("sinkhorn", "combination_logits has shape [1, 2, 3], expected [1, 2, 2]")) {
      try steps.sinkhorn(Tensor(repeating: 0.0, shape: [1, 2, 3]), iterations: 1, epsilon: 0)
    }
    #expect(throws: InputError("equation-8", "residual_logits has shape [4], expected [T, n, n]")) {
      try residualMixing(Tensor(repeating: 0.0, shape: [4]), iterations: 1)
    }
  }
}

func pad(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(width - text.count, 0))
}

func short(_ value: Double) -> String {
  if value == 0 { return "0" }
  var (mantissa, exponent) = (value, 0)
  while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  return "\(Double(Int(mantissa * 10)) / 10)e\(exponent)"
}
