import ExpertRouting
import Tensors
import TestSupport
import Testing

@Suite struct RouterTests {
  let steps = ReferenceRoutingSteps()

  @Test func affinityAtItsLimits() {
    // √softplus(x) tends to e^(x/2) far below zero and to √x far above.
    for x in [-200.0, -104, -60, -40] { #expect(abs(steps.affinity(x) / Double.exponential(x / 2) - 1) < 1e-15) }
    for x in [40.0, 88.8, 200] { #expect(abs(steps.affinity(x) / x.squareRoot() - 1) < 1e-15) }
    // softplus(0) = log 2.
    #expect(abs(steps.affinity(0.0) - 0.8325546111576977) < 1e-15)
    #expect(steps.affinity(Float(-104)) > 0)
    #expect(steps.affinity(Double.nan).isNaN)
  }

  /// Rounding of an exponential of x/2 ≤ 100 in float32 allows about 100 ulps of x/2 at the very bottom.
  @Test func affinityInFloatFollowsDouble() {
    var x: Float = -104
    while x <= 200 {
      let exact = steps.affinity(Double(x))
      #expect(abs(Double(steps.affinity(x)) / exact - 1) < 3e-7, "at \(x)")
      x += 0.37
    }
  }

  @Test func theBiasDecidesTheSelectionAndNothingElse() throws {
    let gate = try Tensor(shape: [3, 1], elements: [1.0, 2, 3])
    let bias = try Tensor(shape: [3], elements: [10.0, 0, 0])
    let router = try Router(
      gate: gate, width: 1, rule: .learned(bias: bias, expertsPerToken: 2), routeScale: 1.5, operation: "router")
    let routing = try router(Tensor(shape: [1, 1], elements: [1]))
    #expect(routing.indices.elements == [0, 2])
    let (first, third) = (steps.affinity(1.0), steps.affinity(3.0))
    #expect(abs(routing.weights[0, 0] - 1.5 * first / (first + third)) < 1e-15)
    #expect(abs((routing.margin?[0] ?? 0) - (third - steps.affinity(2.0))) < 1e-15)
  }

  @Test func hashRowsDecideAndScoresWeigh() throws {
    let gate = try Tensor(shape: [3, 1], elements: [1.0, 2, 3])
    let table = try Tensor(shape: [2, 2], elements: [0, 1, 2, 2])
    let router = try Router(
      gate: gate, width: 1, rule: .hash(table: table), routeScale: 1, operation: "hash-router")
    let routing = try router(
      Tensor(repeating: 1, shape: [2, 1]), tokenIDs: Tensor(shape: [2], elements: [1, 0]))
    #expect(routing.indices.elements == [2, 2, 0, 1])
    #expect(routing.weights[0, 0] == 0.5)
    #expect(
      routing.warnings == [
        "hash-router: the row of token 0 names an expert twice; the release leaves that undefined, "
          + "here each slot counts"
      ])
    #expect(throws: InputError("hash-router", "hash routing needs token_ids")) {
      try router(Tensor(repeating: 1, shape: [2, 1]))
    }
  }

  @Test func refusesBadParameters() throws {
    func router(k: Int, scale: Float = 1) throws -> Router<Float> {
      try Router(
        gate: Tensor(repeating: 0, shape: [4, 2]), width: 2,
        rule: .learned(bias: Tensor(repeating: 0, shape: [4]), expertsPerToken: k), routeScale: scale,
        operation: "router")
    }
    #expect(throws: InputError("router", "experts_per_token must be between 1 and 4, got 0")) { try router(k: 0) }
    #expect(throws: InputError("router", "experts_per_token must be between 1 and 4, got 5")) { try router(k: 5) }
    #expect(throws: InputError("router", "route_scale must be finite and positive, got -1.0")) {
      try router(k: 1, scale: -1)
    }
    #expect(throws: InputError("router", "the score of candidate 0 is NaN for token 0")) {
      try router(k: 1)(Tensor(repeating: .nan, shape: [1, 2]))
    }
  }
}
