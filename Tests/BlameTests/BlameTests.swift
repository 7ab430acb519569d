import Blame
import DeepSeekV4
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

  @Test func visibility() throws {
    var nobody: [String] = []
    for bug in KnownBug.all where bug.visibility == .visible {
      var seen = false
      for scenario in Scenario.all {
        guard let trace = try? scenario.trace(bug.steps!) else { print(bug.id, scenario.name, "refused"); continue }
        let replay = try Replay(trace, model: scenario.model(StepSet(), angles: .float32))
        if !replay.isRight {
          seen = true
          let first = replay.wrong.first
          print(bug.id, "|", scenario.name, "|", replay.wrong.count, first?.name ?? "-", first?.multiple ?? 0, replay.leftOver.map(\.count).reduce(0, +), replay.failures.first ?? "")
          break
        }
      }
      if !seen { nobody.append(bug.id) }
    }
    print("NOBODY", nobody.count, nobody)
  }
}
