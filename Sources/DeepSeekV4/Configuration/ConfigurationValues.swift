import Tensors

/// The values of a published configuration, read key by key. Everything wrong with them is collected in `faults`.
struct ConfigurationValues {
  let form: ConfigurationForm
  /// By the name with dots that `ConfigurationKey` has. A null stands for a missing value.
  private let values: [String: JSONValue]
  private(set) var faults: [String] = []
  /// Whether every value that was asked for was there and of its kind.
  private(set) var isComplete = true
  /// What a reader should know although nothing is wrong.
  var warnings: [String] = []

  init(_ object: [String: JSONValue], form: ConfigurationForm) {
    self.form = form
    var values: [String: JSONValue] = [:]
    Self.flatten(object, prefix: "", into: &values)
    let known = ConfigurationKey.names(in: form)
    let objects = ConfigurationKey.objectNames(in: form)
    let others = Set(ConfigurationForm.allCases.filter { $0 != form }.flatMap(ConfigurationKey.names(in:)))
    for name in values.keys.sorted() where !known.contains(name) && !name.hasPrefix(DSpark.prefix) {
      if objects.contains(name) {
        if let value = values[name], value != .null { faults.append("\(quoted(name)) must be an object, got \(value)") }
        continue
      }
      let origin = others.contains(name) ? " (of the other form)" : ""
      faults.append("unknown key \(quoted(name))\(origin)")
    }
    for key in ConfigurationKey.constants {
      guard case .only(let expected) = key.rule, let name = key.name(in: form), let value = values[name],
        value != .null, value != expected
      else { continue }
      faults.append("\(quoted(name)) must be \(expected), got \(value)")
    }
    self.values = values
  }

  /// Inner objects become names with dots. A dot inside a key is doubled, so that no key can pass for an inner one.
  private static func flatten(_ object: [String: JSONValue], prefix: String, into values: inout [String: JSONValue]) {
    for (key, value) in object {
      let name = prefix + key.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "..")
      if case .object(let inner) = value, !inner.isEmpty {
        flatten(inner, prefix: name + ".", into: &values)
      } else {
        values[name] = value
      }
    }
  }

  /// The names that start so, in order.
  func names(startingWith prefix: String) -> [String] { values.keys.filter { $0.hasPrefix(prefix) }.sorted() }

  mutating func fault(_ text: String) { faults.append(text) }

  /// A value under its name with dots, nil if it is missing or null.
  func value(_ name: String) -> JSONValue? { values[name].flatMap { $0 == .null ? nil : $0 } }

  /// Reads a value, nil if it is missing or null.
  ///
  /// - Parameters:
  ///   - kind: what a fault calls it, as in "an integer"
  ///   - convert: nil if the value is of another kind
  mutating func optional<Value>(
    _ name: String, _ kind: String, _ convert: (JSONValue) -> Value?
  ) -> Value? {
    guard let value = value(name) else { return nil }
    guard let converted = convert(value) else {
      refuse("\(quoted(name)) must be \(kind), got \(value)")
      return nil
    }
    return converted
  }

  mutating func optionalInteger(_ name: String) -> Int? { optional(name, "an integer", \.wholeNumber) }
  mutating func optionalNumber(_ name: String) -> Double? { optional(name, "a number", \.anyNumber) }
  mutating func optionalText(_ name: String) -> String? { optional(name, "a string", \.text) }
  mutating func optionalIntegers(_ name: String) -> [Int]? {
    optional(name, "a list of integers") { $0.elements { $0.wholeNumber } }
  }
  mutating func optionalTexts(_ name: String) -> [String]? {
    optional(name, "a list of strings") { $0.elements { $0.text } }
  }

  /// Reads a value that must be there, 0 if it is not.
  mutating func integer(_ key: ConfigurationKey) -> Int {
    guard let name = key.name(in: form) else { return 0 }
    if value(name) == nil { return missing(name, key)?.wholeNumber ?? 0 }
    return optionalInteger(name) ?? 0
  }

  /// Reads an integer that must be there and in a range, nil if it is not.
  mutating func integer(_ key: ConfigurationKey, in range: ClosedRange<Int>) -> Int? {
    let faultsBefore = faults.count
    let value = integer(key)
    guard faults.count == faultsBefore, let name = key.name(in: form) else { return nil }
    guard range.contains(value) else {
      refuse("\(quoted(name)) must be between \(range.lowerBound) and \(range.upperBound), got \(value)")
      return nil
    }
    return value
  }

  /// Reads a value that must be there, 0 if it is not.
  mutating func number(_ key: ConfigurationKey) -> Double {
    guard let name = key.name(in: form) else { return 0 }
    if value(name) == nil { return missing(name, key)?.anyNumber ?? 0 }
    return optionalNumber(name) ?? 0
  }

  /// Reads a text that must be there and have this value.
  mutating func requireText(_ key: ConfigurationKey, _ expected: String) {
    guard let name = key.name(in: form) else { return }
    if value(name) == nil { _ = missing(name, key) }
    guard let text = optionalText(name), text != expected else { return }
    fault("\(quoted(name)) must be \(quoted(expected)), got \(quoted(text))")
  }

  /// The value of the first name that has one. The others must agree with it.
  mutating func agreed<Value: Equatable>(_ sources: [(name: String, value: Value?)]) -> Value? {
    let present = sources.compactMap { source in source.value.map { (name: source.name, value: $0) } }
    guard let first = present.first else { return nil }
    for other in present.dropFirst() where other.value != first.value {
      fault("\(quoted(first.name)) says \(first.value), \(quoted(other.name)) says \(other.value)")
    }
    return first.value
  }

  /// Notes that a value that is needed is missing or of the wrong kind: the rest cannot be checked then.
  mutating func refuse(_ text: String) {
    isComplete = false
    fault(text)
  }

  private mutating func missing(_ name: String, _ key: ConfigurationKey) -> JSONValue? {
    if case .inferenceDefault(let value) = key.rule, form == .inference { return value }
    refuse("missing \(quoted(name))")
    return nil
  }
}

/// As JSON text, so that a line break in a key stays in its quotes, and cut if it is long.
func quoted(_ text: String) -> String { JSONValue.string(text).description }

extension JSONValue {
  /// An integer, or a number without a fraction such as 6.0 as long as `Double` has every integer around it.
  var wholeNumber: Int? {
    switch self {
    case .integer(let integer): integer
    case .number(let number) where abs(number) <= 0x1p53: Int(exactly: number)
    default: nil
    }
  }

  var anyNumber: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    default: nil
    }
  }

  var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// All elements of an array, nil if this is none or one of them does not convert.
  func elements<Value>(_ convert: (JSONValue) -> Value?) -> [Value]? {
    guard case .array(let array) = self else { return nil }
    let converted = array.compactMap(convert)
    return converted.count == array.count ? converted : nil
  }
}
