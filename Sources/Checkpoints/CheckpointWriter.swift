import Foundation
import Tensors

/// Writes a checkpoint into a folder: `model.safetensors`, or several files and their index.
///
/// Nothing in the folder has a final name before everything has been written.
public final class CheckpointWriter: TensorSink {
  public let name: String
  private let shards: [SafetensorsWriter]
  private let shardOf: [String: SafetensorsWriter]

  /// Writes a checkpoint.
  ///
  /// - Parameters:
  ///   - folder: must exist and hold no `.safetensors` file and no index
  ///   - tensors: everything that the checkpoint will hold, filled into the files in this order
  ///   - shardBytes: how much data a file may have; a larger tensor gets a file of its own
  ///   - fill: writes all bytes of all tensors, in any order of tensors
  /// - Throws: `CheckpointError` if the folder is not free, a tensor is declared twice or lacks bytes, or something
  ///   cannot be written; and what `fill` throws. The folder is then as it was.
  public static func write(
    _ folder: String, tensors: [TensorDescription], shardBytes: Int = 5_000_000_000,
    _ fill: (CheckpointWriter) throws -> Void
  ) throws {
    let folder = URL(fileURLWithPath: folder)
    let writer = try CheckpointWriter(folder, tensors: tensors, shardBytes: shardBytes)
    defer { for shard in writer.shards { shard.discard() } }
    try fill(writer)
    for shard in writer.shards { try shard.requireComplete() }
    do {
      for shard in writer.shards { try shard.putInPlace() }
      try writer.writeIndex(in: folder, tensors)
    } catch {
      for shard in writer.shards { shard.remove() }
      throw error
    }
  }

  private init(_ folder: URL, tensors: [TensorDescription], shardBytes: Int) throws(CheckpointError) {
    self.name = folder.lastPathComponent
    try Self.requireFree(folder, name)
    let parts = Self.parts(of: tensors, atMost: shardBytes)
    var shards: [SafetensorsWriter] = []
    var shardOf: [String: SafetensorsWriter] = [:]
    do throws(CheckpointError) {
      for (position, part) in parts.enumerated() {
        let path = folder.appendingPathComponent(Self.fileName(position, of: parts.count)).path
        let shard = try SafetensorsWriter(path, tensors: part, metadata: ["format": "pt"])
        shards.append(shard)
        for tensor in part where shardOf.updateValue(shard, forKey: tensor.name) != nil {
          throw CheckpointError(name, "\(quoted(tensor.name)) occurs twice")
        }
      }
    } catch {
      for shard in shards { shard.discard() }
      throw error
    }
    self.shards = shards
    self.shardOf = shardOf
  }

  public func append(_ bytes: [UInt8], to tensor: String) throws(CheckpointError) {
    guard let shard = shardOf[tensor] else { throw CheckpointError(name, "\(quoted(tensor)) was not declared") }
    try shard.append(bytes, to: tensor)
  }

  private static func requireFree(_ folder: URL, _ name: String) throws(CheckpointError) {
    guard let members = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
      throw CheckpointError(name, "is not a folder that can be read")
    }
    if let member = members.sorted().first(where: { $0.hasSuffix(".safetensors") || $0 == CheckpointIndex.fileName }) {
      throw CheckpointError(name, "already holds \(quoted(member)); a checkpoint needs a folder without one")
    }
  }

  /// The tensors of each file, in order, as many as its bytes allow.
  private static func parts(of tensors: [TensorDescription], atMost limit: Int) -> [[TensorDescription]] {
    var parts: [[TensorDescription]] = [[]]
    var room = limit
    for tensor in tensors {
      let bytes = tensor.byteCount ?? 0
      if bytes > room, !parts[parts.count - 1].isEmpty {
        parts.append([])
        room = limit
      }
      parts[parts.count - 1].append(tensor)
      room -= bytes
    }
    return parts
  }

  private static func fileName(_ position: Int, of count: Int) -> String {
    func fiveDigits(_ number: Int) -> String { String(String(100_000 + number).dropFirst()) }
    return count == 1 ? "model.safetensors" : "model-\(fiveDigits(position + 1))-of-\(fiveDigits(count)).safetensors"
  }

  /// Several files need an index; it is written last and in one step.
  private func writeIndex(in folder: URL, _ tensors: [TensorDescription]) throws(CheckpointError) {
    guard shards.count > 1 else { return }
    let index = Index(
      metadata: ["total_size": tensors.reduce(0) { $0 + ($1.byteCount ?? 0) }], weightMap: shardOf.mapValues(\.name))
    let data = try SafetensorsLayout.json(index, file: CheckpointIndex.fileName)
    do {
      try data.write(to: folder.appendingPathComponent(CheckpointIndex.fileName), options: .atomic)
    } catch {
      throw CheckpointError(CheckpointIndex.fileName, "cannot be written: \(error)")
    }
  }

  private struct Index: Encodable {
    let metadata: [String: Int]
    let weightMap: [String: String]

    private enum CodingKeys: String, CodingKey {
      case metadata
      case weightMap = "weight_map"
    }
  }
}
