import Foundation
import GoldenTensors
import Traces

/// A message of the engine protocol: one JSON object on one line.
struct EngineMessage {
  static let protocolVersion = 1
  /// The longest line that a side reads, in bytes.
  static let longestLine = 1 << 20

  private let members: [String: Any]

  init(_ members: [String: Any]) { self.members = members }

  /// Reads a line; nil if it is no JSON object.
  init?(line: Data) {
    guard let members = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { return nil }
    self.init(members)
  }

  /// The message as a line, the newline included.
  var line: Data {
    get throws {
      try JSONSerialization.data(withJSONObject: members, options: [.sortedKeys, .withoutEscapingSlashes]) + [0x0A]
    }
  }

  var type: String? { text("type") }
  var id: String? { text("id") }

  func text(_ member: String) -> String? { members[member] as? String }

  /// - Throws: `EngineFault` if there is no such text.
  func requiredText(_ member: String) throws -> String {
    guard let text = text(member) else {
      throw EngineFault("its message of type '\(shortType)' has no text '\(member)'")
    }
    return text
  }

  /// The type as it can be shown.
  var shortType: String { plain(type ?? "", limit: 40) }

  /// The protocol version that a `start` or `started` speaks.
  var version: Int? { members["protocol"] as? Int }
}

/// What an engine did against the protocol, in one sentence.
struct EngineFault: Error, CustomStringConvertible {
  let description: String

  init(_ sentence: String) { description = sentence }
}

extension EngineMessage {
  /// The message by which an engine introduces itself.
  static func started(_ engine: EngineDescription) -> EngineMessage {
    var about: [String: Any] = engine.details
    about["name"] = engine.name
    about["version"] = engine.version
    var members: [String: Any] = [
      "type": "started", "protocol": protocolVersion, "engine": about, "precision": engine.precision.rawValue,
      "format": TensorFileFormat.hdf5.rawValue, "replays": engine.replays,
    ]
    members["operations"] = engine.operations
    return EngineMessage(members)
  }

  /// What an engine says of itself, and how it wants to exchange files.
  ///
  /// - Throws: `EngineFault` if the message is not a proper `started`.
  func introduction() throws -> (EngineDescription, TensorFileFormat) {
    guard type == "started" else { throw EngineFault("it answered start with a message of type '\(shortType)'") }
    guard version == Self.protocolVersion else {
      throw EngineFault("it does not say that it speaks protocol \(Self.protocolVersion)")
    }
    guard let about = members["engine"] as? [String: Any] else { throw EngineFault("started has no object 'engine'") }
    guard var details = about as? [String: String] else {
      throw EngineFault("in started, a member of 'engine' is not text")
    }
    guard let name = details.removeValue(forKey: "name"), let version = details.removeValue(forKey: "version"),
      !name.isEmpty
    else { throw EngineFault("in started, 'engine' has no name or no version") }
    guard let precision = text("precision").flatMap(PrecisionClass.init) else {
      let known = PrecisionClass.allCases.map(\.rawValue).joined(separator: ", ")
      throw EngineFault("in started, 'precision' is none of \(known)")
    }
    guard let format = TensorFileFormat(rawValue: try optional("format", String.self) ?? "hdf5") else {
      throw EngineFault("in started, 'format' is neither hdf5 nor safetensors")
    }
    let description = EngineDescription(
      name: plain(name), version: plain(version), details: details.mapValues { plain($0) }, precision: precision,
      operations: try optional("operations", [String].self), replays: try optional("replays", Bool.self) ?? false)
    return (description, format)
  }

  private func optional<Value>(_ member: String, _: Value.Type) throws -> Value? {
    guard let value = members[member] else { return nil }
    guard let typed = value as? Value else { throw EngineFault("in started, '\(member)' is not what it should be") }
    return typed
  }
}
