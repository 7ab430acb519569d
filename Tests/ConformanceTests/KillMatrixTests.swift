import Conformance
import GoldenTensors
import KnownBugs
import Testing

@Suite struct KillMatrixTests {
  /// On the cases that the manifest says show each bug best; `make check-kills` runs the whole matrix.
  @Test func everyVisibleBugIsKilledAndTheManifestSaysSo() throws {
    let library = try GoldenLibrary.bundled()
    let matrix = try KillMatrix(library, casesPerBug: 3)
    #expect(matrix.faults.isEmpty, "\(matrix.faults)")
    let differences = matrix.differences(from: library.manifest)
    #expect(differences.count == 0, "run make golden-kills: \(differences.prefix(3))")
    print("\n" + matrix.report(everyCase: false))
  }

  @Test func bugsAreNamedOnceAndExplained() {
    #expect(Set(KnownBug.all.map(\.id)).count == KnownBug.all.count)
    #expect(KnownBug.all.count { $0.visibility == .visible } >= 40)
    for bug in KnownBug.all {
      #expect(!bug.wrong.isEmpty && !bug.right.isEmpty, "\(bug.id)")
      if case .notAStep = bug.visibility {
        #expect(bug.steps == nil, "\(bug.id)")
      } else {
        #expect(bug.steps != nil, "\(bug.id)")
      }
    }
  }

  /// A failing engine has to look like one: the report of a known bug names case, tensor, index and both values.
  @Test func aKnownBugFailsTheCaseThatKillsIt() throws {
    let library = try GoldenLibrary.bundled()
    let bug = try #require(KnownBug.all.first { $0.id == "mhc-comb-transposed" })
    let entry = try #require(library.entry("odd/hyper-connections/site"))
    let result = CaseResult(try library.load(entry), path: .float, steps: try #require(bug.steps))
    #expect(!result.passed)
    let failed = result.comparisons.filter { !$0.passed }
    #expect(failed.map(\.tensor) == ["streams_out"])
    #expect(
      result.comparisons.map(\.tensor)
        == ["mixes", "pre", "post", "combination_logits", "combination", "layer_input", "streams_out"])
    let mismatch = try #require(failed.first?.mismatch)
    #expect(mismatch.index.count == 3)
    #expect(mismatch.expected != mismatch.got)
  }
}
