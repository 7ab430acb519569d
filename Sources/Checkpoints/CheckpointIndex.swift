/// `model.safetensors.index.json`: which file of a checkpoint holds which tensor.
///
/// ```
/// { "metadata": { … }, "weight_map": { "name": "model-00001-of-00046.safetensors", … } }
/// ```
///
/// Only `weight_map` counts. The `metadata` of published checkpoints, such as `total_size`, is often out of date.
struct CheckpointIndex {
  static let fileName = "model.safetensors.index.json"

  private(set) var shards: [String: String] = [:]
  private var faults = Faults()
  private var allowance: MemoryAllowance

  /// - Parameters:
  ///   - path: the file
  ///   - folderBytes: the size of all other files, which helps to bound what the index may cost in memory
  /// - Throws: `CheckpointError` if it cannot be read, is not JSON of this form, names a tensor twice, or names a file
  ///   outside its folder.
  init(_ path: String, folderBytes: Int) throws(CheckpointError) {
    let file = try MappedFile(path, name: Self.fileName)
    self.allowance = MemoryAllowance(forBytes: folderBytes + file.count)
    var hasMap = false
    do {
      try file.withBytes(0..<file.count) { bytes in
        var scanner = JSONScanner(bytes)
        try scanner.object { scanner, key in
          guard key == "weight_map" else { return try scanner.skipValue() }
          if hasMap { faults.add("weight_map occurs twice") }
          hasMap = true
          try scanner.object { scanner, tensor in try add(tensor, in: scanner.text()) }
        }
        try scanner.end()
      }
    } catch let fault as JSONFault {
      throw CheckpointError(file.name, "the index is damaged: \(fault.problem)")
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(file.name, "the index cannot be read: \(error)")
    }
    if !hasMap { faults.add("there is no weight_map") }
    try faults.throwIfAny(in: file.name)
  }

  private mutating func add(_ tensor: String, in shard: String) throws(CheckpointError) {
    guard allowance.spend(on: tensor + shard) else {
      throw CheckpointError(Self.fileName, "it names more tensors than the files of its folder should have")
    }
    guard shard.hasSuffix(".safetensors"), !shard.contains("/"), !shard.contains("\\"), !shard.hasPrefix(".") else {
      return faults.add("\(quoted(tensor)) is in \(quoted(shard)), which is not the name of a .safetensors file here")
    }
    if shards.updateValue(shard, forKey: tensor) != nil { faults.add("\(quoted(tensor)) occurs twice") }
  }
}
