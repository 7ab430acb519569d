extension ExplanationPage {
  /// How far the streams are from those of the reference on the same tokens, layer by layer.
  var drift: Markup {
    guard !explanation.drift.isEmpty else { return "" }
    let wrong = Set(explanation.results.filter { $0.verdict == .wrong }.map { PlaceInModel(of: $0.name).row })
    return """
      <section id="drift">
      <h2>Drift</h2>
      <p class="note">Here the reference ran on the tokens alone, so errors add up from layer to layer. Red: a layer that \
      is wrong on its own.</p>
      <div class="wide">
      \(DriftPlot(explanation.drift, wrong: wrong).svg)
      </div>
      </section>
      """
  }
}

/// A line through the layers, on a logarithmic scale.
private struct DriftPlot {
  private let drift: [LayerDrift]
  private let wrong: Set<PlaceInModel.Row>
  private let axis: DecadeAxis
  private let step: Double

  private static let (left, top, bottom) = (64.0, 12.0, 200.0)

  init(_ drift: [LayerDrift], wrong: Set<PlaceInModel.Row>) {
    self.drift = drift
    self.wrong = wrong
    axis = DecadeAxis(drift.map(\.relativeRMS.value), top: Self.top, bottom: Self.bottom)
    step = drift.count > 24 ? 18 : 48
  }

  private var right: Double { Self.left + Double(drift.count) * step }

  private func x(_ index: Int) -> Double { Self.left + (Double(index) + 0.5) * step }

  var svg: Markup {
    let (width, height) = (Int(right) + 30, 256)
    let line = drift.enumerated().map { "\(at: x($0)),\(at: axis.y($1.relativeRMS.value))" as Markup }
    return """
      <svg class="plot" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" role="img" \
      aria-label="Relative error of the streams by layer">
      \(axis.grid(left: Self.left, right: right))
      <polyline class="curve" points="\(Markup(line, separator: " "))"/>
      \(Markup(drift.enumerated().map { point($0, $1) }))
      \(Markup(drift.enumerated().map { label($0, $1) }))
      <text x="\(at: (Self.left + right) / 2)" y="250" text-anchor="middle">streams after layer</text>
      <text transform="translate(12 \(at: (Self.top + Self.bottom) / 2)) rotate(-90)" text-anchor="middle">\
      relative RMS error (no unit)</text>
      </svg>
      """
  }

  private func point(_ index: Int, _ layer: LayerDrift) -> Markup {
    let value = layer.relativeRMS.value
    let style: Markup =
      wrong.contains(PlaceInModel(of: layer.name).row) ? "bad" : "good"
    let hollow: Markup = value > 0 && value.isFinite ? "" : " hollow"
    return """
      <circle class="\(style)\(hollow)" cx="\(at: x(index))" cy="\(at: axis.y(value))" r="4"><title>\(layer.name): \
      \(brief(value))</title></circle>
      """
  }

  private func label(_ index: Int, _ layer: LayerDrift) -> Markup {
    let place = PlaceInModel(of: layer.name)
    let text =
      place.pattern.hasPrefix("mtp") ? "mtp \(place.number ?? 0)" : place.number.map(String.init) ?? layer.name
    let isCrowded = drift.count > 24
    guard isCrowded else {
      return "<text x=\"\(at: x(index))\" y=\"218\" text-anchor=\"middle\">\(text)</text>"
    }
    return "<text transform=\"translate(\(at: x(index) + 3.5) 208) rotate(-90)\" text-anchor=\"end\">\(text)</text>"
  }
}
