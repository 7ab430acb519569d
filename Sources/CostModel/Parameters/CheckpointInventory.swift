import Checkpoints
import DeepSeekV4
import Tensors

/// What the safetensors files of a checkpoint hold, without reading one: counted from the configuration.
///
/// Scales are tensors of their own. Two FP4 codes lie in one int8, which counts as one element.
public struct CheckpointInventory: Equatable, Sendable {
  /// The tensors of one group in one storage type.
  public struct Row: Equatable, Codable, Sendable {
    public let group: TensorGroup
    /// As safetensors calls it: `BF16`, `F8_E4M3`, …
    public let type: String
    public let tensors: Int
    /// As stored.
    public let elements: Int
    /// Of tensor data.
    public let bytes: Int
  }

  /// In the order of `TensorGroup`, then of `StorageType`.
  public let rows: [Row]
  public let tensors: Int
  /// As stored.
  public let elements: Int
  /// Of tensor data: the headers of the files come on top. This is what `total_size` in a published
  /// `model.safetensors.index.json` counts.
  public let bytes: Int

  /// - Parameter configuration: valid, its formats those of the checkpoint
  /// - Throws: `CheckpointError` if a block of a format does not fit a matrix, `InputError` if the counts overflow.
  public init(_ configuration: ModelConfiguration) throws {
    var stored: [TensorGroup: [TensorDescription]] = [:]
    for weight in configuration.inventory {
      stored[try weight.group(), default: []] += try weight.stored()
    }
    var rows: [Row] = []
    for group in TensorGroup.allCases {
      for type in StorageType.allCases {
        let tensors = (stored[group] ?? []).filter { $0.type == type }
        guard !tensors.isEmpty else { continue }
        let bytes = try checkedSum(tensors.map { try $0.countedBytes() })
        rows.append(
          Row(
            group: group, type: type.rawValue, tensors: tensors.count, elements: bytes / type.size, bytes: bytes))
      }
    }
    self.rows = rows
    tensors = rows.reduce(0) { $0 + $1.tensors }
    elements = try checkedSum(rows.map(\.elements))
    bytes = try checkedSum(rows.map(\.bytes))
  }
}

extension TensorDescription {
  /// - Throws: `InputError` for a shape that is none, or too large to be counted.
  fileprivate func countedBytes() throws(InputError) -> Int {
    guard let byteCount else { throw InputError("cost", "\(name) has the shape \(shape), which no file can hold") }
    return byteCount
  }
}
