import Tensors

/// How a safetensors file stores the elements of a tensor.
///
/// The format knows some more (`F8_E5M2`, `F4`, `U16`, …); a file that uses one of them is refused, since nothing here
/// could tell what it holds.
public enum StorageType: String, CaseIterable, Sendable {
  case float64 = "F64"
  case float32 = "F32"
  case bfloat16 = "BF16"
  case float16 = "F16"
  /// FP8 E4M3 "fn", without infinities.
  case float8E4M3 = "F8_E4M3"
  /// A scale: a power of two.
  case float8E8M0 = "F8_E8M0"
  /// Integers, or two FP4 codes in each byte.
  case int8 = "I8"
  case uint8 = "U8"
  case int16 = "I16"
  case int32 = "I32"
  case int64 = "I64"
  case bool = "BOOL"

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .bfloat16, .float16, .int16: 2
    case .float8E4M3, .float8E8M0, .int8, .uint8, .bool: 1
    }
  }
}

/// What a checkpoint says about one of its tensors.
public struct TensorDescription: Equatable, Sendable {
  public let name: String
  public let type: StorageType
  /// As stored: two FP4 codes in a byte count as one element.
  public let shape: [Int]

  /// A name, a type and a shape as a checkpoint says them.
  public init(_ name: String, _ type: StorageType, _ shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }

  /// The bytes it takes; nil if the shape is none, or more than can be counted.
  public var byteCount: Int? {
    guard let count = elementCount(of: shape) else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    return overflow ? nil : bytes
  }
}
