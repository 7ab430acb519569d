/// Rows of one width that are appended at the end and cut from either end: the memory of a decoder.
///
/// It grows by 1/32 (at least by 4 KiB) at a time and shrinks when less than half of it is used, so that the state of a
/// long context costs what it should.
public struct RowStore<Scalar: RealScalar>: Equatable, Sendable {
  public let width: Int
  /// How many rows were cut from the front: the number of the first row that is still there.
  public private(set) var start: Int
  private var elements: [Scalar] = []

  /// - Parameters:
  ///   - width: the elements of a row
  ///   - start: the number of the first row that will be appended
  public init(width: Int, start: Int = 0) {
    self.width = width
    self.start = start
  }

  /// The number after the last row's.
  public var end: Int { width == 0 ? start : start + elements.count / width }

  /// Bytes that the rows occupy, what is reserved included.
  public var byteCount: Int { elements.capacity * MemoryLayout<Scalar>.stride }

  /// Appends the rows of a tensor.
  ///
  /// - Parameter rows: `[…, width]`
  /// - Throws: `InputError` for another width.
  public mutating func append(_ rows: Tensor<Scalar>) throws(InputError) {
    guard rows.shape.last == width else {
      throw InputError("append", "rows of shape \(rows.shape) do not fit the width \(width)")
    }
    let needed = elements.count + rows.count
    if needed > elements.capacity {
      elements.reserveCapacity(needed + max(needed / 32, Self.smallestGrowth))
    }
    elements.append(contentsOf: rows.elements)
  }

  /// Rows by their numbers.
  ///
  /// - Returns: `[n, width]`
  /// - Throws: `InputError` if one of them is not there.
  public func rows(_ range: Range<Int>) throws(InputError) -> Tensor<Scalar> {
    guard range.lowerBound >= start, range.upperBound <= end else {
      throw InputError("rows", "rows \(range) are not among \(start)..<\(end)")
    }
    let offsets = (range.lowerBound - start) * width..<(range.upperBound - start) * width
    return Tensor(unchecked: [range.count, width], Array(elements[offsets]))
  }

  /// Rows by their numbers, in any order.
  ///
  /// - Returns: `[n, width]`
  /// - Throws: `InputError` if one of them is not there.
  public func rows(_ numbers: [Int]) throws(InputError) -> Tensor<Scalar> {
    var result: [Scalar] = []
    result.reserveCapacity(numbers.count * width)
    for number in numbers {
      guard number >= start, number < end else {
        throw InputError("rows", "row \(number) is not among \(start)..<\(end)")
      }
      result += elements[(number - start) * width..<(number - start + 1) * width]
    }
    return Tensor(unchecked: [numbers.count, width], result)
  }

  /// The elements of all rows, `[end − start, width]`, where they lie.
  ///
  /// - Throws: what the body throws.
  public func withUnsafeElements<Result>(_ body: (UnsafeBufferPointer<Scalar>) throws -> Result) rethrows -> Result {
    try elements.withUnsafeBufferPointer(body)
  }

  /// Forgets all rows from a number on.
  public mutating func cut(from number: Int) {
    guard number < end else { return }
    elements.removeLast((end - max(number, start)) * width)
  }

  /// Forgets all rows before a number.
  public mutating func forget(before number: Int) {
    guard number > start else { return }
    let kept = min(number, end)
    elements.removeFirst((kept - start) * width)
    start = kept
    if elements.capacity > 2 * elements.count + Self.smallestGrowth { elements = Array(elements) }
  }

  /// 4 KiB, in elements.
  private static var smallestGrowth: Int { 4096 / MemoryLayout<Scalar>.stride }

  public static func == (left: RowStore, right: RowStore) -> Bool {
    left.width == right.width && left.start == right.start && left.elements == right.elements
  }
}
