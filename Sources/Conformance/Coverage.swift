import GoldenTensors
import KnownBugs

extension Verification.Coverage {
  /// - Parameters:
  ///   - manifest: all cases, run or not
  ///   - results: of the cases that were run
  init(_ manifest: GoldenManifest, _ results: [CaseResult]) {
    let failed = Set(results.filter { !$0.passed }.map(\.id))
    let ran = Set(results.map(\.id))
    let passed = manifest.cases.filter { ran.contains($0.id) && !failed.contains($0.id) }
    let visible = KnownBug.all.filter { $0.visibility == .visible }
    let killed = Set(passed.flatMap(\.kills.keys))
    self.init(
      equationsCovered: Set(passed.flatMap(\.equations)).count, equations: manifest.equations.count,
      cases: passed.count, bugsKilled: visible.count { killed.contains($0.id) }, visibleBugs: visible.count)
  }
}
