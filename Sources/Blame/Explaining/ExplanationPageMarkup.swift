import Foundation

/// A piece of a page or a drawing. What is put into it by interpolation is escaped, because names come from files of others; only
/// other markup is put in as it is.
public struct Markup: ExpressibleByStringInterpolation, Sendable {
  public let text: String

  public init(stringLiteral value: String) { text = value }
  public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  /// Pieces one after another, each on a line of its own.
  public init(_ pieces: [Markup]) { text = pieces.map(\.text).joined(separator: "\n") }

  /// Pieces within a line.
  public init(_ pieces: [Markup], separator: Markup) { text = pieces.map(\.text).joined(separator: separator.text) }

  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ literal: String) { text += literal }

    /// Markup, as it is.
    public mutating func appendInterpolation(_ markup: Markup) { text += markup.text }

    /// Text, escaped.
    public mutating func appendInterpolation(_ string: String) { text += escaped(string) }

    /// A number in decimal digits.
    public mutating func appendInterpolation(_ number: Int) { text += String(number) }

    /// A coordinate in a drawing, to a tenth.
    public mutating func appendInterpolation(at coordinate: Double) { text += String(format: "%.1f", coordinate) }
  }
}

/// Safe between tags and in attributes. What cannot be seen or reverses the order of what is read is spelled out.
private func escaped(_ string: String) -> String {
  var text = ""
  for scalar in string.unicodeScalars {
    switch (scalar, scalar.properties.generalCategory) {
    case ("&", _): text += "&amp;"
    case ("<", _): text += "&lt;"
    case (">", _): text += "&gt;"
    case ("\"", _): text += "&quot;"
    case ("'", _): text += "&#39;"
    case (_, .control), (_, .format), (_, .lineSeparator), (_, .paragraphSeparator), (_, .unassigned):
      text += "\\u{\(String(scalar.value, radix: 16))}"
    default: text.unicodeScalars.append(scalar)
    }
  }
  return text
}

/// A name as code.
func code(_ name: String) -> Markup { "<code>\(name)</code>" }

/// Names as code, separated by commas.
func codes(_ names: [String]) -> Markup { Markup(names.map(code), separator: ", ") }

func counted(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }
