import GoldenTensors

extension ExplanationPage {
  /// How many steps are shown unfolded.
  private static let unfolded = 4
  /// How many values between two taps are shown unfolded.
  private static let mostInView = 20

  /// The guilty steps, in the order of computation.
  var steps: Markup {
    guard !explanation.guilty.isEmpty else { return "" }
    let steps = explanation.guilty.enumerated().map { number, guilty in
      step(guilty, number: number + 1)
    }
    return """
      <section id="steps">
      <h2>Wrong steps</h2>
      <p class="note">In the order of computation. Each is wrong on its own, whatever was wrong before it.</p>
      \(Markup(steps))
      </section>
      """
  }

  private func step(_ guilty: GuiltyStep, number: Int) -> Markup {
    let place = sourceLink(of: guilty.step).map { " · \($0)" as Markup } ?? ""
    let problem = guilty.first.problem.map { "<p class=\"problem\">\($0)</p>" as Markup } ?? ""
    return """
      <details class="card"\(number > Self.unfolded ? "" : " open=\"open\"" as Markup)>
      <summary><span class="number">\(number)</span> \(code(guilty.first.name)) <span class="times">\
      \(times(guilty.first.multiple))</span></summary>
      <p>\(equationLink(guilty.equation)) · \(code(guilty.step))\(place)</p>
      \(problem)
      <div class="beside">
      \(numbers(of: guilty))
      \(rowPlot(of: guilty.first))
      </div>
      \(surroundings(of: guilty))
      </details>
      """
  }

  private func times(_ multiple: Double) -> String {
    multiple.isFinite ? "\(brief(multiple)) × budget" : "not comparable"
  }

  private func numbers(of guilty: GuiltyStep) -> Markup {
    let first = guilty.first
    var rows: [(String, String)] = []
    if !first.error.value.isNaN {
      rows += [
        ("error", brief(first.error.value)),
        ("budget, what \(explanation.precision.rawValue) explains", brief(first.budget)),
        ("values reach", brief(first.scale)),
      ]
    }
    rows.append(("worst place", "\(first.index.isEmpty ? "" : "\(first.index) of ")call \(first.call)"))
    if let got = first.recorded?.value, let wanted = first.computed?.value {
      rows += [("recorded there", brief(got)), ("computed there", brief(wanted))]
    }
    rows.append(("wrong at", "\(guilty.wrong) of \(counted(guilty.judged, "place"))"))
    rows.append(("worst of all places", times(guilty.worstMultiple.value)))
    return """
      <table class="numbers"><tbody>
      \(Markup(rows.map { "<tr><th scope=\"row\">\($0.0)</th><td>\($0.1)</td></tr>" }))
      </tbody></table>
      """
  }

  private func surroundings(of guilty: GuiltyStep) -> Markup {
    guard !guilty.between.isEmpty else {
      return guilty.after.isEmpty
        ? "<p>Computed from the tokens: the fault is in this step.</p>"
        : "<p>Computed from \(codes(guilty.after)), as recorded: the fault is in this step.</p>"
    }
    let range: Markup =
      guilty.after.isEmpty
      ? "Nothing before it is recorded: the fault lies anywhere up to \(code(guilty.first.name))."
      : "The fault lies after \(codes(guilty.after)) and not after \(code(guilty.first.name))."
    let between = guilty.between.map { missing -> Markup in
      "<li>\(code(missing.name)) <span class=\"dim\">\(missing.step), \(equationLink(missing.equation))</span></li>"
    }
    let isLong = between.count > Self.mostInView
    return """
      <p>\(range)</p>
      <details class="dump"\(isLong ? "" : " open=\"open\"" as Markup)><summary>dump next: \(counted(between.count, "value"))</summary>
      <ul>
      \(Markup(between))
      </ul>
      </details>
      """
  }
}
