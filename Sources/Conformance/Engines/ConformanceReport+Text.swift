import GoldenTensors

extension ConformanceReport {
  /// Failures that are shown one by one; the rest are counted.
  static let failuresShown = 20

  /// The report for people: who was asked, how far it is from itself, a table, failures, what is unsupported.
  public var text: String {
    var parts = [heading]
    if let control { parts.append("Run to run: \(control.sentence)") }
    parts.append(table.text)
    parts += faults.map { "FAULT  \($0)" }
    parts += failures.prefix(Self.failuresShown).map(\.screen)
    if failures.count > Self.failuresShown {
      parts.append("… and \(failures.count - Self.failuresShown) more failures; --json has them all.")
    }
    parts += sections.map { section in
      ([section.title] + section.lines.map { "  \($0)" }).joined(separator: "\n")
    }
    parts.append(conclusion)
    return parts.joined(separator: "\n\n")
  }

  private var heading: String {
    ([engine.title]
      + engine.details.sorted { $0.key < $1.key }.map { "  \(plain($0.key)): \(plain($0.value))" })
      .joined(separator: "\n")
  }

  /// One row for each operation of each component.
  var table: TextTable {
    var table = TextTable([
      ("component", .left), ("operation", .left), ("cases", .right), ("passed", .right), ("failed", .right),
      ("unsupported", .right), ("worst error ÷ tolerance", .right), ("in case", .left),
    ])
    for (component, operation) in kinds {
      let rows = results.filter { $0.component == component && $0.operation == operation }
      let worst = rows.filter { $0.worstMultiple != nil }.max { $0.rank < $1.rank }
      func count(_ outcome: EngineCaseResult.Outcome) -> String { "\(rows.count { $0.outcome == outcome })" }
      table.append([
        component, operation, "\(rows.count)", count(.passed), count(.failed), count(.unsupported),
        worst?.worstMultiple.map(brief) ?? "–", worst?.id ?? "–",
      ])
    }
    return table
  }

  private var kinds: [(String, String)] {
    var kinds: [(String, String)] = []
    for result in results.sorted(by: { ($0.component, $0.operation) < ($1.component, $1.operation) })
    where kinds.last.map({ $0 != (result.component, result.operation) }) ?? true {
      kinds.append((result.component, result.operation))
    }
    return kinds
  }

  /// What comes after the failures, a title and lines each; only those that have lines.
  var sections: [(title: String, lines: [String])] {
    [
      ("Expected failures", expectedFailures.map { "\($0.id): \(plain($0.expectedFailure ?? ""))" }),
      ("Ties: other selections that the precision cannot tell apart", ties),
      ("Unsupported", unsupported),
    ].filter { !$0.1.isEmpty }
  }

  private var ties: [String] {
    results.flatMap { result in
      result.ties.map { tie in
        "\(result.id): \(tie.tensor) of \(tie.tokens) \(tie.tokens == 1 ? "token" : "tokens"), "
          + "scores \(brief(tie.gap)) apart, \(brief(tie.margin)) may be"
      }
    }
  }

  /// The reasons for which cases are unsupported, each with how many.
  private var unsupported: [String] {
    let grouped = Dictionary(grouping: results.filter { $0.outcome == .unsupported }) { $0.words ?? "" }
    return grouped.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.map { reason, cases in
      "\(cases.count) \(cases.count == 1 ? "case" : "cases"): \(reason) (\(cases[0].id)\(cases.count > 1 ? ", …" : ""))"
    }
  }

  /// One line on the whole.
  var conclusion: String {
    let unsupported = results.count { $0.outcome == .unsupported }
    let counts = [
      "\(results.count { $0.outcome == .passed }) passed", "\(failures.count) failed",
      expectedFailures.isEmpty ? "" : "\(expectedFailures.count) failed as expected",
      unsupported == 0 ? "" : "\(unsupported) unsupported", faults.isEmpty ? "" : "\(faults.count) faults",
    ].filter { !$0.isEmpty }.joined(separator: ", ")
    return "\(passed ? "PASSED" : "FAILED")  \(scope): \(counts)"
  }

  /// Which cases were asked for.
  var scope: String {
    filter.map { "\(results.count) of \(casesInAll) cases, those with '\($0)' in their ids" }
      ?? "\(results.count) cases"
  }
}

extension EngineCaseResult {
  /// NaN is worse than any number.
  fileprivate var rank: Double {
    guard let worstMultiple else { return -1 }
    return worstMultiple.isNaN ? .infinity : worstMultiple
  }

  /// What a person needs to start looking.
  var screen: String {
    var lines = ["FAILED  \(id)  (\(operation))"]
    lines += problems.map { "  problem    \($0)" }
    if let words { lines.append("  it says    \(words)") }
    return (lines + comparisons.screenLines).joined(separator: "\n")
  }
}
