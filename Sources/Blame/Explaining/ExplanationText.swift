import Foundation
import GoldenTensors

extension Explanation {
  /// What there is to say, for a terminal.
  ///
  /// - Parameters:
  ///   - name: of the trace
  ///   - sources: where steps are in the sources
  public func text(_ name: String, sources: StepSources) -> String {
    ([heading(name)] + guilty.prefix(Self.mostSteps).map { text($0, sources) } + [
      moreSteps, names, unjudged, driftText,
    ])
    .filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n\n\(verdict)\n"
  }

  private static let mostSteps = 4

  private func heading(_ name: String) -> String {
    let tokens = calls.reduce(0) { $0 + $1.tokens }
    return """
      \(name): \(count(calls.count, "call")), \(count(tokens, "token")), \(count(layers, "layer")); \(precision.rawValue), \
      \(numerics) numerics, \(angles) angles
      \(recordedTaps) of \(passedTaps) values are recorded, and each step was run on the recorded values before it
      """
  }

  private func text(_ guilty: GuiltyStep, _ sources: StepSources) -> String {
    let first = guilty.first
    var lines = ["WRONG  \(first.name)   (\(guilty.equation), \(guilty.step))"]
    if let problem = first.problem { lines.append("  \(problem)") }
    if first.error.value.isFinite, first.scale > 0, first.problem == nil {
      let place = first.index.isEmpty ? "" : " at \(first.index)"
      lines.append(
        "  off by \(brief(first.error.value)) where values reach \(brief(first.scale)); "
          + "\(brief(first.budget)) is what \(precision.rawValue) explains")
      if let got = first.recorded?.value, let wanted = first.computed?.value {
        lines.append("  worst\(place) of call \(first.call): recorded \(brief(got)), computed \(brief(wanted))")
      }
    }
    lines.append("  wrong at \(guilty.wrong) of the \(count(guilty.judged, "place")) that have it")
    if guilty.between.isEmpty {
      lines.append("  computed from \(guilty.after.joined(separator: ", ")), as recorded")
    } else {
      let after = guilty.after.joined(separator: ", ")
      lines.append(
        "  the fault lies \(after.isEmpty ? "anywhere before it: nothing else is recorded" : "after \(after)")")
      lines.append("  dump next: \(dumpNext(guilty.between))")
    }
    if let source = sources.place(of: guilty.step) {
      lines.append("  see \(source.file):\(source.line), docs/equations.md")
    }
    return lines.joined(separator: "\n")
  }

  /// What is to be recorded next. Where much lies between, the streams after each layer come first: they tell the layer.
  private func dumpNext(_ between: [GuiltyStep.Unrecorded]) -> String {
    let streams = between.filter { $0.name.hasSuffix(".hc_ffn.streams") }
    let shown =
      between.count <= Self.mostTaps ? between : streams.isEmpty ? Array(between.prefix(Self.mostTaps)) : streams
    let text = shown.map { "\($0.name) (\($0.step))" }.joined(separator: ", ")
    return shown.count < between.count ? "\(text); \(between.count - shown.count) more lie between, see --json" : text
  }

  private static let mostTaps = 12

  private var moreSteps: String {
    let more = guilty.count - Self.mostSteps
    return more > 0 ? "and \(count(more, "more step")), see --json" : ""
  }

  private var names: String {
    findings.map { finding in
      var lines = [
        "KNOWN BUG  \(finding.bugs.joined(separator: " or "))"
          + (finding.together.map { ", together with \($0)" } ?? ""),
        "  equals it to \(brief(finding.closeness)) of scale, and explains \(finding.explained) of the "
          + "\(finding.explained + finding.left) wrong values",
        "  wrong: \(finding.wrong)", "  right: \(finding.right)",
      ]
      if let only = finding.only { lines.append("  only in \(only); elsewhere the engine is right") }
      lines += finding.references.map { "  seen in \($0)" }
      if !finding.others.isEmpty {
        lines.append("  next: " + finding.others.map { "\($0.bug) leaves \($0.left)" }.joined(separator: ", "))
      }
      return lines.joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  private var unjudged: String {
    var lines = failures
    if !leftOver.isEmpty {
      let shown = leftOver.prefix(6).joined(separator: ", ") + (leftOver.count > 6 ? ", …" : "")
      lines.append("recorded, but not passed by the model: \(leftOver.count) names: \(shown)")
    }
    let ties = results.count { $0.verdict == .tie }
    if ties > 0 {
      lines.append(
        "\(count(ties, "selection")) differ where scores are too close to tell; what follows was run on the recorded ones"
      )
    }
    return lines.joined(separator: "\n")
  }

  /// A bar for each layer, on a logarithmic scale.
  private var driftText: String {
    guard !drift.isEmpty else { return "" }
    let values = drift.map(\.relativeRMS.value).filter { $0 > 0 && $0.isFinite }
    let (low, high) = (log10(values.min() ?? 1) - 0.5, log10(values.max() ?? 1))
    let width = drift.map(\.name.count).max() ?? 0
    let lines = drift.map { layer in
      let value = layer.relativeRMS.value
      let length =
        value > 0 && value.isFinite ? Int(32 * (log10(value) - low) / max(high - low, 1)) : value > 0 ? 32 : 0
      return "  " + layer.name.padding(toLength: width + 2, withPad: " ", startingAt: 0)
        + brief(value).padding(toLength: 10, withPad: " ", startingAt: 0)
        + String(repeating: "▇", count: max(length, 0))
    }
    return "Drift from the reference on the same tokens (relative RMS)\n" + lines.joined(separator: "\n")
  }

  private var verdict: String {
    if passed { return "PASSED  every recorded step is right" }
    if guilty.isEmpty { return "FAILED  no recorded step is wrong, but see above" }
    let known = findings.isEmpty ? "no known bug is named" : "\(count(findings.count, "known bug")) named"
    return "FAILED  \(count(guilty.count, "wrong step")), \(known)"
  }

  private func count(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }
}

/// Three significant digits.
func brief(_ value: Double) -> String {
  value.isFinite ? String(format: "%.3g", value) : value.isNaN ? "NaN" : value > 0 ? "∞" : "−∞"
}
