import GoldenTensors
import Tensors

/// A change of layout that does not look at the elements.
protocol TensorTransform {
  func callAsFunction<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element>
}

extension StoredTensor {
  /// - Throws: `InputError` if the transform does not fit the shape.
  func applying(_ transform: some TensorTransform) throws(InputError) -> StoredTensor {
    switch self {
    case .float32(let tensor): .float32(try transform(tensor))
    case .float64(let tensor): .float64(try transform(tensor))
    case .int32(let tensor): .int32(try transform(tensor))
    case .int64(let tensor): .int64(try transform(tensor))
    case .uint8(let tensor): .uint8(try transform(tensor))
    case .bool(let tensor): .bool(try transform(tensor))
    }
  }

  /// Several tensors, one after the other along an axis.
  ///
  /// - Throws: `InputError` if they differ in element type or in another axis.
  static func concatenated(_ parts: [StoredTensor], axis: Int) throws(InputError) -> StoredTensor {
    guard let first = parts.first else { throw InputError("layout", "there is nothing to concatenate") }
    var result = first
    for part in parts.dropFirst() {
      switch (result, part) {
      case (.float32(let a), .float32(let b)): result = .float32(try concatenation(a, b, axis: axis))
      case (.float64(let a), .float64(let b)): result = .float64(try concatenation(a, b, axis: axis))
      case (.int32(let a), .int32(let b)): result = .int32(try concatenation(a, b, axis: axis))
      case (.int64(let a), .int64(let b)): result = .int64(try concatenation(a, b, axis: axis))
      case (.uint8(let a), .uint8(let b)): result = .uint8(try concatenation(a, b, axis: axis))
      case (.bool(let a), .bool(let b)): result = .bool(try concatenation(a, b, axis: axis))
      default: throw InputError("layout", "shards of \(first.elementType) and \(part.elementType) make no tensor")
      }
    }
    return result
  }
}

/// Two tensors, one after the other along an axis.
private func concatenation<Element>(
  _ a: Tensor<Element>, _ b: Tensor<Element>, axis: Int
) throws(InputError) -> Tensor<Element> {
  var (left, right) = (a.shape, b.shape)
  guard left.count == right.count, left.indices.contains(axis) else {
    throw InputError("layout", "shards of the shapes \(left) and \(right) have no axis \(axis) to be joined along")
  }
  let (heightA, heightB) = (left[axis], right[axis])
  (left[axis], right[axis]) = (0, 0)
  guard left == right else {
    throw InputError("layout", "shards of the shapes \(a.shape) and \(b.shape) differ outside the axis \(axis)")
  }
  let inner = a.shape[(axis + 1)...].reduce(1, *)
  let (blockA, blockB) = (heightA * inner, heightB * inner)
  var elements: [Element] = []
  elements.reserveCapacity(a.count + b.count)
  for outer in 0..<a.shape[..<axis].reduce(1, *) {
    elements += a.elements[outer * blockA..<(outer + 1) * blockA]
    elements += b.elements[outer * blockB..<(outer + 1) * blockB]
  }
  left[axis] = heightA + heightB
  return try Tensor(shape: left, elements: elements)
}

/// A range of an axis.
struct Slice: TensorTransform {
  let axis: Int
  let range: Range<Int>

  func callAsFunction<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element> {
    var shape = tensor.shape
    guard shape.indices.contains(axis), range.lowerBound >= 0, range.upperBound <= shape[axis] else {
      throw InputError("layout", "the shape \(shape) has no \(range) of axis \(axis)")
    }
    let inner = shape[(axis + 1)...].reduce(1, *)
    let block = shape[axis] * inner
    var elements: [Element] = []
    for outer in 0..<shape[..<axis].reduce(1, *) {
      elements +=
        tensor.elements[outer * block + range.lowerBound * inner..<outer * block + range.upperBound * inner]
    }
    shape[axis] = range.count
    return try Tensor(shape: shape, elements: elements)
  }
}

/// An axis of length one less.
struct Squeeze: TensorTransform {
  let axis: Int

  func callAsFunction<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element> {
    var shape = tensor.shape
    guard shape.indices.contains(axis), shape[axis] == 1 else {
      throw InputError("layout", "the shape \(shape) has no axis \(axis) of length 1")
    }
    shape.remove(at: axis)
    return try tensor.reshaped(shape)
  }
}

/// The axes in another order: axis i of the result is axis `order[i]` of the tensor.
struct Transpose: TensorTransform {
  let order: [Int]

  func callAsFunction<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element> {
    guard order.sorted() == Array(tensor.shape.indices) else {
      throw InputError("layout", "\(order) is no order of the axes of \(tensor.shape)")
    }
    let strides = tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) }
    let shape = order.map { tensor.shape[$0] }
    let steps = order.map { strides[$0] }
    var position = Array(repeating: 0, count: shape.count)
    var offset = 0
    var elements: [Element] = []
    elements.reserveCapacity(tensor.count)
    for _ in 0..<tensor.count {
      elements.append(tensor.elements[offset])
      for axis in shape.indices.reversed() {
        position[axis] += 1
        offset += steps[axis]
        guard position[axis] == shape[axis] else { break }
        offset -= steps[axis] * shape[axis]
        position[axis] = 0
      }
    }
    return try Tensor(shape: shape, elements: elements)
  }
}

/// Another shape for the same elements; one axis may be −1, what is left over.
struct Reshape: TensorTransform {
  let lengths: [Int]

  func callAsFunction<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element> {
    let known = lengths.filter { $0 != -1 }.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
    let open = lengths.count { $0 == -1 }
    guard open <= 1, lengths.allSatisfy({ $0 >= -1 }), open == 0 || (known > 0 && tensor.count % known == 0) else {
      throw InputError("layout", "the shape \(tensor.shape) cannot become \(lengths)")
    }
    return try tensor.reshaped(lengths.map { $0 == -1 ? tensor.count / known : $0 })
  }
}
