extension ExplanationPage {
  /// Every layer and every tap at a glance: the worst multiple of the budget over all calls.
  var heatMap: Markup {
    let drawing = HeatMap(explanation)
    guard !drawing.columns.isEmpty else { return "" }
    return """
      <section id="map">
      <h2>Error by layer and tap</h2>
      <p class="note">The worst error over all calls as a multiple of its budget; numbers are shown where the pointer rests.</p>
      \(legend)
      <div class="wide">
      \(drawing.svg)
      </div>
      </section>
      """
  }

  private var legend: Markup {
    func item(_ style: String, _ text: String, mark: Markup = "") -> Markup {
      """
      <li><svg width="14" height="14" aria-hidden="true"><rect class="\(style)" x="0.5" y="0.5" width="13" height="13"/>\
      \(mark)</svg> \(text)</li>
      """
    }
    let levels = HeatCell.levels.enumerated()
    let right = levels.prefix(HeatCell.rightLevels).map { item("k\($0)", $1) }
    let wrong = levels.dropFirst(HeatCell.rightLevels).map { item("k\($0)", $1) }
    return """
      <svg width="0" height="0" class="hidden" aria-hidden="true"><defs>
      <pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect class="hatchline" width="1.2" height="4"/></pattern></defs></svg>
      <ul class="legend"><li class="dim">right</li>
      \(Markup(right))
      <li class="dim">wrong</li>
      \(Markup(wrong))
      </ul>
      <ul class="legend">
      \(item("first", "first place of a wrong step"))
      \(item("k2", "tie", mark: "<circle class=\"tie\" cx=\"7\" cy=\"7\" r=\"3\"/>"))
      \(item("inherited", "computed from what cannot be used"))
      \(item("missing", "not recorded"))
      <li class="dim">empty: not there</li>
      </ul>
      """
  }
}

/// The drawing: rows are the model, its layers and MTP blocks, columns the taps.
private struct HeatMap {
  let rows: [PlaceInModel.Row]
  let columns: [String]
  private let cells: [Place: HeatCell]
  private let names: [Place: String]
  private let first: Set<Place>
  private let offsets: [Int]

  private struct Place: Hashable {
    let row: PlaceInModel.Row
    let column: String

    init(_ name: String) {
      let place = PlaceInModel(of: name.withoutSuffix(".unrounded"))
      (row, column) = (place.row, place.column)
    }

    init(_ row: PlaceInModel.Row, _ column: String) { (self.row, self.column) = (row, column) }
  }

  private static let pitch = 12
  private static let side = 60
  private static let gap = 5

  init(_ explanation: Explanation) {
    var results: [Place: [StepResult]] = [:]
    var names: [Place: String] = [:]
    for result in explanation.results {
      let place = Place(result.name)
      results[place, default: []].append(result)
      names[place] = names[place] ?? result.name.withoutSuffix(".unrounded")
    }
    for name in explanation.missing.keys {
      let place = Place(name)
      results[place] = results[place] ?? []
      names[place] = name
    }
    cells = results.mapValues(HeatCell.init)
    self.names = names
    first = Set(explanation.guilty.map { Place($0.first.name) })
    rows = Set(results.keys.map(\.row)).sorted()
    let order = HeatMapColumns.order
    columns = Set(results.keys.map(\.column)).sorted {
      (order[$0] ?? .max, $0) < (order[$1] ?? .max, $1)
    }
    var offset = 0
    var before: String?
    var offsets: [Int] = []
    for column in columns {
      let group = column.split(separator: ".").dropLast().joined(separator: ".")
      if let before, before != group { offset += Self.gap }
      offsets.append(offset)
      offset += Self.pitch
      before = group
    }
    self.offsets = offsets
  }

  /// As high as the longest label of a column is long.
  private var top: Int { (columns.map(\.count).max() ?? 0) * 6 + 12 }
  private var gridWidth: Int { (offsets.last ?? 0) + Self.pitch }
  private var gridHeight: Int { rows.count * Self.pitch }
  private var isTall: Bool { rows.count > 20 }

  var svg: Markup {
    let (width, height) = (gridWidth + 2 * Self.side, top + gridHeight + (isTall ? top : 6))
    return """
      <svg class="map" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" role="img" \
      aria-label="Worst multiple of the budget, \(rows.count) rows by \(columns.count) taps">
      \(Markup(columnLabels))
      \(Markup(rows.enumerated().map { row($1, y: top + $0 * Self.pitch) }))
      </svg>
      """
  }

  private var columnLabels: [Markup] {
    zip(columns, offsets).flatMap { column, offset -> [Markup] in
      let x = Self.side + offset + 9
      let above: Markup = "<text transform=\"translate(\(x) \(top - 5)) rotate(-90)\">\(column)</text>"
      guard isTall else { return [above] }
      let below: Markup = """
        <text transform="translate(\(x) \(top + gridHeight + 5)) rotate(-90)" text-anchor="end">\(column)</text>
        """
      return [above, below]
    }
  }

  private func row(_ row: PlaceInModel.Row, y: Int) -> Markup {
    let cells = zip(columns, offsets).compactMap { column, offset in
      cell(Place(row, column), x: Self.side + offset, y: y)
    }
    return """
      <text x="\(Self.side - 6)" y="\(y + 9)" text-anchor="end">\(row.label)</text>\
      <text x="\(Self.side + gridWidth + 6)" y="\(y + 9)">\(row.label)</text>
      \(Markup(cells))
      """
  }

  private func cell(_ place: Place, x: Int, y: Int) -> Markup? {
    guard let cell = cells[place], let name = names[place] else { return nil }
    let frame: Markup = first.contains(place) ? " first" : ""
    let side = Self.pitch - 1
    let rect: Markup = """
      <rect class="\(cell.style)\(frame)" x="\(x)" y="\(y)" width="\(side)" height="\(side)"><title>\(name)
      \(Self.words(for: cell))</title></rect>
      """
    guard cell.isTie, cell.wrong == 0 else { return rect }
    return "\(rect)<circle class=\"tie\" cx=\"\(x + side / 2)\" cy=\"\(y + side / 2)\" r=\"2.5\"/>"
  }

  private static func words(for cell: HeatCell) -> Markup {
    guard let worst = cell.worst else { return "not recorded" }
    let start: Markup = "\(worst.equation), \(worst.step)"
    if worst.verdict == .inherited { return "\(start)\ncomputed from what cannot be used, in call \(worst.call)" }
    let size: Markup =
      worst.error.value.isNaN
      ? "\(worst.problem ?? "not comparable")"
      : "error \(brief(worst.error.value)), budget \(brief(worst.budget)), values reach \(brief(worst.scale))"
    let verdict: Markup =
      cell.wrong > 0 ? "wrong in \(cell.wrong) of \(cell.judged) calls" : cell.isTie ? "a tie" : "right"
    return """
      \(start)
      \(verdict); worst in call \(worst.call): \(brief(worst.multiple)) × budget
      \(size)
      """
  }
}
