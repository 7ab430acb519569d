// Element by element, with NumPy's broadcasting: shapes are aligned at the last axis, and an axis of length 1 repeats.

extension Tensor where Element: RealScalar {
  public static func + (left: Tensor, right: Tensor) throws(InputError) -> Tensor { try left.with(right, .sum) }
  public static func - (left: Tensor, right: Tensor) throws(InputError) -> Tensor { try left.with(right, .difference) }
  public static func * (left: Tensor, right: Tensor) throws(InputError) -> Tensor { try left.with(right, .product) }
  public static func / (left: Tensor, right: Tensor) throws(InputError) -> Tensor { try left.with(right, .quotient) }

  public static func + (left: Tensor, right: Element) -> Tensor { left.with(right, .sum) }
  public static func - (left: Tensor, right: Element) -> Tensor { left.with(right, .difference) }
  public static func * (left: Tensor, right: Element) -> Tensor { left.with(right, .product) }
  public static func / (left: Tensor, right: Element) -> Tensor { left.with(right, .quotient) }

  /// The larger of two tensors, element by element; axes of length 1 repeat, as in `[h, n]` and `[h, 1]`.
  ///
  /// - Throws: `InputError` if the shapes do not fit each other.
  public func largerOf(_ right: Tensor) throws(InputError) -> Tensor { try with(right, .maximum) }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func with(_ right: Tensor, _ operation: Arithmetic) throws(InputError) -> Tensor {
    if shape == right.shape {
      return Tensor(unchecked: shape, elements.indices.map { operation.of(elements[$0], right.elements[$0]) })
    }
    guard let result = broadcastShape(shape, right.shape) else {
      throw InputError(operation.rawValue, "shapes \(shape) and \(right.shape) do not fit each other")
    }
    let leftOffsets = broadcastOffsets(shape, to: result)
    let rightOffsets = broadcastOffsets(right.shape, to: result)
    return Tensor(
      unchecked: result,
      leftOffsets.indices.map { operation.of(elements[leftOffsets[$0]], right.elements[rightOffsets[$0]]) })
  }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func with(_ right: Element, _ operation: Arithmetic) -> Tensor {
    Tensor(unchecked: shape, elements.map { operation.of($0, right) })
  }
}

private enum Arithmetic: String {
  case sum, difference, product, quotient, maximum

  func of<Scalar: RealScalar>(_ left: Scalar, _ right: Scalar) -> Scalar {
    switch self {
    case .sum: left + right
    case .difference: left - right
    case .product: left * right
    case .quotient: left / right
    case .maximum: left > right || left.isNaN ? left : right
    }
  }
}

private func broadcastShape(_ left: [Int], _ right: [Int]) -> [Int]? {
  let rank = max(left.count, right.count)
  func padded(_ shape: [Int]) -> [Int] { Array(repeating: 1, count: rank - shape.count) + shape }
  var result: [Int] = []
  for (a, b) in zip(padded(left), padded(right)) {
    guard a == b || a == 1 || b == 1 else { return nil }
    result.append(a == 1 ? b : a)
  }
  return result
}

/// For each element of `result`, in order, the offset of the element of `shape` that it reads.
private func broadcastOffsets(_ shape: [Int], to result: [Int]) -> [Int] {
  var offsets = [0]
  let missing = result.count - shape.count
  var strides: [Int] = Array(repeating: 0, count: result.count)
  var stride = 1
  for axis in shape.indices.reversed() {
    strides[axis + missing] = shape[axis] == 1 ? 0 : stride
    stride *= shape[axis]
  }
  for (axis, length) in result.enumerated() {
    offsets = offsets.flatMap { start in (0..<length).map { start + $0 * strides[axis] } }
  }
  return offsets
}
