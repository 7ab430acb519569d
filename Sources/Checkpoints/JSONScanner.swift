import Foundation

/// Where a text is not the JSON that its reader expects.
struct JSONFault: Error {
  let position: Int
  let expected: String

  var problem: String { "expected \(expected) at byte \(position) of the JSON" }
}

/// Walks through JSON that may be hostile, and builds nothing but the strings and numbers that it is asked for.
///
/// A general parser would hold the whole text as objects, many times its size, and would keep one of two equal keys.
/// Here the caller sees every key as it comes.
struct JSONScanner {
  /// The longest string that is handed out, in bytes.
  static let longestText = 4_096
  private static let deepest = 16

  private let bytes: UnsafeRawBufferPointer
  /// Of the next character, in bytes.
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// An object: each key, then whatever `value` reads after it.
  mutating func object(_ value: (inout JSONScanner, String) throws -> Void) throws {
    try list(from: "{", to: "}", "an object") { scanner in
      let key = try scanner.text()
      try scanner.expect(":", "a colon")
      try value(&scanner, key)
    }
  }

  /// A list of at most this many whole numbers from 0 to 2⁶³ − 1.
  mutating func counts(atMost limit: Int) throws -> [Int] {
    var counts: [Int] = []
    try list(from: "[", to: "]", "a list of whole numbers") { scanner in
      guard counts.count < limit else { throw scanner.fault("at most \(limit) numbers") }
      counts.append(try scanner.count())
    }
    return counts
  }

  /// A string of at most so many bytes.
  mutating func text(atMost limit: Int = longestText) throws -> String {
    try skipSpace()
    let start = position
    let escaped = try skipText()
    guard position - start - 2 <= limit else {
      throw JSONFault(position: start, expected: "at most \(limit) bytes of text")
    }
    let inside = bytes[(start + 1)..<(position - 1)]
    let text =
      escaped
      ? try? JSONDecoder().decode(String.self, from: Data(bytes[start..<position]))
      : String(decoding: inside, as: UTF8.self)
    guard let text, escaped || text.utf8.elementsEqual(inside) else {
      throw JSONFault(position: start, expected: "a string in UTF-8")
    }
    return text
  }

  /// Passes a string of any length, and says whether it holds a backslash.
  @discardableResult
  mutating func skipText() throws -> Bool {
    try expect("\"", "a string")
    var escaped = false
    while let byte = peek(), byte >= 0x20 {
      position += 1
      if byte == UInt8(ascii: "\"") { return escaped }
      guard byte == UInt8(ascii: "\\") else { continue }
      escaped = true
      position += 1
    }
    throw fault("the end of a string")
  }

  /// Passes any value.
  mutating func skipValue(depth: Int = 0) throws {
    try skipSpace()
    guard depth < Self.deepest else { throw fault("at most \(Self.deepest) levels") }
    switch peek() {
    case UInt8(ascii: "{"): try object { scanner, _ in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "["): try list(from: "[", to: "]", "a list") { try $0.skipValue(depth: depth + 1) }
    case UInt8(ascii: "\""): try skipText()
    default:
      let start = position
      while let byte = peek(), Self.isLiteral(byte) { position += 1 }
      guard position > start else { throw fault("a value") }
    }
  }

  /// Requires that nothing but spaces follows.
  mutating func end() throws {
    try skipSpace()
    guard position == bytes.count else { throw fault("the end") }
  }

  // MARK: Single characters

  private func fault(_ expected: String) -> JSONFault { JSONFault(position: position, expected: expected) }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Characters of numbers, `true`, `false` and `null`.
  private static func isLiteral(_ byte: UInt8) -> Bool {
    switch UnicodeScalar(byte) {
    case "a"..."z", "0"..."9", "+", "-", ".", "E": true
    default: false
    }
  }

  private mutating func skipSpace() throws {
    while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private mutating func expect(_ character: UnicodeScalar, _ expected: String) throws {
    try skipSpace()
    guard peek() == UInt8(ascii: character) else { throw fault(expected) }
    position += 1
  }

  /// Elements with commas between two characters.
  private mutating func list(
    from opening: UnicodeScalar, to closing: UnicodeScalar, _ what: String,
    element: (inout JSONScanner) throws -> Void
  ) throws {
    try expect(opening, what)
    try skipSpace()
    if peek() == UInt8(ascii: closing) {
      position += 1
      return
    }
    while true {
      try element(&self)
      try skipSpace()
      guard peek() == UInt8(ascii: ",") else { break }
      position += 1
    }
    try expect(closing, "a comma or the end of \(what)")
  }

  /// A whole number without sign, fraction, exponent or leading zeros.
  private mutating func count() throws -> Int {
    try skipSpace()
    let start = position
    var value = 0
    while let byte = peek(), (0x30...0x39).contains(byte) {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tenfold.addingReportingOverflow(Int(byte - 0x30))
      guard !overflow, !carry else { throw fault("a number below 2^63") }
      value = sum
      position += 1
    }
    let digits = position - start
    guard digits == 1 || (digits > 1 && bytes[start] != 0x30) else {
      throw JSONFault(position: start, expected: "a whole number, not negative")
    }
    return value
  }
}
