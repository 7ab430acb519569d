import Tensors

/// A tensor as a file holds it, with the element type it was stored in.
public enum StoredTensor: Equatable, Sendable {
  case float32(Tensor<Float>)
  case float64(Tensor<Double>)
  case int32(Tensor<Int32>)
  case int64(Tensor<Int64>)
  case uint8(Tensor<UInt8>)
  case bool(Tensor<Bool>)

  public var shape: [Int] {
    switch self {
    case .float32(let tensor): tensor.shape
    case .float64(let tensor): tensor.shape
    case .int32(let tensor): tensor.shape
    case .int64(let tensor): tensor.shape
    case .uint8(let tensor): tensor.shape
    case .bool(let tensor): tensor.shape
    }
  }

  public var elementType: ElementType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .bool: .bool
    }
  }

  /// The elements as real numbers of the path's type; nil unless they are stored as reals.
  public func reals<Scalar: RealScalar>(_: Scalar.Type) -> Tensor<Scalar>? {
    switch self {
    case .float32(let tensor): tensor.map { Scalar($0) }
    case .float64(let tensor): tensor.map { Scalar($0) }
    case .int32, .int64, .uint8, .bool: nil
    }
  }

  /// The elements as positions or ids; nil unless they are stored as int64.
  public var integers: Tensor<Int>? {
    guard case .int64(let tensor) = self else { return nil }
    return tensor.map { Int($0) }
  }

  /// Each element as a Double, whatever its type. Int64 beyond 2⁵³ would round; the format has none.
  public var doubles: Tensor<Double> {
    switch self {
    case .float32(let tensor): tensor.map { Double($0) }
    case .float64(let tensor): tensor
    case .int32(let tensor): tensor.map { Double($0) }
    case .int64(let tensor): tensor.map { Double($0) }
    case .uint8(let tensor): tensor.map { Double($0) }
    case .bool(let tensor): tensor.map { $0 ? 1 : 0 }
    }
  }
}

/// The element types of the golden format, by the names of its manifest.
public enum ElementType: String, Codable, Sendable, CaseIterable {
  case float32, float64, int32, int64, uint8, bool

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .uint8, .bool: 1
    }
  }
}

/// The value of an attribute.
public enum StoredAttribute: Equatable, Sendable {
  case integer(Int64)
  case real(Double)
  case text(String)
}
