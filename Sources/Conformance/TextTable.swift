import Foundation

/// A table in plain text: columns as wide as they need to be, numbers to the right.
public struct TextTable {
  private var rows: [[String]]
  private let alignments: [Alignment]

  /// Where the cells of a column stand.
  public enum Alignment { case left, right }

  /// A header and no row yet.
  public init(_ header: [(String, Alignment)]) {
    rows = [header.map(\.0)]
    alignments = header.map(\.1)
  }

  /// Adds a row of as many cells as the header has.
  public mutating func append(_ row: [String]) { rows.append(row) }

  /// The table, its header underlined, each line indented by two spaces.
  public var text: String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    func line(_ row: [String]) -> String {
      var line = " "
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += " " + (alignments[column] == .left ? cell + padding : padding + cell) + " "
      }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    let rule = "  " + widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(rows[0]), rule] + rows.dropFirst().map(line)).joined(separator: "\n")
  }

  /// The table in Markdown.
  var markdown: String {
    func line(_ row: [String]) -> String { "| " + row.joined(separator: " | ") + " |" }
    let rule = alignments.map { $0 == .left ? "---" : "---:" }
    return ([line(rows[0]), line(rule)] + rows.dropFirst().map(line)).joined(separator: "\n")
  }
}

/// A number for people: three digits, or the sign for what is not a number.
public func brief(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value > 0 ? "∞" : "−∞" }
  return String(format: "%.3g", value)
}

/// Seconds for people.
func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }
