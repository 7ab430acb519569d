import Blame
import CostModel
import Foundation

/// One quantity of some models over the context, on linear axes from zero.
struct CostPanel {
  private let title: String
  private let curves: [CostCurve]
  private let left: Double
  private let scale: CostScale
  private let end: Int
  private let value: (CostCurve.Point) -> Double

  private static let (top, bottom, plotWidth) = (64.0, 372.0, 320.0)
  /// Between the lines of the labels at the ends of curves.
  private static let lineHeight = 17.0

  init(
    _ title: String, _ curves: [CostCurve], left: Double, _ units: [CostScale.Unit],
    _ value: @escaping (CostCurve.Point) -> Double
  ) {
    self.title = title
    self.curves = curves
    self.left = left
    self.value = value
    let points = curves.flatMap(\.points)
    scale = CostScale(upTo: points.map(value).max() ?? 1, units)
    end = points.map(\.context).max() ?? 1
  }

  var svg: Markup {
    """
    <text class="title" x="\(at: left)" y="26">\(title)</text>
    <text x="\(at: left)" y="46">\(scale.unit.name)</text>
    \(Markup(scale.ticks.map(horizontal)))
    \(Markup(Set((0...4).map { end * $0 / 4 }).sorted().map(tick)))
    <text x="\(at: left + Self.plotWidth / 2)" y="\(at: Self.bottom + 46)" text-anchor="middle">\
    context in tokens (\(end < Self.mega ? "1K = 1024" : "1M = 1024²"))</text>
    \(Markup(curves.enumerated().map(line)))
    \(Markup(labels))
    """
  }

  private func x(_ context: Double) -> Double { left + Self.plotWidth * context / Double(end) }
  private func y(_ value: Double) -> Double { Self.bottom - (Self.bottom - Self.top) * value / scale.end }

  private func horizontal(_ tick: Double) -> Markup {
    """
    <line class="grid" x1="\(at: left)" y1="\(at: y(tick))" x2="\(at: left + Self.plotWidth)" y2="\(at: y(tick))"/>\
    <text x="\(at: left - 8)" y="\(at: y(tick) + 4.5)" text-anchor="end">\(scale.text(tick))</text>
    """
  }

  /// Long contexts are labelled in another unit, so that labels do not meet.
  private static let mega = 10 << 20

  private func tick(_ context: Int) -> Markup {
    let text =
      end >= Self.mega
      ? String(format: "%.4gM", Double(context) / Double(1 << 20))
      : context > 0 && context % 1024 == 0 ? "\(context / 1024)K" : "\(context)"
    let x = x(Double(context))
    return """
      <line class="grid" x1="\(at: x)" y1="\(at: Self.bottom)" x2="\(at: x)" y2="\(at: Self.bottom + 5)"/>\
      <text x="\(at: x)" y="\(at: Self.bottom + 22)" text-anchor="middle">\(text)</text>
      """
  }

  private func line(_ index: Int, _ curve: CostCurve) -> Markup {
    let points = curve.points.map { "\(at: x(Double($0.context))),\(at: y(value($0)))" as Markup }
    return "<polyline class=\"curve c\(index % 4)\" points=\"\(Markup(points, separator: " "))\"/>"
  }

  /// A name and a value at the end of each curve, moved apart where curves end close together.
  private var labels: [Markup] {
    let ends = curves.compactMap { curve in curve.points.last.map { (name: curve.name, value: value($0)) } }
    var free = Self.bottom + Self.lineHeight
    return ends.sorted { $0.value < $1.value }.map { end in
      let place = min(y(end.value) + 4.5, free - Self.lineHeight)
      free = place
      return """
        <text x="\(at: left + Self.plotWidth + 8)" y="\(at: place)">\(end.name) \
        \(significant(end.value / scale.unit.size, 3))</text>
        """
    }
  }
}

/// An axis from zero to a round number, with round numbers on it.
struct CostScale {
  struct Unit {
    let size: Double
    let name: String

    static let flops = [
      Unit(size: 1e15, name: "PFLOPs"), Unit(size: 1e12, name: "TFLOPs"), Unit(size: 1e9, name: "GFLOPs"),
      Unit(size: 1e6, name: "MFLOPs"),
      Unit(size: 1e3, name: "kFLOPs"),
    ]
    static let bytes = [
      Unit(size: 1e15, name: "PB (10¹⁵ bytes)"), Unit(size: 1e12, name: "TB (10¹² bytes)"),
      Unit(size: 1e9, name: "GB (10⁹ bytes)"), Unit(size: 1e6, name: "MB (10⁶ bytes)"),
      Unit(size: 1e3, name: "kB (10³ bytes)"),
    ]
  }

  let unit: Unit
  /// In the quantity itself, not in the unit.
  let ticks: [Double]
  var end: Double { ticks[ticks.count - 1] }

  /// - Parameters:
  ///   - largest: positive
  ///   - units: the largest first
  init(upTo largest: Double, _ units: [Unit]) {
    unit = units.first { largest >= $0.size } ?? units[units.count - 1]
    let rough = largest / 6
    let power = pow(10, log10(rough).rounded(.down))
    let step = ([1, 2, 5].map { $0 * power }.first { $0 >= rough }) ?? 10 * power
    ticks = (0...Int((largest / step).rounded(.up))).map { Double($0) * step }
  }

  func text(_ tick: Double) -> String { String(format: "%.4g", tick / unit.size) }
}

/// A number with some digits and no exponent: 0.0176, 53.7, 361.
func significant(_ number: Double, _ digits: Int) -> String {
  guard number > 0, number.isFinite else { return "\(number)" }
  let before = Int(log10(number).rounded(.down)) + 1
  return String(format: "%.\(min(max(digits - before, 0), 9))f", number)
}
