// Reordering and cutting. Nothing here computes.

extension Tensor {
  /// The same elements under another shape, as `[a·b]` under `[a, b]`.
  ///
  /// - Throws: `InputError` if the shapes hold different numbers of elements.
  public func reshaped(_ newShape: [Int]) throws(InputError) -> Tensor {
    guard elementCount(of: newShape) == count else {
      throw InputError("reshape", "shape \(shape) cannot become \(newShape)")
    }
    return Tensor(unchecked: newShape, elements)
  }

  /// The tensor with its last two axes exchanged: `[…, a, b]` to `[…, b, a]`.
  ///
  /// - Throws: `InputError` if there are fewer than two axes.
  public func transposed() throws(InputError) -> Tensor {
    guard rank >= 2 else { throw InputError("transpose", "shape \(shape) has fewer than two axes") }
    let (rows, columns) = (shape[rank - 2], shape[rank - 1])
    var result: [Element] = []
    result.reserveCapacity(count)
    for matrix in stride(from: 0, to: count, by: max(rows * columns, 1)) {
      for column in 0..<columns {
        for row in 0..<rows { result.append(elements[matrix + row * columns + column]) }
      }
    }
    return Tensor(unchecked: shape.dropLast(2) + [columns, rows], result)
  }

  /// A range of the last axis: `[…, n]` to `[…, range.count]`.
  ///
  /// - Throws: `InputError` if the range is not inside the axis.
  public func lastAxis(_ range: Range<Int>) throws(InputError) -> Tensor {
    guard let width = shape.last, range.lowerBound >= 0, range.upperBound <= width else {
      throw InputError("slice", "range \(range) is outside the last axis of shape \(shape)")
    }
    var result: [Element] = []
    result.reserveCapacity(count / max(width, 1) * range.count)
    for row in stride(from: 0, to: count, by: max(width, 1)) {
      result += elements[(row + range.lowerBound)..<(row + range.upperBound)]
    }
    return Tensor(unchecked: shape.dropLast() + [range.count], result)
  }

  /// The rows of this tensor, each followed by the same row of another, along the last axis: `[…, a]` and `[…, b]` to
  /// `[…, a + b]`.
  ///
  /// - Throws: `InputError` if the other axes differ.
  public func joiningLastAxis(_ other: Tensor) throws(InputError) -> Tensor {
    guard rank >= 1, shape.dropLast() == other.shape.dropLast(), let width = shape.last, let added = other.shape.last
    else { throw InputError("join", "shapes \(shape) and \(other.shape) do not fit each other") }
    var result: [Element] = []
    result.reserveCapacity(count + other.count)
    for row in 0..<shape.dropLast().reduce(1, *) {
      result += elements[row * width..<(row + 1) * width]
      result += other.elements[row * added..<(row + 1) * added]
    }
    return Tensor(unchecked: shape.dropLast() + [width + added], result)
  }

  /// The part of the tensor at one position of its first axis: `[n, …]` to `[…]`.
  ///
  /// - Throws: `InputError` if the position is outside the axis.
  public func slice(_ position: Int) throws(InputError) -> Tensor {
    guard let length = shape.first, (0..<length).contains(position) else {
      throw InputError("slice", "position \(position) is outside the first axis of shape \(shape)")
    }
    let width = count / length
    return Tensor(unchecked: Array(shape.dropFirst()), Array(elements[(position * width)..<((position + 1) * width)]))
  }

  /// A range of the first axis: `[n, …]` to `[range.count, …]`.
  ///
  /// - Throws: `InputError` if the range is not inside the axis.
  public func rows(_ range: Range<Int>) throws(InputError) -> Tensor {
    guard let length = shape.first, range.lowerBound >= 0, range.upperBound <= length else {
      throw InputError("slice", "range \(range) is outside the first axis of shape \(shape)")
    }
    let width = shape.dropFirst().reduce(1, *)
    return Tensor(
      unchecked: [range.count] + shape.dropFirst(), Array(elements[range.lowerBound * width..<range.upperBound * width])
    )
  }

  /// Positions of the first axis, in any order and any of them more than once: `[n, …]` to `[positions.count, …]`.
  ///
  /// - Throws: `InputError` if one is outside the axis.
  public func rows(at positions: [Int]) throws(InputError) -> Tensor {
    let length = shape.first ?? 0
    let width = shape.dropFirst().reduce(1, *)
    var result: [Element] = []
    result.reserveCapacity(positions.count * width)
    for position in positions {
      guard (0..<length).contains(position) else {
        throw InputError("slice", "position \(position) is outside the first axis of shape \(shape)")
      }
      result += elements[position * width..<(position + 1) * width]
    }
    return Tensor(unchecked: [positions.count] + shape.dropFirst(), result)
  }

  /// The opposite of `rows(at:)`: puts `[positions.count, …]` at positions of the first axis of `[n, …]`.
  ///
  /// - Throws: `InputError` if the shapes do not fit or a position is outside the axis; nothing is replaced then.
  public mutating func replaceRows(at positions: [Int], with rows: Tensor) throws(InputError) {
    try rows.requireShape([positions.count] + shape.dropFirst(), "rows", in: "replace")
    let width = shape.dropFirst().reduce(1, *)
    let length = shape.first ?? 0
    if let outside = positions.first(where: { !(0..<length).contains($0) }) {
      throw InputError("replace", "position \(outside) is outside the first axis of shape \(shape)")
    }
    for (row, position) in positions.enumerated() {
      elements.replaceSubrange(
        position * width..<(position + 1) * width, with: rows.elements[row * width..<(row + 1) * width])
    }
  }

  /// Tensors of one shape, along a new first axis: n times `[…]` to `[n, …]`.
  ///
  /// - Throws: `InputError` if there is none, or if the shapes differ.
  public static func stacked(_ parts: [Tensor]) throws(InputError) -> Tensor {
    guard let first = parts.first else { throw InputError("stack", "there is nothing to stack") }
    for part in parts { try part.requireShape(first.shape, "part", in: "stack") }
    return Tensor(unchecked: [parts.count] + first.shape, parts.flatMap(\.elements))
  }
}

extension Tensor {
  /// The rows of this tensor, then those of another, along the first axis: `[a, …]` and `[b, …]` to `[a + b, …]`.
  ///
  /// - Throws: `InputError` if the other axes differ.
  public func appending(_ other: Tensor) throws(InputError) -> Tensor {
    guard rank >= 1, shape.dropFirst() == other.shape.dropFirst() else {
      throw InputError("append", "shapes \(shape) and \(other.shape) do not fit each other")
    }
    return Tensor(unchecked: [shape[0] + other.shape[0]] + shape.dropFirst(), elements + other.elements)
  }

  /// Matrices of one width below each other, `[Σ rows, width]`; of none, `[0, width]`.
  ///
  /// - Throws: `InputError` if one has another width.
  public static func concatenated(_ parts: [Tensor], width: Int) throws(InputError) -> Tensor {
    var elements: [Element] = []
    elements.reserveCapacity(parts.reduce(0) { $0 + $1.count })
    for part in parts {
      guard part.rank == 2, part.shape[1] == width else {
        throw InputError("concatenate", "shape \(part.shape) does not fit the width \(width)")
      }
      elements += part.elements
    }
    return Tensor(unchecked: [parts.reduce(0) { $0 + $1.shape[0] }, width], elements)
  }
}
