import Checkpoints
import Foundation
import GoldenTensors
import Traces

/// How cases are handed over and results come back.
public enum ExchangeFormat: String, Codable, CaseIterable, Sendable {
  case hdf5, safetensors

  /// How the names of files end.
  var fileExtension: String { self == .hdf5 ? "h5" : "safetensors" }
}

extension EngineRequest {
  /// The version of the golden format that cases are handed over in.
  private static let formatVersion: Int64 = 1

  /// Writes the case as an engine gets it: the golden format without the group `expected`.
  ///
  /// - Throws: `GoldenError` or `CheckpointError` if it cannot be written; what stood at `path` is then untouched.
  func write(to path: String, as format: ExchangeFormat) throws {
    let root: [String: StoredAttribute] = [
      "format_version": .integer(Self.formatVersion), "case": .text(id), "preset": .text(preset),
      "component": .text(component), "operation": .text(operation), "description": .text(description),
      "seed": .integer(Int64(seed)),
    ]
    switch format {
    case .hdf5:
      try HDF5Writer.write(path, compresses: false) { writer in
        try writer.set(root, of: "/")
        for group in ["parameters", "inputs", "weights"] { try writer.group(group) }
        try writer.set(parameters, of: "parameters")
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) { try writer.write(tensor, at: name) }
      }
    case .safetensors:
      var metadata = try root.mapValues { try $0.json }
      for (name, value) in parameters { metadata["parameters/\(name)"] = try value.json }
      try SafetensorsWriter.write(path, tensors, metadata: metadata)
    }
  }

  /// Inputs and weights by the names that they have in a file.
  private var tensors: [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in inputs { tensors["inputs/\(name)"] = tensor }
    for (name, tensor) in weights { tensors["weights/\(name)"] = tensor }
    return tensors
  }

  /// Reads a case that was written as HDF5.
  ///
  /// - Throws: `GoldenError` if it cannot be read or is no case of this format version.
  init(contentsOf path: String) throws {
    let reader = try HDF5Reader(path)
    let attributes = try reader.attributes(of: "/")
    guard attributes["format_version"] == .integer(Self.formatVersion) else {
      throw GoldenError(path, "is no case of format version \(Self.formatVersion)")
    }
    func text(_ name: String) throws -> String {
      guard case .text(let value)? = attributes[name] else { throw GoldenError(path, "has no \(name)") }
      return value
    }
    func tensors(_ group: String) throws -> [String: StoredTensor] {
      let names = try reader.members(of: group) ?? []
      return try Dictionary(uniqueKeysWithValues: names.map { ($0, try reader.tensor(at: "\(group)/\($0)")) })
    }
    guard case .integer(let seed)? = attributes["seed"] else { throw GoldenError(path, "has no seed") }
    self.init(
      id: try text("case"), preset: try text("preset"), component: try text("component"),
      operation: try text("operation"), description: try text("description"), seed: Int(seed),
      parameters: try reader.attributes(of: "parameters"), inputs: try tensors("inputs"),
      weights: try tensors("weights"))
  }
}

extension HDF5Writer {
  fileprivate func set(_ attributes: [String: StoredAttribute], of path: String) throws {
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { try set(name, value, of: path) }
  }
}

extension StoredAttribute {
  /// The value as JSON.
  fileprivate var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      let data =
        switch self {
        case .integer(let value): try encoder.encode(value)
        case .real(let value): try encoder.encode(value)
        case .text(let value): try encoder.encode(value)
        }
      return String(decoding: data, as: UTF8.self)
    }
  }
}
