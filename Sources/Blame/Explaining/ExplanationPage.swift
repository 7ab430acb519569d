import Foundation
import GoldenTensors

/// An explanation as a page of its own: one file of HTML with its styles and drawings inside, nothing loaded from
/// elsewhere, no scripts. Well-formed as XML, too. The same explanation gives the same bytes.
public struct ExplanationPage {
  let explanation: Explanation
  let name: String
  let sources: StepSources
  private let base: String?

  /// - Parameters:
  ///   - explanation: what the page shows
  ///   - name: of the trace
  ///   - sources: where steps are in the sources
  ///   - sourceURL: where the folder that holds `Sources` and `docs` is to be seen, for links; nil for none
  public init(_ explanation: Explanation, name: String, sources: StepSources, sourceURL: String? = nil) {
    self.explanation = explanation
    self.name = name
    self.sources = sources
    base = sourceURL.map { $0.hasSuffix("/") ? $0 : $0 + "/" }
  }

  /// The page.
  public var html: String {
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
      <title>\(explanation.passed ? "right" : "wrong"): \(shortName)</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      \(Markup([head, steps, bugs, heatMap, drift, unjudged].filter { !$0.text.isEmpty }))
      </body>
      </html>

      """
    return page.text
  }

  private var shortName: String { name.split(separator: "/").last.map(String.init) ?? name }

  // MARK: Head

  private var head: Markup {
    let tokens = explanation.calls.reduce(0) { $0 + $1.tokens }
    let facts: [(String, String)] = [
      ("trace", name), ("engine’s precision", explanation.precision.rawValue), ("numerics", explanation.numerics),
      ("rotary angles", explanation.angles), ("calls", String(explanation.calls.count)), ("tokens", String(tokens)),
      ("layers", String(explanation.layers)),
      ("values recorded", "\(explanation.recordedTaps) of \(explanation.passedTaps)"),
    ]
    return """
      <header>
      <h1>\(shortName)</h1>
      <p class="verdict \(explanation.passed ? "passed" : "failed")"><strong>\(explanation.passed ? "PASSED" : "FAILED")</strong> \
      \(verdict)</p>
      <dl class="facts">
      \(Markup(facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" }))
      </dl>
      <p class="note">Each step of the reference was run on the values that the engine recorded before it, and held \
      against what the engine recorded after it; so an error belongs to the step that makes it. Errors are multiples of \
      a budget: what roundings of this precision explain.</p>
      </header>
      """
  }

  private var verdict: Markup {
    if explanation.passed {
      let ties = explanation.results.count { $0.verdict == .tie }
      return ties == 0
        ? "Every step that could be judged is right."
        : "Every step that could be judged is right; \(counted(ties, "selection")) differ where scores tie."
    }
    guard let first = explanation.guilty.first else {
      if !explanation.leftOver.isEmpty {
        return
          "No recorded step is wrong, but the trace has \(counted(explanation.leftOver.count, "name")) that the model lacks."
      }
      return explanation.recordedTaps == 0 ? "Nothing that the model computes is recorded." : "Nothing could be judged."
    }
    let steps = explanation.guilty.count
    let named: Markup =
      explanation.findings.isEmpty
      ? "no known bug is named" : "\(counted(explanation.findings.count, "known bug")) named"
    return """
      \(counted(steps, "step")) \(steps == 1 ? "is" : "are") wrong, first \(code(first.first.name)) \
      (\(first.equation)); \(named).
      """
  }

  // MARK: Links

  /// A place in the sources, as a link where it is known how.
  func sourceLink(of step: String) -> Markup? {
    guard let place = sources.place(of: step) else { return nil }
    let text = "\(place.file):\(place.line)"
    guard let base else { return code(text) }
    return "<a href=\"\(base)\(place.file)#L\(place.line)\">\(code(text))</a>"
  }

  /// An id of `docs/equations.md`, as a link where it is known how.
  func equationLink(_ equation: String) -> Markup {
    guard let base else { return "\(equation)" }
    return "<a href=\"\(base)docs/equations.md\">\(equation)</a>"
  }
}
