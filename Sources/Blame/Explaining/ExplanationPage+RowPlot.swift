import Taps

extension ExplanationPage {
  /// The errors of a wrong place row by row: which positions are off.
  func rowPlot(of result: StepResult) -> Markup {
    guard let rows = result.rows, rows.errors.count > 1 else { return "" }
    return RowPlot(result, rows, start: rowStart(of: result)).svg
  }

  /// What the first row stands for, and what rows are.
  private func rowStart(of result: StepResult) -> (Int, String) {
    let name = result.name.withoutSuffix(".unrounded")
    let axis = Tap.named(name)?.shape.first
    if name.hasPrefix("mtp.") { return (0, "pair completed in call \(result.call)") }
    if axis == "T", explanation.calls.indices.contains(result.call) {
      return (explanation.calls[result.call].start, "position of the token, call \(result.call)")
    }
    return (0, "\(axis == "N" ? "entry completed" : "row") in call \(result.call)")
  }
}

/// Bars on a logarithmic scale, the budget as a line.
private struct RowPlot {
  private let rows: RowErrors
  private let budget: Double
  private let first: Int
  private let label: String
  private let axis: DecadeAxis

  private static let (left, right, top, bottom) = (54.0, 452.0, 14.0, 150.0)

  init(_ result: StepResult, _ rows: RowErrors, start: (Int, String)) {
    self.rows = rows
    budget = result.budget
    (first, label) = start
    axis = DecadeAxis(rows.errors.map(\.value) + [result.budget], top: Self.top, bottom: Self.bottom)
  }

  private var step: Double { (Self.right - Self.left) / Double(rows.errors.count) }

  var svg: Markup {
    let budgetLine: Markup =
      budget > 0 && budget.isFinite
      ? """
      <line class="budget" x1="\(at: Self.left)" y1="\(at: axis.y(budget))" x2="\(at: Self.right)" y2="\(at: axis.y(budget))"/>\
      <text x="\(at: Self.right + 4)" y="\(at: axis.y(budget) + 3.5)">budget</text>
      """ : ""
    return """
      <svg class="plot" width="500" height="192" viewBox="0 0 500 192" role="img" aria-label="Error by row">
      \(axis.grid(left: Self.left, right: Self.right))
      \(Markup(rows.errors.enumerated().map { bar($0, $1.value) }))
      \(budgetLine)
      \(Markup(ticks))
      <text x="\(at: (Self.left + Self.right) / 2)" y="186" text-anchor="middle">\(label)</text>
      <text transform="translate(11 \(at: (Self.top + Self.bottom) / 2)) rotate(-90)" text-anchor="middle">error</text>
      </svg>
      """
  }

  private func bar(_ index: Int, _ error: Double) -> Markup {
    let y = axis.y(error)
    let isRight = error <= budget
    let width = max(step - (step > 4 ? 1.5 : 0.2), 0.8)
    let from = first + index * rows.stride
    let to = first + min((index + 1) * rows.stride, rows.rows) - 1
    return """
      <rect class="\(isRight ? "good" : "bad")" x="\(at: Self.left + Double(index) * step)" y="\(at: min(y, Self.bottom - 1))" \
      width="\(at: width)" height="\(at: max(Self.bottom - y, 1))"><title>\(from == to ? "\(from)" : "\(from)–\(to)"): \
      \(brief(error))</title></rect>
      """
  }

  /// Labels of some rows, the first one among them.
  private var ticks: [Markup] {
    let every = max((rows.errors.count + 11) / 12, 1)
    return stride(from: 0, to: rows.errors.count, by: every).map { index in
      let x = Self.left + (Double(index) + 0.5) * step
      return "<text x=\"\(at: x)\" y=\"166\" text-anchor=\"middle\">\(first + index * rows.stride)</text>"
    }
  }
}
