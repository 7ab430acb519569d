import Foundation

/// An upright logarithmic axis: decades, drawn from `bottom` up to `top`.
struct DecadeAxis {
  private let low, high: Int
  let top, bottom: Double

  /// - Parameter values: what is to be shown; zero, infinite and NaN have no place on it
  init(_ values: [Double], top: Double, bottom: Double) {
    let logarithms = values.filter { $0 > 0 && $0.isFinite }.map { log10($0) }
    low = Int((logarithms.min() ?? -1).rounded(.down))
    high = max(Int((logarithms.max() ?? 0).rounded(.up)), low + 1)
    (self.top, self.bottom) = (top, bottom)
  }

  /// Zero lies on the bottom, what is no number on the top.
  func y(_ value: Double) -> Double {
    if value == 0 { return bottom }
    guard value > 0, value.isFinite else { return top }
    let share = (log10(value) - Double(low)) / Double(high - low)
    return bottom - min(max(share, 0), 1) * (bottom - top)
  }

  /// Lines and labels, at most about six.
  func grid(left: Double, right: Double) -> Markup {
    let every = max((high - low + 5) / 6, 1)
    let decades = stride(from: low, through: high, by: every)
    return Markup(
      decades.map { decade in
        let y = y(pow(10, Double(decade)))
        return """
          <line class="grid" x1="\(at: left)" y1="\(at: y)" x2="\(at: right)" y2="\(at: y)"/>\
          <text x="\(at: left - 6)" y="\(at: y + 3.5)" text-anchor="end">10<tspan dy="-4" class="power">\(decade)</tspan></text>
          """
      })
  }
}
