import Checkpoints
import Foundation
import GoldenTensors
import Tensors

/// How a file of tensors is stored.
public enum TensorFileFormat: String, Codable, CaseIterable, Sendable {
  case hdf5, safetensors

  /// With which its files end, without a dot.
  public var suffix: String {
    switch self {
    case .hdf5: "h5"
    case .safetensors: "safetensors"
    }
  }
}

extension EngineRequest {
  /// Writes what an engine may see of a case: all but what is expected (`docs/engine-protocol.md`, "Files").
  ///
  /// - Parameter compresses: whether larger tensors are compressed in HDF5, which takes time
  /// - Throws: `GoldenError` or `CheckpointError` if it cannot be written; what stood at `path` is then untouched.
  public func write(to path: String, as format: TensorFileFormat, compresses: Bool = true) throws {
    switch format {
    case .hdf5:
      try HDF5Writer.write(path, compresses: compresses) { file in
        for (name, value) in rootAttributes { try file.set(name, value) }
        for group in ["parameters", "inputs", "weights"] { try file.group(group) }
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) { try file.set(name, value, of: "parameters") }
        for (name, tensor) in givenTensors.sorted(by: { $0.key < $1.key }) { try file.write(tensor, at: name) }
      }
    case .safetensors: try SafetensorsWriter.write(path, givenTensors, metadata: givenMetadata())
    }
  }

  /// What goes in, by path.
  fileprivate var givenTensors: [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in inputs { tensors["inputs/\(name)"] = tensor }
    for (name, tensor) in weights { tensors["weights/\(name)"] = tensor }
    return tensors
  }

  /// In the order in which they are written. That an error is expected is not among them.
  private var rootAttributes: [(String, StoredAttribute)] {
    [
      ("format_version", .integer(Int64(GoldenManifest.supportedVersion))), ("case", .text(id)),
      ("preset", .text(preset)), ("component", .text(component)), ("operation", .text(operation)),
      ("description", .text(description)), ("seed", .integer(Int64(seed))),
    ]
  }

  fileprivate func givenMetadata() throws -> [String: String] {
    var metadata: [String: String] = [:]
    for (name, value) in rootAttributes {
      switch value {
      case .text(let text): metadata[name] = text
      case .integer(let integer): metadata[name] = "\(integer)"
      case .real(let real): metadata[name] = "\(real)"
      }
    }
    for (name, value) in parameters { metadata["parameters/\(name)"] = try json(value, name) }
    return metadata
  }

  /// The value as JSON text, so that its kind is not lost.
  private func json(_ value: StoredAttribute, _ name: String) throws -> String {
    switch value {
    case .integer(let integer): return "\(integer)"
    case .real(let real):
      guard real.isFinite else {
        throw GoldenError(id, "the parameter \(name) is \(real), which JSON cannot say")
      }
      return "\(real)"
    case .text(let text):
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      return String(decoding: try encoder.encode(text), as: UTF8.self)
    }
  }
}

extension GoldenCase {
  /// Writes the whole case as safetensors: inputs, weights, expected tensors, and how these are judged
  /// (`golden/FORMAT.md`, "As safetensors").
  ///
  /// - Throws: as `EngineRequest.write(to:as:)`.
  public func write(safetensorsTo path: String) throws {
    var metadata = try request.givenMetadata()
    metadata["expected_error"] = entry.expectedError
    for (name, tensor) in entry.tensors {
      metadata["expected/\(name)/judge"] = tensor.judge.rawValue
      metadata["expected/\(name)/tolerance_float"] = tensor.tolerance.map { "\($0.float)" }
      metadata["expected/\(name)/tolerance_double"] = tensor.tolerance.map { "\($0.double)" }
    }
    let tensors = request.givenTensors.merging(expected.map { ("expected/\($0)", $1) }) { given, _ in given }
    try SafetensorsWriter.write(path, tensors, metadata: metadata)
  }
}
