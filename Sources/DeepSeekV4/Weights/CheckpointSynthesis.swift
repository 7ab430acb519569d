import Checkpoints
import Foundation
import Tensors

/// A checkpoint of generated weights, in the formats of its configuration.
public struct CheckpointSynthesis {
  private let configuration: ModelConfiguration
  private let weights: GeneratedWeights
  private let tensors: [TensorDescription]

  /// How many rows of a matrix are made at a time: whole blocks of 128.
  private static let rowsAtATime = 512

  /// - Throws: `CheckpointError` if a block of a format does not fit a matrix.
  public init(_ configuration: ModelConfiguration, seed: Int) throws(CheckpointError) {
    self.configuration = configuration
    weights = GeneratedWeights(seed: seed, configuration: configuration, rounded: false)
    var tensors: [TensorDescription] = []
    for weight in configuration.inventory { tensors += try weight.stored() }
    self.tensors = tensors
  }

  /// The size of all tensors.
  public var bytes: Int { tensors.reduce(0) { $0 + $1.shape.reduce(1, *) * $1.type.size } }

  /// Writes the folder: config.json, safetensors files, and their index if there are several.
  ///
  /// - Parameters:
  ///   - folder: must be empty, or not exist
  ///   - progress: hears how many of the matrices and vectors are done
  /// - Throws: `CheckpointError` if the folder is not free or something cannot be written; it is then as it was.
  public func write(to folder: URL, progress: (_ done: Int, _ of: Int) -> Void) throws {
    let manager = FileManager.default
    let existed = manager.fileExists(atPath: folder.path)
    let members = try? manager.contentsOfDirectory(atPath: folder.path)
    guard !existed || members?.isEmpty == true else {
      throw CheckpointError(folder.path, "already exists, and is not an empty folder")
    }
    try manager.createDirectory(at: folder, withIntermediateDirectories: true)
    let description = folder.appendingPathComponent("config.json")
    do {
      try configuration.json(.huggingFace).write(to: description, options: .atomic)
      try CheckpointWriter.write(folder.path, tensors: tensors) { writer in
        let inventory = configuration.inventory
        for (index, weight) in inventory.enumerated() {
          try write(weight, to: writer)
          progress(index + 1, inventory.count)
        }
      }
    } catch {
      try? manager.removeItem(at: existed ? description : folder)
      throw error
    }
  }

  private func write(_ weight: WeightDescription, to writer: CheckpointWriter) throws {
    guard case .reals(let format) = weight.storage else {
      return try writer.append(weights.integers(weight.name, shape: weight.shape), to: weight.name)
    }
    guard weight.shape.count == 2 else {
      return try writer.append(weights.float32(weight.name, shape: weight.shape), to: weight.name, as: format.encoding)
    }
    for first in stride(from: 0, to: weight.shape[0], by: Self.rowsAtATime) {
      let rows = first..<min(first + Self.rowsAtATime, weight.shape[0])
      let values = try weights.float32(weight.name, shape: weight.shape, rows: rows)
      try writer.append(values, to: weight.name, as: format.encoding)
    }
  }
}

extension WeightFormat {
  /// How a checkpoint stores this format.
  public var encoding: MatrixEncoding {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float8: .float8
    case .float4: .float4
    }
  }
}
