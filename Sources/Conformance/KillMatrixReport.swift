import GoldenTensors
import KnownBugs

extension KillMatrix {
  /// The report for people: a line for each bug, and with `everyCase` a line for each case that shows it.
  public func report(everyCase: Bool) -> String {
    var parts: [String] = []
    for component in Set(bugs.map(\.component)).sorted() {
      parts.append("\(component)\n\n\(table(component, everyCase: everyCase))")
    }
    let unseen = bugs.compactMap { bug -> String? in
      switch bug.visibility {
      case .visible: nil
      case .invisible(let reason): "  \(bug.id): invisible: \(reason)"
      case .notAStep(let reason): "  \(bug.id): not run: \(reason)"
      }
    }
    if !classes.isEmpty {
      let lines = classes.map { "  " + $0.joined(separator: ", ") }
      parts.append("The same on every case, so one class\n\n\(lines.joined(separator: "\n"))")
    }
    if !unseen.isEmpty { parts.append("Not expected to be killed\n\n\(unseen.joined(separator: "\n"))") }
    parts += faults.map { "FAULT  \($0)" }
    let visible = bugs.filter { $0.visibility == .visible }
    let killed = visible.count { !kills(of: $0).isEmpty }
    parts.append(
      "\(killed) of \(visible.count) visible bugs are killed: at least one case shows them by "
        + "\(brief(Self.threshold)) times its tolerance.")
    return parts.joined(separator: "\n\n")
  }

  private func table(_ component: String, everyCase: Bool) -> String {
    var table = TextTable([
      ("bug", .left), ("killed by", .right), ("seen by", .right), ("largest effect ÷ tolerance", .right),
      ("in case", .left),
    ])
    for bug in bugs where bug.component == component && bug.steps != nil {
      let effects = (effects[bug.id] ?? [:]).sorted { rank($0.value, $0.key) > rank($1.value, $1.key) }
      let seen = effects.filter { !($0.value <= 1) }
      table.append([
        bug.id, "\(kills(of: bug).count)", "\(seen.count)", effects.first.map { brief($0.value) } ?? "–",
        effects.first.map(\.key) ?? "–",
      ])
      guard everyCase else { continue }
      for (id, effect) in seen.dropFirst() { table.append(["", "", "", brief(effect), id]) }
    }
    return table.text
  }

  private func rank(_ effect: Double, _ id: String) -> (Double, String) { (effect.isNaN ? .infinity : effect, id) }
}
