import Taps

/// A line of the list of taps.
public struct TapListing: Codable, Sendable {
  public let tap: String
  public let axes: String
  public let equation: String
  public let step: String
  public let parents: [String]

  /// One line for each place of a tap.
  public static func listings(_ tap: Tap) -> [TapListing] {
    tap.patterns.map { pattern in
      TapListing(
        tap: pattern, axes: "[\(tap.axes(of: pattern).joined(separator: ", "))]", equation: tap.equation,
        step: tap.step,
        parents: tap.parentNames(of: pattern, layers: 0).map { $0.replacing("layers.-1", with: "layers.{l−1}") })
    }
  }

  /// The whole list. The taps of an MTP block, which has those of a layer of ratio 0, are left out where they repeat.
  public static var table: String {
    var table = TextTable([("tap", .left), ("axes", .left), ("equation", .left), ("made by", .left), ("from", .left)])
    for tap in Tap.all {
      for listing in listings(tap) where tap.place == .prediction || !listing.tap.hasPrefix("mtp.") {
        table.append([
          listing.tap, listing.axes, listing.equation, listing.step, listing.parents.joined(separator: ", "),
        ])
      }
    }
    let axes = Tap.axes.map { "  \($0.key): \($0.value)" }.joined(separator: "\n")
    return "\(table.text)\n\nAn MTP block, mtp.{k}, has the taps of a layer without compression, too.\nAxes:\n\(axes)"
  }
}

/// A line of the table of rounding points.
public struct RoundingListing: Codable, Sendable {
  public let point: String
  public let format: String
  public let block: String
  public let modes: [String]
  public let source: String

  /// Every point where some mode rounds, in the order of computation.
  public static var all: [RoundingListing] {
    Tap.all.flatMap { tap -> [RoundingListing] in
      guard let rounding = tap.rounding else { return insides(of: tap) }
      let pattern =
        tap.place == .prediction ? tap.patterns[0] : tap.patterns.first { !$0.hasPrefix("mtp.") } ?? tap.name
      return insides(of: tap) + [line(pattern, rounding)]
    }
  }

  /// The points inside a step, which are no taps of their own.
  private static func insides(of tap: Tap) -> [RoundingListing] {
    tap.roundingsInside.map { point, rounding in line("\(tap.patterns[0]): \(point)", rounding) }
  }

  private static func line(_ point: String, _ rounding: Rounding) -> RoundingListing {
    RoundingListing(
      point: point, format: rounding.format.name, block: rounding.format.block,
      modes: NumericsMode.allCases.filter(rounding.modes.contains).map(\.rawValue), source: rounding.source)
  }

  public static var table: String {
    var table = TextTable([("point", .left), ("format", .left), ("block", .left), ("modes", .left), ("source", .left)])
    for line in all {
      table.append([line.point, line.format, line.block, line.modes.joined(separator: ", "), line.source])
    }
    return table.text + """


      simulated: where the released code rounds its caches; deployed: everywhere; exact: nowhere.
      {l} stands for every layer that has the point, and for an MTP block. Blocks that do not divide an axis are refused.
      The shared expert rounds like the routed ones.
      """
  }
}
