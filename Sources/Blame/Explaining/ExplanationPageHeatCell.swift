import Taps

/// Where in the model a value is: a row and a column of the heat map.
struct PlaceInModel {
  /// The layer or MTP block; nil for the model itself.
  let number: Int?
  private let group: String
  /// The name within the layer, the block or the model, as in `attn.queries`.
  let column: String

  /// - Parameter name: as in `layers.2.attn.queries` or `layers.{l}.attn.queries`
  init(of name: String) {
    let words = name.split(separator: ".")
    let isInside = words.count > 2 && (words[0] == "layers" || words[0] == "mtp")
    group = isInside ? String(words[0]) : ""
    number = isInside ? Int(words[1]) : nil
    column = words.dropFirst(isInside ? 2 : 0).joined(separator: ".")
  }

  /// As in the registry, `layers.{l}.attn.queries`.
  var pattern: String {
    group.isEmpty ? column : "\(group).\(group == "mtp" ? "{k}" : "{l}").\(column)"
  }

  var row: Row { Row(group: group, number: number ?? 0) }

  /// The model, a layer or an MTP block.
  struct Row: Hashable, Comparable {
    let group: String
    let number: Int

    var label: String { group.isEmpty ? "model" : group == "mtp" ? "mtp \(number)" : "layer \(number)" }

    static func < (a: Row, b: Row) -> Bool { (a.group, a.number) < (b.group, b.number) }
  }
}

enum HeatMapColumns {
  /// The rank of each column: the taps in the order of the registry, one place after another.
  static let order: [String: Int] = {
    var columns: [String: Int] = [:]
    var rest = Tap.all[...]
    while let place = rest.first?.place {
      let group = rest.prefix { $0.place == place }
      rest = rest.dropFirst(group.count)
      for index in place.patterns.indices {
        for tap in group where tap.patterns.indices.contains(index) {
          let column = PlaceInModel(of: tap.patterns[index]).column
          columns[column] = columns[column] ?? columns.count
        }
      }
    }
    return columns
  }()
}

/// What is known of one tap in one layer, over all calls.
struct HeatCell {
  /// The worst by verdict, then by multiple; nil if it is nowhere recorded.
  let worst: StepResult?
  /// Calls that it is wrong in, and that it was judged in.
  let wrong, judged: Int
  let isTie: Bool

  init(_ results: [StepResult]) {
    wrong = results.count { $0.verdict == .wrong }
    judged = results.count { $0.verdict != .inherited }
    isTie = results.contains { $0.verdict == .tie }
    worst = results.max { Self.rank($0) < Self.rank($1) }
  }

  private static func rank(_ result: StepResult) -> (Int, Double) {
    switch result.verdict {
    case .wrong: (2, result.multiple)
    case .inherited: (1, 0)
    case .right, .tie: (0, result.multiple)
    }
  }

  /// The steps of the colour scale.
  static let levels = [
    "≤ 0.01", "≤ 0.1", "≤ 1", "≤ 10", "≤ 100", "≤ 10³", "≤ 10⁴", "≤ 10⁵", "≤ 10⁶", "more, NaN, wrong shape",
  ]
  /// How many of them are right.
  static let rightLevels = 3

  /// A class of the style sheet.
  var style: String {
    guard let worst else { return "missing" }
    if worst.verdict == .inherited { return "inherited" }
    return "k\(Self.level(worst.multiple))"
  }

  static func level(_ multiple: Double) -> Int {
    let bounds = [0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6]
    return bounds.firstIndex { multiple <= $0 } ?? bounds.count
  }
}
