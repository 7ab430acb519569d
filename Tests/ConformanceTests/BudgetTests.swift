import Comparison
import Conformance
import Foundation
import GoldenTensors
import TestSupport
import Testing

@Suite struct BudgetTests {
  /// A sample; `v4-oracle golden budgets --check` measures all of them again.
  @Test func whatIsStoredIsWhatIsMeasured() throws {
    let library = try GoldenLibrary.bundled()
    let stored = try #require(try library.budgets())
    let survey = try BudgetSurvey(library, cases: Self.sample)
    #expect(survey.measured.cases.count == Self.sample.count)
    #expect(survey.differences(from: stored) == [])
    #expect(survey.differences(from: PrecisionBudgets(cases: [:])).count == Self.sample.count)
  }

  private static let sample = [
    "odd/compressed-sparse-attention/indexer", "odd/expert-routing/mixture", "tiny/hyper-connections/site",
    "tiny/language-model/deployed-blocks-of-slots-one-layer",
  ]

  /// Engines that round at random, with seeds that were not measured.
  @Test func randomEnginesPass() throws {
    let library = try GoldenLibrary.bundled()
    let budgets = try #require(try library.budgets())
    let proof = try BudgetProof(library, budgets, sample: 30, withBugs: false)
    #expect(proof.passed, "\(proof.report)")
    let coarse = proof.rows.filter { $0.precision != .fp32 }
    #expect(coarse.allSatisfy { $0.runs == 30 && $0.worstMultiple > 0.1 }, "\(proof.report)")
    #expect(coarse.contains { $0.ties > 0 }, "\(proof.report)")
    let deployed = try BudgetProof(
      library, budgets, cases: ["tiny/language-model/deployed-blocks-of-slots-one-layer"], withBugs: false)
    #expect(deployed.passed, "\(deployed.report)")
    #expect(deployed.rows.allSatisfy { $0.runs == 1 && $0.worstMultiple > 0.01 }, "\(deployed.report)")
  }

  /// Traces of engines that round at random: one model of each kind; `v4-oracle golden budgets --traces` takes them all.
  @Test func tracesOfRandomEnginesAreRight() throws {
    let survey = try TraceSurvey(scenarios: ["odd", "tiny-deployed"], seeds: 1)
    #expect(survey.passed, "\(survey.report)")
    #expect(survey.rows.count == 7)
    for row in survey.rows {
      #expect(row.engines == 1 && (0.1...1).contains(row.steps.max() ?? .nan), "\(survey.report)")
      let stored = TraceDrift.largest(row.precision, rounds: row.rounds)
      #expect((0.001...1).contains((row.drifts.max() ?? .nan) / stored), "\(survey.report)")
    }
    #expect(!survey.differencesFromStored.isEmpty)
    #expect(try !TraceSurvey(scenarios: [], seeds: 1).passed)
  }

  /// What is off by a little less than the budget of a class passes in it, and by a little more does not.
  @Test(arguments: [PrecisionClass.tf32, .bf16, .fp8fp4]) func aBudgetIsWhatATensorMayBeOffBy(
    precision: PrecisionClass
  ) throws {
    let library = try GoldenLibrary.bundled()
    let budgets = try #require(try library.budgets())
    let id = "odd/token-compression/compress-overlap"
    let goldenCase = try library.load(#require(library.entry(id)))
    let budget = try #require(budgets.cases[id]?.tensors["normalized"]?.budgets[precision])
    for (factor, passes) in [(0.0, true), (0.99, true), (1.01, false), (.nan, false)] {
      var answer = goldenCase.expected
      var tensor = try #require(answer["normalized"]?.doubles)
      tensor[1, 2] += factor * budget
      answer["normalized"] = .float64(tensor)
      let judgement = try CaseJudgement(goldenCase, answer: answer, precision: precision, budgets: budgets)
      #expect(judgement.passed == passes, "\(factor): \(judgement)")
      #expect(judgement.errors["normalized"]?.worstRow == (factor.isNaN ? nil : factor > 0 ? 1 : 0))
    }
  }

  @Test func withoutBudgetsOnlyTheFineClassesAreJudged() throws {
    let library = try GoldenLibrary.bundled()
    let goldenCase = try library.load(#require(library.entry("odd/token-compression/compress-overlap")))
    for precision in [PrecisionClass.fp64, .fp32] {
      #expect(
        try CaseJudgement(goldenCase, answer: goldenCase.expected, precision: precision, budgets: nil).passed)
    }
    let sentence = "is not there, and without measured budgets only fp64 and fp32 can be judged, not bf16"
    #expect(throws: GoldenError("budgets.json", sentence)) {
      try CaseJudgement(goldenCase, answer: goldenCase.expected, precision: .bf16, budgets: nil)
    }
  }

  @Test(arguments: [
    ("\"spread_factor\": 4", "\"spread_factor\": 5", "its rule is not the published one"),
    ("\"format_version\": 1", "\"format_version\": 2", "format_version is not 1; this build reads no other"),
    ("\"rule\":", "\"rules\":", "the file has the unknown key 'rules'"),
    ("\"sha256\": \"", "\"sha256\": \"0", "is no longer the file that was measured"),
    ("\"budget\": {\"tf32\": ", "\"budget\": {\"tf32\": 1", "does not follow from its spread by the rule"),
    ("\"scale\": ", "\"scale\": -", "the scale of"),
    ("{\"format_version\"", "[\"format_version\"", "is not a JSON object"),
  ]) func anEditedFileIsRefused(original: String, edited: String, problem: String) throws {
    try withTemporaryFolder { folder in
      let library = try GoldenLibrary.bundled()
      var text = try String(contentsOf: library.directory.appendingPathComponent("budgets.json"), encoding: .utf8)
      let place = try #require(text.range(of: original))
      text.replaceSubrange(place, with: edited)
      let url = URL(fileURLWithPath: folder + "/budgets.json")
      try text.write(to: url, atomically: true, encoding: .utf8)
      let error = #expect(throws: GoldenError.self) {
        try PrecisionBudgets(contentsOf: url, manifest: library.manifest)
      }
      #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
    }
  }

  @Test func lintMissesWhatIsNotMeasured() throws {
    try withTemporaryFolder { folder in
      let bundled = try GoldenLibrary.bundled()
      for name in ["manifest.json", "vectors"] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/\(name)", withDestinationPath: "\(bundled.directory.path)/\(name)")
      }
      let library = try GoldenLibrary(directory: folder)
      #expect(try library.budgets() == nil)
      #expect(GoldenLint.budgetFaults(library) == ["budgets.json: is not there; make golden-budgets measures it"])
      let budgets = try #require(try bundled.budgets())
      var cases = budgets.cases
      cases["tiny/hyper-connections/site"] = nil
      let csa = try #require(cases["odd/compressed-sparse-attention/csa"])
      cases["odd/compressed-sparse-attention/csa"] = CaseBudgets(
        sha256: csa.sha256, tensors: csa.tensors.filter { $0.key != "queries" }, selections: [:])
      try PrecisionBudgets(cases: cases).text.write(
        toFile: folder + "/budgets.json", atomically: true, encoding: .utf8)
      #expect(
        GoldenLint.budgetFaults(library) == [
          "budgets.json: queries of odd/compressed-sparse-attention/csa has no budgets for tf32, bf16, fp8-fp4",
          "budgets.json: selection of odd/compressed-sparse-attention/csa has no budgets for tf32, bf16, fp8-fp4",
          "budgets.json: has no budgets for tiny/hyper-connections/site",
        ])
    }
  }
}
