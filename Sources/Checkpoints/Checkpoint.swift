import Foundation
import Tensors

/// A folder of safetensors files that together hold one set of tensors.
///
/// It has `model.safetensors.index.json`, or `model.safetensors`, or exactly one other `.safetensors` file, looked for in
/// this order.
public final class Checkpoint: Sendable {
  /// The folder's own name, as errors call it.
  public let name: String
  /// The names of all tensors, sorted.
  public let names: [String]
  private let files: [String: SafetensorsFile]

  /// Opens all files and compares them with the index, if there is one.
  ///
  /// - Throws: `CheckpointError` if a file cannot be trusted (see `SafetensorsFile`), if a tensor is not in the file that
  ///   the index names, is in two files, or is in a file but not in the index.
  public init(_ folder: String) throws(CheckpointError) {
    let folder = URL(fileURLWithPath: folder)
    self.name = folder.lastPathComponent
    let candidates = try Self.candidates(in: folder, name: name)
    let index = try Self.index(of: folder, bytes: candidates.reduce(0) { $0 + $1.bytes })
    let shards =
      if let index { Set(index.values) } else { Set([try Self.onlyFile(of: candidates.map(\.file), name: name)]) }
    var opened: [SafetensorsFile] = []
    var faults = Faults()
    for shard in shards.sorted() {
      do {
        opened.append(try SafetensorsFile(folder.appendingPathComponent(shard).path, name: shard))
      } catch {
        faults.add("\(error)")
      }
    }
    try faults.throwIfAny(in: name)
    var files: [String: SafetensorsFile] = [:]
    for file in opened {
      for tensor in file.tensors {
        if let other = files.updateValue(file, forKey: tensor.name) {
          faults.add("\(quoted(tensor.name)) is in \(other.name) and in \(file.name)")
        }
      }
    }
    if let index {
      for (tensor, file) in files.sorted(by: { $0.key < $1.key }) where index[tensor] == nil {
        faults.add("\(quoted(tensor)) in \(file.name) is not in the index")
      }
      for (tensor, shard) in index.sorted(by: { $0.key < $1.key }) where files[tensor]?.name != shard {
        faults.add("\(quoted(tensor)) is not in \(shard), where the index has it")
      }
    }
    try faults.throwIfAny(in: name)
    self.files = files
    self.names = files.keys.sorted()
  }

  /// The `.safetensors` files of a folder, sorted, and their sizes.
  private static func candidates(in folder: URL, name: String) throws(CheckpointError) -> [(file: String, bytes: Int)] {
    guard let members = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
      throw CheckpointError(name, "is not a folder that can be read")
    }
    return members.filter { $0.hasSuffix(".safetensors") }.sorted().map { file in
      let path = folder.appendingPathComponent(file).resolvingSymlinksInPath().path
      return (file, (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int ?? 0)
    }
  }

  /// Tensor to file; nil if there is no index.
  private static func index(of folder: URL, bytes: Int) throws(CheckpointError) -> [String: String]? {
    let path = folder.appendingPathComponent(CheckpointIndex.fileName).path
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try CheckpointIndex(path, folderBytes: bytes).shards
  }

  private static func onlyFile(of candidates: [String], name: String) throws(CheckpointError) -> String {
    if candidates.contains("model.safetensors") { return "model.safetensors" }
    guard candidates.count == 1 else {
      let found = candidates.isEmpty ? "none" : candidates.prefix(5).map(quoted).joined(separator: ", ")
      throw CheckpointError(
        name, "needs \(CheckpointIndex.fileName), model.safetensors or exactly one .safetensors file; there is \(found)"
      )
    }
    return candidates[0]
  }

  /// What the checkpoint says about a tensor and which file it is in; nil if there is none of that name.
  public func entry(_ name: String) -> (tensor: TensorDescription, file: String)? {
    guard let file = files[name], let tensor = file.tensor(name) else { return nil }
    return (tensor, file.name)
  }

  /// As `SafetensorsFile.reals`.
  public func reals<Scalar: RealScalar>(
    _ name: String, as: Scalar.Type = Scalar.self, rows: Range<Int>? = nil
  ) throws(CheckpointError) -> Tensor<Scalar> {
    try file(of: name).reals(name, rows: rows)
  }

  /// As `SafetensorsFile.integers`.
  public func integers(_ name: String, rows: Range<Int>? = nil) throws(CheckpointError) -> Tensor<Int> {
    try file(of: name).integers(name, rows: rows)
  }

  /// As `SafetensorsFile.bytes`.
  public func bytes(_ name: String, rows: Range<Int>? = nil) throws(CheckpointError) -> Tensor<UInt8> {
    try file(of: name).bytes(name, rows: rows)
  }

  private func file(of name: String) throws(CheckpointError) -> SafetensorsFile {
    guard let file = files[name] else { throw CheckpointError(self.name, "there is no tensor \(quoted(name))") }
    return file
  }
}
