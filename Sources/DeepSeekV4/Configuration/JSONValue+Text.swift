import Foundation

extension JSONValue: CustomStringConvertible {
  /// The text on one line, cut after 60 characters.
  public var description: String {
    let text = oneLine
    return text.count > 60 ? text.prefix(60) + "…" : text
  }

  /// The text with each key of an object on a line of its own, keys in alphabetical order. A `number` keeps its
  /// fraction, as in 10.0: the transformers library takes an integer for an error there.
  func text(indentation: String = "") -> String {
    guard case .object(let object) = self else { return oneLine }
    let inner = indentation + "  "
    let lines = object.sorted { $0.key < $1.key }.map { key, value in
      "\(inner)\(Self.quoted(key)): \(value.text(indentation: inner))"
    }
    return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
  }

  private var oneLine: String {
    switch self {
    case .null: "null"
    case .bool(let bool): "\(bool)"
    case .integer(let integer): "\(integer)"
    case .number(let number): "\(number)"
    case .string(let string): Self.quoted(string)
    case .array(let array): "[" + array.map(\.oneLine).joined(separator: ", ") + "]"
    case .object(let object):
      "{" + object.sorted { $0.key < $1.key }.map { Self.quoted($0) + ": " + $1.oneLine }.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ string: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return (try? encoder.encode(string)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
