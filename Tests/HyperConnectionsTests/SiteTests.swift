import HyperConnections
import Tensors
import TestSupport
import Testing

@Suite struct SiteTests {
  /// Everything zero but the residual: pre = ½ + ε, post = 1, comb uniform ¼ (four streams), computed by hand.
  @Test func zeroProjectionByHand() throws {
    let site = try HyperConnectionSite<Double>(
      streams: 4, width: 2, projection: Tensor(repeating: 0, shape: [24, 8]), base: Tensor(repeating: 0, shape: [24]),
      scale: Tensor(repeating: 1, shape: [3]), iterations: 1, epsilon: 0, normEpsilon: 1e-6)
    let streams = try Tensor(shape: [1, 4, 2], elements: [1.0, 2, 3, 4, 5, 6, 7, 8])
    let out = try site(streams) { input in
      #expect(input.elements == [8, 10])
      return try Tensor(shape: [1, 2], elements: [100.0, 200])
    }
    #expect(out.elements == [104, 205, 104, 205, 104, 205, 104, 205])
  }

  /// A comb that moves stream 0 to stream 1 shows the direction: the first axis of comb is the source.
  @Test func combIsUsedTransposed() throws {
    let comb = try Tensor(shape: [1, 2, 2], elements: [0.0, 1, 0, 0])
    let streams = try Tensor(shape: [1, 2, 1], elements: [7.0, 9])
    let out = try ReferenceHyperConnectionSteps().postMix(
      streams, layerOutput: Tensor(repeating: 0, shape: [1, 1]), post: Tensor(repeating: 0, shape: [1, 2]),
      combination: comb)
    #expect(out.elements == [0, 7])
  }

  @Test func refusesWeightsAndStreamsThatDoNotFit() throws {
    func site(_ projection: [Int], iterations: Int = 1) throws -> HyperConnectionSite<Float> {
      try HyperConnectionSite(
        streams: 2, width: 3, projection: Tensor(repeating: 0, shape: projection),
        base: Tensor(repeating: 0, shape: [8]), scale: Tensor(repeating: 0, shape: [3]), iterations: iterations,
        epsilon: 1e-6, normEpsilon: 1e-6)
    }
    #expect(throws: InputError("site", "projection has shape [8, 5], expected [8, 6]")) { try site([8, 5]) }
    #expect(throws: InputError("site", "iterations must be at least 1, got 0")) { try site([8, 6], iterations: 0) }
    let good = try site([8, 6])
    #expect(throws: InputError("site", "streams has shape [1, 3, 3], expected [1, 2, 3]")) {
      try good.coefficients(Tensor(repeating: 0, shape: [1, 3, 3]))
    }
    #expect(throws: InputError("site", "needs at least one token")) {
      try good.coefficients(Tensor(repeating: 0, shape: [0, 2, 3]))
    }
    #expect(throws: InputError("site", "layer_output has shape [1, 2], expected [1, 3]")) {
      try good(Tensor(repeating: 1, shape: [1, 2, 3])) { _ in Tensor(repeating: 0, shape: [1, 2]) }
    }
  }

  @Test func splittingTheTokensChangesNoBit() throws {
    var generator = SeededGenerator(seed: 9)
    let site = try HyperConnectionSite<Float>(
      streams: 4, width: 19, projection: generator.normals([24, 76]), base: generator.normals([24]),
      scale: generator.normals([3]), iterations: 20, epsilon: 1e-6, normEpsilon: 1e-6)
    let streams: Tensor<Float> = try generator.normals([5, 4, 19])
    let whole = try site(streams) { $0 }
    for token in 0..<5 {
      let alone = try site(streams.slice(token).reshaped([1, 4, 19])) { $0 }
      #expect(try alone.slice(0) == whole.slice(token))
    }
  }
}
