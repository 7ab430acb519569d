import Blame
import DeepSeekV4
import Foundation
import KnownBugs
import Testing

struct ReplayProbe {
  @Test func clean() throws {
    for scenario in Scenario.all {
      let trace = try scenario.trace(StepSet())
      let start = ContinuousClock.now
      let replay = try Replay(trace, model: scenario.model(StepSet(), angles: .float32))
      print(scenario.name, replay.isRight, replay.results.count, replay.failures, start.duration(to: .now))
      for result in replay.results.sorted(by: { $0.multiple > $1.multiple }).prefix(4) {
        print("   ", result.call, result.name, result.verdict, result.multiple, result.error.value, result.scale)
      }
      print("   left", replay.leftOver.map(\.count), "missing", replay.missing.map(\.count))
    }
  }

  @Test func naming() throws {
    var nobody: [String] = []
    let filter = ProcessInfo.processInfo.environment["BUG"]
    for bug in KnownBug.all where bug.visibility == .visible {
      if let filter, !filter.split(separator: ",").contains(where: { bug.id == $0 }) { continue }
      var best: (Scenario, MemoryTrace, Replay, Double)?
      for scenario in Scenario.all {
        let trace = try scenario.trace(bug.steps!)
        let replay = try Replay(trace, model: scenario.model(StepSet(), angles: .float32))
        if !replay.isRight {
          let worst = replay.wrong.map(\.multiple).max() ?? 0
          if worst > best?.3 ?? -1 { best = (scenario, trace, replay, worst) }
          if worst > 1000 { break }
        }
      }
      guard let (scenario, trace, replay, worst) = best else { nobody.append(bug.id); continue }
      let start = ContinuousClock.now
      let found = try BugSearch(trace, reference: replay) { try scenario.model($0, angles: .float32) }.findings()
      let first = found.first
      let rank = first?.bugs.contains(bug.id) == true ? "1" : first?.others.firstIndex { $0.bug == bug.id }.map { "\($0 + 2)" } ?? "NONE"
      print("R", rank, "|", bug.id, "|", scenario.name, "|", replay.wrong.count, worst, replay.wrong.first?.name ?? "-", "|", found.map { "\($0.bugs) \($0.explained) \($0.left) \($0.closeness)" }, first?.others.map { "\($0.bug) \($0.left) \($0.closeness)" } ?? [], start.duration(to: .now))
    }
    print("NOBODY", nobody.count, nobody)
  }
}
