extension ExplanationPage {
  /// The known bugs that were named.
  var bugs: Markup {
    guard !explanation.findings.isEmpty else { return "" }
    return """
      <section id="bugs">
      <h2>Known bugs</h2>
      <p class="note">Each was planted in the reference, which then gives what the engine gave.</p>
      \(Markup(explanation.findings.map(bug)))
      </section>
      """
  }

  private func bug(_ finding: BugFinding) -> Markup {
    let wrong = finding.explained + finding.left
    let together = finding.together.map { " <span class=\"dim\">together with</span> \(code($0))" as Markup } ?? ""
    let others = finding.others.map { other -> Markup in
      "\(code(other.bug)) <span class=\"dim\">leaves \(other.left), to \(brief(other.closeness))</span>"
    }
    var rows: [(Markup, Markup)] = [
      ("wrong", "\(finding.wrong)"), ("right", "\(finding.right)"),
      ("explains", "\(finding.explained) of \(counted(wrong, "wrong value"))"),
      ("equals it to", "\(brief(finding.closeness)) of scale"),
    ]
    if let only = finding.only { rows.append(("only in", "\(only)")) }
    if !finding.references.isEmpty {
      rows.append(("seen in", Markup(finding.references.map(reference), separator: "<br/>")))
    }
    if !others.isEmpty { rows.append(("next best", Markup(others, separator: "<br/>"))) }
    return """
      <article class="card">
      <h3>\(Markup(finding.bugs.map(code), separator: " <span class=\"dim\">or</span> "))\(together)</h3>
      <table class="numbers"><tbody>
      \(Markup(rows.map { "<tr><th scope=\"row\">\($0.0)</th><td>\($0.1)</td></tr>" }))
      </tbody></table>
      </article>
      """
  }

  private func reference(_ text: String) -> Markup {
    guard text.hasPrefix("https://"), !text.contains(" ") else { return "\(text)" }
    return "<a href=\"\(text)\">\(text)</a>"
  }
}
