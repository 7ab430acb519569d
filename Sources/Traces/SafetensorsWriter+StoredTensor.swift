import Checkpoints
import GoldenTensors
import Tensors

extension SafetensorsWriter {
  /// Writes a file of tensors that are in memory, each in its own element type.
  ///
  /// - Throws: `CheckpointError` if it cannot be written; the path is then as it was.
  public static func write(
    _ path: String, _ tensors: [String: StoredTensor], metadata: [String: String]
  ) throws {
    let inOrder = tensors.sorted { $0.key < $1.key }
    let descriptions = inOrder.map { TensorDescription($0.key, $0.value.storageType, $0.value.shape) }
    try write(path, tensors: descriptions, metadata: metadata) { file in
      for (name, tensor) in inOrder { try file.append(tensor.littleEndianBytes, to: name) }
    }
  }
}

extension StoredTensor {
  /// The dtype of safetensors that holds the elements as they are.
  fileprivate var storageType: StorageType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .bool: .bool
    }
  }

  fileprivate var littleEndianBytes: [UInt8] {
    switch self {
    case .float32(let tensor): littleEndian(tensor.elements) { $0.bitPattern }
    case .float64(let tensor): littleEndian(tensor.elements) { $0.bitPattern }
    case .int32(let tensor): littleEndian(tensor.elements) { $0 }
    case .int64(let tensor): littleEndian(tensor.elements) { $0 }
    case .uint8(let tensor): tensor.elements
    case .bool(let tensor): tensor.elements.map { $0 ? 1 : 0 }
    }
  }
}
