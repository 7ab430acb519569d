import Taps

extension ExplanationPage {
  /// At most so many names that the model does not have are shown.
  private static let mostNames = 100

  /// What nothing is said about: what is not recorded, what the model does not have, what could not be run.
  var unjudged: Markup {
    let parts = [failures, leftOver, inherited, missing].filter { !$0.text.isEmpty }
    guard !parts.isEmpty else { return "" }
    return "<section id=\"unjudged\">\n<h2>Not judged</h2>\n\(Markup(parts))\n</section>"
  }

  private var failures: Markup {
    guard !explanation.failures.isEmpty else { return "" }
    return "<h3>Could not be run</h3>\n<ul>\n\(Markup(explanation.failures.map { "<li>\($0)</li>" }))\n</ul>"
  }

  private var leftOver: Markup {
    let names = explanation.leftOver
    guard !names.isEmpty else { return "" }
    let more: Markup = names.count > Self.mostNames ? " and \(names.count - Self.mostNames) more" : ""
    return """
      <h3>Recorded, but not passed by the model: \(counted(names.count, "name"))</h3>
      <p class="names">\(codes(Array(names.prefix(Self.mostNames))))\(more)</p>
      """
  }

  private var inherited: Markup {
    let places = explanation.results.count { $0.verdict == .inherited }
    guard places > 0 else { return "" }
    return """
      <h3>Computed from what cannot be used: \(counted(places, "place"))</h3>
      <p>Something before them is NaN, infinite or of another shape.</p>
      """
  }

  /// Grouped by pattern: one line for a tap, however many layers lack it.
  private var missing: Markup {
    let columns = HeatMapColumns.order
    var groups: [String: Set<String>] = [:]
    for name in explanation.missing.keys {
      let place = PlaceInModel(of: name)
      groups[place.pattern, default: []].insert(name)
    }
    guard !groups.isEmpty else { return "" }
    func rank(_ pattern: String) -> Int { columns[PlaceInModel(of: pattern).column] ?? .max }
    let patterns = groups.keys.sorted { (rank($0), $0) < (rank($1), $1) }
    let rows = patterns.map { pattern -> Markup in
      let names = groups[pattern] ?? []
      let tap = Tap.named(pattern)
      let calls = names.compactMap { explanation.missing[$0] }
      let inAll = calls.allSatisfy { $0 == explanation.calls.count }
      return """
        <tr><td>\(code(pattern))</td><td>\(ranges(names.compactMap { PlaceInModel(of: $0).number }))</td>\
        <td>\(inAll ? "all" : "some")</td><td>\(code(tap?.step ?? ""))</td><td>\(equationLink(tap?.equation ?? ""))</td></tr>
        """
    }
    return """
      <h3>Not recorded: \(counted(explanation.missing.count, "value")), by \(counted(patterns.count, "tap"))</h3>
      <details\(patterns.count > 16 ? "" : " open=\"open\"" as Markup)><summary>which ones</summary>
      <div class="wide"><table class="list">
      <thead><tr><th>tap</th><th>layers or blocks</th><th>calls</th><th>step</th><th>equation</th></tr></thead>
      <tbody>
      \(Markup(rows))
      </tbody></table></div>
      </details>
      """
  }

  /// As in 0–3, 5.
  private func ranges(_ numbers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for number in numbers.sorted() {
      if let last = runs.last, last.upperBound + 1 == number {
        runs[runs.count - 1] = last.lowerBound...number
      } else {
        runs.append(number...number)
      }
    }
    return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }.joined(separator: ", ")
  }
}
