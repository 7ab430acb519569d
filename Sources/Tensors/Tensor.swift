/// A row-major tensor: a shape and its elements, a value like any other.
///
/// It has the dozen operations that the equations of DeepSeek-V4 need and no more. Real tensors are `Tensor<Float>` or
/// `Tensor<Double>`; token ids and expert ids are `Tensor<Int>`.
public struct Tensor<Element: Sendable>: Sendable {
  /// The length of each axis, outermost first. Empty for a scalar.
  public let shape: [Int]
  /// The elements, last axis fastest.
  public internal(set) var elements: [Element]

  /// A tensor of these elements.
  ///
  /// - Throws: `InputError` if an axis is negative or the elements do not fill the shape.
  public init(shape: [Int], elements: [Element]) throws(InputError) {
    guard let count = elementCount(of: shape) else {
      throw InputError("tensor", "\(shape) is not a shape")
    }
    guard count == elements.count else {
      throw InputError("tensor", "shape \(shape) holds \(count) elements, got \(elements.count)")
    }
    self.init(unchecked: shape, elements)
  }

  /// A tensor of one repeated value.
  public init(repeating value: Element, shape: [Int]) {
    self.init(unchecked: shape, Array(repeating: value, count: shape.reduce(1, *)))
  }

  /// A tensor of elements that were made to fill the shape.
  ///
  /// - Precondition: they do.
  public init(filling shape: [Int], _ elements: [Element]) {
    precondition(elementCount(of: shape) == elements.count, "the elements do not fill the shape")
    self.init(unchecked: shape, elements)
  }

  /// For operations that have just made `elements` to fill `shape`.
  init(unchecked shape: [Int], _ elements: [Element]) {
    assert(elements.count == shape.reduce(1, *))
    self.shape = shape
    self.elements = elements
  }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements.
  public var count: Int { elements.count }

  /// The element at an index with one position for each axis.
  ///
  /// - Precondition: the index has as many positions as the tensor has axes, each inside its axis.
  public subscript(index: Int...) -> Element {
    get { elements[offset(index)] }
    set { elements[offset(index)] = newValue }
  }

  private func offset(_ index: [Int]) -> Int {
    precondition(index.count == rank, "an index needs one position for each axis of \(shape)")
    var offset = 0
    for (position, length) in zip(index, shape) {
      precondition(position >= 0 && position < length, "index \(index) is outside the shape \(shape)")
      offset = offset * length + position
    }
    return offset
  }

  /// The multi-dimensional index of the element at a flat offset.
  public func index(ofOffset offset: Int) -> [Int] {
    var index = shape
    var rest = offset
    for axis in shape.indices.reversed() {
      index[axis] = rest % shape[axis]
      rest /= shape[axis]
    }
    return index
  }

  /// The tensor `[…]` with each element replaced.
  ///
  /// - Throws: what `transform` throws.
  @specialized(where Element == Float, NewElement == Float)
  @specialized(where Element == Float, NewElement == Double)
  @specialized(where Element == Double, NewElement == Double)
  public func map<NewElement>(_ transform: (Element) throws -> NewElement) rethrows -> Tensor<NewElement> {
    Tensor<NewElement>(unchecked: shape, try elements.map(transform))
  }
}

extension Tensor: Equatable where Element: Equatable {}

/// The number of elements of a shape; nil if an axis is negative or the number does not fit an `Int`.
public func elementCount(of shape: [Int]) -> Int? {
  var count = 1
  for length in shape {
    guard length >= 0 else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: length)
    if overflow { return nil }
    count = product
  }
  return count
}
