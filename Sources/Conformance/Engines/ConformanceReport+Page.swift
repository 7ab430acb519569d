import Foundation
import GoldenTensors

extension ConformanceReport {
  /// The report as a page in Markdown. It holds no times and no paths of a machine, so a change of it is a change of the
  /// engine or of the cases.
  public var page: String {
    var parts = ["# \(pageText(engine.name))", introduction]
    if let control { parts.append("Run to run: \(pageText(control.sentence))") }
    parts.append("\(conclusion.replacingOccurrences(of: "  ", with: ": ")).")
    parts.append(table.markdown)
    if !faults.isEmpty { parts.append("## Faults of the run\n\n\(list(faults))") }
    if !failures.isEmpty { parts.append("## Failures\n\n\(failureText)") }
    parts += sections.map { "## \($0.title)\n\n\(list($0.lines))" }
    return parts.joined(separator: "\n\n") + "\n"
  }

  private var introduction: String {
    let repeated = control.map { " --repeat \($0.runs)" } ?? ""
    let filtered = filter.map { " --filter '\(plain($0))'" } ?? ""
    let about =
      ["name: \(engine.name)", "version: \(engine.version)"]
      + engine.details.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    return """
      Run with `v4-oracle conform --engine '…'\(filtered)\(repeated)` on \(pageText(scope)), and judged as \
      \(engine.precision.rawValue).

      \(list(about))
      """
  }

  private var failureText: String {
    let shown = failures.prefix(Self.failuresShown).map { withoutPaths($0.screen) }.joined(separator: "\n\n")
      .replacingOccurrences(of: "```", with: "'''")
    let rest = failures.count - Self.failuresShown
    return "```\n\(shown)\n```" + (rest > 0 ? "\n\n… and \(rest) more." : "")
  }

  private func list(_ lines: [String]) -> String { lines.map { "- \(pageText($0))" }.joined(separator: "\n") }
}

/// Words that may come from an engine, so that they stay words in Markdown.
private func pageText(_ words: String) -> String {
  var text = withoutPaths(plain(words))
  for sign in ["\\", "`", "*", "_", "<", "[", "|"] { text = text.replacingOccurrences(of: sign, with: "\\\(sign)") }
  return text
}

/// Absolute paths cut down to their last part: where a machine keeps things is nobody's business.
func withoutPaths(_ text: String) -> String {
  text.replacingOccurrences(
    of: #"(?<![\w./:…-])(?:/[^/\s'"`]+)+/([^/\s'"`]+)"#, with: "$1", options: .regularExpression)
}
