import Blame
import DeepSeekV4
import KnownBugs
import Testing

struct BugSearchTests {
  @Test func aSampleOfKnownBugsIsBlamedAndNamed() throws {
    let visible = KnownBug.all.filter { $0.visibility == .visible }
    let sample = visible.indices.filter { $0 % 16 == 3 }.map { visible[$0] }
    let planted = try PlantedBugs(sample)
    #expect(planted.results.count + planted.unplantable.count == sample.count)
    #expect(planted.unseen.isEmpty)
    #expect(planted.share(within: 1) == 1)
  }

  @Test func bothOfAPairAreNamed() throws {
    let scenario = try scenario("odd")
    let steps = try planted("mhc-comb-transposed", "sink-missing")
    let findings = try search(scenario.trace(steps), in: scenario)
    #expect(Set(findings.flatMap(\.bugs)) == ["mhc-comb-transposed", "sink-missing"])
    #expect(findings.last?.left == 0)
  }

  @Test func twoBugsWithoutATapBetweenThemAreNamedTogether() throws {
    let scenario = try scenario("tiny")
    let steps = try planted("yarn-missing-on-compressed-layers", "rope-main-theta-on-compressed-layers")
    let trace = try scenario.trace(steps).keeping { name in
      name.contains("streams") || name.hasSuffix("attn.output") || name.hasSuffix("attn.hidden")
    }
    let findings = try search(trace, in: scenario)
    #expect(findings.last?.left == 0)
    #expect(findings.contains { $0.bugs.contains("rope-main-theta-on-compressed-layers") })
  }

  @Test func nothingIsNamedInACorrectTrace() throws {
    let scenario = try scenario("odd")
    #expect(try search(scenario.trace(StepSet()), in: scenario).isEmpty)
  }

  @Test func anUnknownBugIsBlamedAndNotNamed() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).changing("layers.1.attn.query_latent", call: 0) { $0 * 1.25 }
    let explanation = try Explanation(trace) { try scenario.model($0, angles: trace.angles) }
    #expect(!explanation.passed)
    #expect(explanation.guilty.first?.first.name == "layers.1.attn.query_latent")
    #expect(explanation.findings.isEmpty)
  }

  @Test func whereTapsAreMissingTheFaultLiesBetween() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(planted("mhc-sinkhorn-skipped")).keeping { $0.hasSuffix("streams") }
    let explanation = try Explanation(trace) { try scenario.model($0, angles: trace.angles) }
    let guilty = try #require(explanation.guilty.first)
    #expect(guilty.first.name == "layers.0.hc_attn.streams")
    #expect(guilty.after == ["streams"])
    #expect(guilty.between.contains { $0.name == "layers.0.hc_attn.combination" })
    #expect(explanation.findings.first?.bugs == ["mhc-sinkhorn-skipped"])
  }

  /// A bug that stops the model before the logits explains none of them.
  @Test func logitsAloneCanNameABug() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(planted("mhc-comb-transposed")).keeping { $0 == "logits" }
    let findings = try search(trace, in: scenario)
    #expect(findings.map(\.bugs) == [["mhc-comb-transposed"]])
    #expect(findings.first?.closeness.isFinite == true)
  }

  private func planted(_ ids: String...) throws -> StepSet {
    try ids.reduce(StepSet()) { steps, id in
      let bug = try #require(KnownBug.all.first { $0.id == id })
      return try #require(bug.planted(in: steps))
    }
  }

  private func search(_ trace: MemoryTrace, in scenario: Scenario) throws -> [BugFinding] {
    try BugSearch(trace, reference: replay(trace, in: scenario), readsCodes: scenario.roundsWeights) {
      try scenario.model($0, angles: trace.angles)
    }.findings()
  }
}
