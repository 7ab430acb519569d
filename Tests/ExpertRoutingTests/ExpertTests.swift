import ExpertRouting
import Tensors
import TestSupport
import Testing

@Suite struct ExpertTests {
  /// One channel, so that everything can be computed by hand: gate 20 is capped at 10, up −30 at −10.
  @Test func clampByHand() throws {
    func output(gate: Double, up: Double, limit: Double) throws -> Double {
      let expert = try Expert(
        width: 1, gateProjection: Tensor(shape: [1, 1], elements: [gate]),
        upProjection: Tensor(shape: [1, 1], elements: [up]), downProjection: Tensor(shape: [1, 1], elements: [1]),
        clampLimit: limit)
      let one = Tensor(repeating: 1.0, shape: [1])
      return try expert(one.reshaped([1, 1]), slotWeights: one).output[0, 0]
    }
    #expect(try output(gate: 20, up: -30, limit: 10) == 10 * sigmoid(10.0) * -10)
    #expect(try output(gate: -20, up: 3, limit: 10) == -20 * sigmoid(-20.0) * 3)  // the gate has no lower clamp
    #expect(try output(gate: 20, up: -30, limit: 0) == 20 * sigmoid(20.0) * -30)  // 0 switches the clamp off
  }

  @Test func aRepeatedExpertCountsOnceForEachSlot() throws {
    var generator = SeededGenerator(seed: 12)
    let mixture = try Self.mixture(&generator, table: [1, 1])
    let hidden: Tensor<Double> = try generator.normals([1, 3])
    let output = try mixture(hidden, tokenIDs: Tensor(shape: [1], elements: [0]))
    let expert = try mixture.expert(1)
    let whole = try expert(hidden, slotWeights: Tensor(repeating: 1.5, shape: [1]), hooks: .none).output
    #expect(largestDifference(output.routed, whole) < 1e-14)
    #expect(output.routing.warnings.count == 1)
  }

  @Test func outputIsRoutedPlusShared() throws {
    var generator = SeededGenerator(seed: 13)
    let mixture = try Self.mixture(&generator, table: [0, 1])
    let hidden: Tensor<Double> = try generator.normals([1, 3])
    let output = try mixture(hidden, tokenIDs: Tensor(shape: [1], elements: [0]))
    #expect(try output.output == output.routed + output.shared)
    #expect(largestDifference(output.shared, Tensor(repeating: 0, shape: [1, 3])) > 0)
  }

  @Test func refusesWeightsThatDoNotFit() throws {
    var generator = SeededGenerator(seed: 14)
    #expect(throws: InputError("mixture", "clamp_limit must be 0 (off) or positive, got -1.0")) {
      try Self.mixture(&generator, table: [0, 1], limit: -1)
    }
    #expect(throws: InputError("mixture", "shared_down_projection has shape [4, 3], expected [3, 4]")) {
      try Self.mixture(&generator, table: [0, 1], sharedDown: [4, 3])
    }
  }

  static func mixture(
    _ generator: inout SeededGenerator, table: [Int], limit: Double = 10, sharedDown: [Int] = [3, 4]
  ) throws -> MixtureOfExperts<Double> {
    try MixtureOfExperts(
      router: Router(
        gate: generator.normals([2, 3]), width: 3, rule: .hash(table: Tensor(shape: [1, 2], elements: table)),
        routeScale: 1.5, operation: "mixture"),
      routed: RoutedExpertWeights(
        gateProjection: generator.normals([2, 4, 3]), upProjection: generator.normals([2, 4, 3]),
        downProjection: generator.normals([2, 3, 4])),
      shared: (generator.normals([4, 3]), generator.normals([4, 3]), generator.normals(sharedDown)),
      clampLimit: limit)
  }
}
