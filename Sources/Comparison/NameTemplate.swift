import GoldenTensors

/// A name with numbers in it: `layers.{l}.attn.queries`, `step{c:04}/q` with a number of at least four digits.
struct NameTemplate: Sendable {
  private enum Part: Sendable {
    case text(String)
    case number(String, digits: Int)
  }

  let text: String
  private let parts: [Part]

  /// - Throws: `GoldenError` if the braces make no sense.
  init(_ text: String, in file: String) throws(GoldenError) {
    self.text = text
    var parts: [Part] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else {
        throw GoldenError(file, "'\(text)' has a brace that is not closed")
      }
      let inside = rest[rest.index(after: open)..<close].split(separator: ":", omittingEmptySubsequences: false)
      let digits = inside.count == 1 ? 1 : inside.count == 2 && inside[1].first == "0" ? Int(inside[1]) : nil
      guard let name = inside.first, !name.isEmpty, name.allSatisfy(\.isLetter), let digits, (1...9).contains(digits)
      else { throw GoldenError(file, "'\(text)' should have numbers such as {l} or {l:03} in braces") }
      if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
      parts.append(.number(String(name), digits: digits))
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    self.parts = parts
  }

  var numbers: Set<String> {
    Set(parts.compactMap { part in if case .number(let name, _) = part { name } else { nil } })
  }

  /// The numbers in a name that the template fits; nil if it does not fit.
  func match(_ name: String) -> [String: Int]? {
    var rest = name[...]
    var found: [String: Int] = [:]
    for part in parts {
      switch part {
      case .text(let text):
        guard rest.hasPrefix(text) else { return nil }
        rest = rest.dropFirst(text.count)
      case .number(let name, let digits):
        let run = rest.prefix { $0.isASCII && $0.isNumber }
        guard run.count >= digits, let value = Int(run), found[name] == nil || found[name] == value else { return nil }
        found[name] = value
        rest = rest.dropFirst(run.count)
      }
    }
    return rest.isEmpty ? found : nil
  }

  /// The name with these numbers.
  ///
  /// - Precondition: there is one for each.
  func name(_ values: [String: Int]) -> String {
    parts.map { part in
      switch part {
      case .text(let text): return text
      case .number(let name, let digits):
        let written = "\(values[name]!)"
        return String(repeating: "0", count: max(digits - written.count, 0)) + written
      }
    }.joined()
  }
}
