import Foundation
import Tensors

/// A JSON document.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  /// A number with a fraction or an exponent, or an integer that does not fit into `Int`.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue: Decodable {
  /// Any JSON value; `object(_:operation:)` checks a document.
  ///
  /// - Throws: `DecodingError` for a number that no type holds.
  public init(from decoder: any Decoder) throws {
    if let scalar = try? decoder.singleValueContainer().scalar {
      self = scalar
    } else if var container = try? decoder.unkeyedContainer() {
      var array: [JSONValue] = []
      while !container.isAtEnd { array.append(try container.decode(JSONValue.self)) }
      self = .array(array)
    } else {
      let container = try decoder.container(keyedBy: AnyKey.self)
      var object: [String: JSONValue] = [:]
      for key in container.allKeys { object[key.stringValue] = try container.decode(JSONValue.self, forKey: key) }
      self = .object(object)
    }
  }

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

extension SingleValueDecodingContainer {
  /// Nil for an array or an object. A `Bool` is no number for the decoder, nor the other way round.
  fileprivate var scalar: JSONValue? {
    if decodeNil() { return .null }
    if let integer = try? decode(Int.self) { return .integer(integer) }
    if let number = try? decode(Double.self) { return .number(number) }
    if let bool = try? decode(Bool.self) { return .bool(bool) }
    return (try? decode(String.self)).map(JSONValue.string)
  }
}

extension JSONValue {
  /// Far more than any configuration needs.
  static let largestDocument = 1 << 17

  /// Reads one JSON object.
  ///
  /// - Throws: `InputError` if the text is too long, not UTF-8, not JSON, not an object, or has a key twice in one
  ///   object.
  static func object(_ data: Data, operation: String) throws(InputError) -> [String: JSONValue] {
    guard data.count <= largestDocument else {
      throw InputError(operation, "\(data.count) bytes are more than the \(largestDocument) of any configuration")
    }
    guard String(data: data, encoding: .utf8) != nil else { throw InputError(operation, "the text is not UTF-8") }
    let value: JSONValue
    do {
      value = try JSONDecoder().decode(JSONValue.self, from: data)
    } catch {
      throw InputError(operation, "the text is not JSON, or has a number out of range")
    }
    guard case .object(let object) = value else {
      throw InputError(operation, "the JSON must be an object, got \(value)")
    }
    if let key = firstRepeatedKey(in: Array(data)) {
      throw InputError(operation, "the key \(JSONValue.string(key)) stands twice in one object")
    }
    return object
  }
}
