import Foundation
import GoldenTensors

extension TensorMap {
  /// Reads a map strictly: an unknown key is a misspelt one.
  ///
  /// - Throws: `GoldenError` with the first fault.
  public init(contentsOf path: String) throws {
    let name = URL(fileURLWithPath: path).lastPathComponent
    guard let data = FileManager.default.contents(atPath: path) else { throw GoldenError(name, "cannot be read") }
    guard let root = try? JSONSerialization.jsonObject(with: data) else { throw GoldenError(name, "is not JSON") }
    let reader = MapReader(file: name)
    let object = try reader.object(root, "the map", keys: ["rules", "ignore"])
    rules = try reader.list(object["rules"] ?? [Any](), "rules").map(reader.rule)
    ignored = try reader.list(object["ignore"] ?? [Any](), "ignore").map { try reader.text($0, "ignore") }
    guard !rules.isEmpty || !ignored.isEmpty else {
      throw GoldenError(name, "has neither rules nor anything to ignore")
    }
  }
}

/// Takes JSON apart.
private struct MapReader {
  let file: String

  func rule(_ value: Any) throws -> TensorMap.Rule {
    let object = try object(value, "a rule", keys: ["ours", "theirs", "shards", "layout"])
    let ours = try NameTemplate(text(object["ours"], "ours"), in: file)
    let theirs = try NameTemplate(text(object["theirs"], "theirs"), in: file)
    let what = "the rule for \(ours.text)"
    let shards = try object["shards"].map { try count($0, "shards of \(what)") }
    guard (shards != nil) == theirs.numbers.contains(TensorMap.rank), !ours.numbers.contains(TensorMap.rank) else {
      throw GoldenError(file, "\(what): {r} in theirs counts shards, and goes with the axis 'shards'")
    }
    if let unknown = theirs.numbers.subtracting(ours.numbers).subtracting([TensorMap.rank]).sorted().first {
      throw GoldenError(file, "\(what): theirs has the number {\(unknown)}, which ours has not")
    }
    let layout = try list(object["layout"] ?? [Any](), "layout").map { try step($0, what) }
    return TensorMap.Rule(ours: ours, theirs: theirs, shards: shards, layout: layout)
  }

  private func step(_ value: Any, _ what: String) throws -> LayoutStep {
    let keys: Set = ["transpose", "reshape", "squeeze", "take", "slice"]
    let object = try object(value, "a layout step of \(what)", keys: keys)
    guard object.count == 1, let (key, value) = object.first else {
      throw GoldenError(file, "a layout step of \(what) must be one of \(keys.sorted().joined(separator: ", "))")
    }
    switch key {
    case "transpose": return .transpose(try list(value, key).map { try count($0, key) })
    case "reshape": return .reshape(try list(value, key).map { try length($0, what) })
    case "squeeze": return .squeeze(axis: try count(value, key))
    case "take":
      let object = try self.object(value, "take of \(what)", keys: ["axis", "index"])
      return .take(axis: try count(object["axis"], "axis"), index: try count(object["index"], "index"))
    default:
      let object = try self.object(value, "slice of \(what)", keys: ["axis", "from", "to"])
      let (from, to) = (try count(object["from"], "from"), try count(object["to"], "to"))
      guard from <= to else { throw GoldenError(file, "a slice of \(what) goes from \(from) to \(to)") }
      return .slice(axis: try count(object["axis"], "axis"), range: from..<to)
    }
  }

  private func length(_ value: Any, _ what: String) throws -> LayoutStep.Length {
    if let letter = value as? String { return .axis(letter) }
    guard let number = number(value), number >= -1 else {
      throw GoldenError(file, "reshape of \(what) needs whole numbers, -1 or letters of axes, got \(value)")
    }
    return .number(number)
  }

  func object(_ value: Any, _ what: String, keys: Set<String>) throws -> [String: Any] {
    guard let object = value as? [String: Any] else { throw GoldenError(file, "\(what) is not an object") }
    if let unknown = object.keys.sorted().first(where: { !keys.contains($0) }) {
      throw GoldenError(file, "\(what) has the unknown key '\(unknown)'")
    }
    return object
  }

  func list(_ value: Any, _ what: String) throws -> [Any] {
    guard let list = value as? [Any] else { throw GoldenError(file, "\(what) is not a list") }
    return list
  }

  func text(_ value: Any?, _ what: String) throws -> String {
    guard let text = value as? String, !text.isEmpty else { throw GoldenError(file, "\(what) is not a text") }
    return text
  }

  private func count(_ value: Any?, _ what: String) throws -> Int {
    guard let value, let number = number(value), number >= 0 else {
      throw GoldenError(file, "\(what) is not a whole number from 0")
    }
    return number
  }

  /// JSONSerialization has true as 1 and 1.5 as a number, too.
  private func number(_ value: Any) -> Int? {
    guard let number = value as? NSNumber, String(cString: number.objCType) != "c" else { return nil }
    return Int(exactly: number.doubleValue)
  }
}
