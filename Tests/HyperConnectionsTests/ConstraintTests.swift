import HyperConnections
import Tensors
import TestSupport
import Testing

/// What constraint (2) buys: norms of at most 1, closed under products, bounded streams.
@Suite struct ConstraintTests {
  let steps = ReferenceHyperConnectionSteps()

  @Test(arguments: [1.0, 4, 10]) func spectralNormIsAtMostOnePlusTheDefect(scale: Double) throws {
    var generator = SeededGenerator(seed: 6)
    let logits: Tensor<Double> = try generator.normals([300, 4, 4], scale: scale)
    let mixing = try steps.sinkhorn(logits, iterations: 20, epsilon: 1e-6).transposed()
    let defect = try StochasticDefect(mixing)
    let norms = try spectralNorms(mixing)
    #expect(norms.count == 300)
    #expect(norms.allSatisfy { $0 <= 1 + max(defect.rows, defect.columns) + 1e-12 })
    #expect(norms.allSatisfy { $0 > 0.9 })
  }

  @Test func spectralNormByHand() throws {
    let diagonal = try Tensor(shape: [1, 2, 2], elements: [3.0, 0, 0, 2])
    #expect(abs(try spectralNorms(diagonal)[0] - 3) < 1e-12)
    let rankOne = try Tensor(shape: [1, 2, 2], elements: [1.0, 1, 1, 1])
    #expect(abs(try spectralNorms(rankOne)[0] - 2) < 1e-12)
  }

  @Test func theProductOfManyMixingsStaysBounded() throws {
    var generator = SeededGenerator(seed: 7)
    let logits: Tensor<Double> = try generator.normals([122, 4, 4], scale: 1)
    let mixing = try steps.sinkhorn(logits, iterations: 20, epsilon: 1e-6).transposed()
    let product = try HyperConnections.product(of: mixing)
    let perLayer = try StochasticDefect(mixing)
    let growth = (0..<122).reduce(1.0) { bound, _ in bound * (1 + max(perLayer.rows, perLayer.columns)) }
    #expect(try spectralNorms(product)[0] <= growth)
    #expect(product.elements.allSatisfy { $0 >= 0 && $0 <= growth })

    // Without the constraint the same logits explode: that is what the variant "Sinkhorn skipped" does.
    let unbounded = try HyperConnections.product(of: logits.map(Double.exponential))
    #expect(unbounded.elements.allSatisfy { $0 > 1e20 })
  }

  @Test func productMultipliesTheFirstLayerFirst() throws {
    let first = [0.0, 1, 0, 0]
    let second = [2.0, 0, 0, 3]
    let product = try HyperConnections.product(of: Tensor(shape: [2, 2, 2], elements: first + second))
    #expect(product.elements == [0, 2, 0, 0])
  }
}
