// Sums along an axis; the axis stays, with length 1, so that the result broadcasts against the tensor it came from.

/// What is reduced to one value, in the words of the equations. The raw value counts the axis from the end.
public enum ReductionAxis: Int, Sendable {
  /// Each row: the last axis goes.
  case rows = 1
  /// Each column: the axis before the last goes.
  case columns = 2
}

extension Tensor where Element: RealScalar {
  /// The sum of each row or column of `[…, R, C]`: `[…, R, 1]` or `[…, 1, C]`. Terms are added in order of their index.
  ///
  /// - Throws: `InputError` if the tensor has no such axis.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func sum(over axis: ReductionAxis) throws(InputError) -> Tensor {
    try reduced(axis, "sum", from: 0) { $0 + $1 }
  }

  /// The maximum of each row or column of `[…, R, C]`: `[…, R, 1]` or `[…, 1, C]`. NaN wins.
  ///
  /// - Throws: `InputError` if the tensor has no such axis.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func maximum(over axis: ReductionAxis) throws(InputError) -> Tensor {
    try reduced(axis, "maximum", from: -.infinity) { $0 > $1 || $0.isNaN ? $0 : $1 }
  }

  @inline(__always)
  private func reduced(
    _ axis: ReductionAxis, _ operation: String, from start: Element, _ combine: (Element, Element) -> Element
  ) throws(InputError) -> Tensor {
    guard rank >= axis.rawValue else { throw InputError(operation, "shape \(shape) has too few axes") }
    let position = rank - axis.rawValue
    let length = shape[position]
    let inner = shape[(position + 1)...].reduce(1, *)
    let outer = shape[..<position].reduce(1, *)
    var newShape = shape
    newShape[position] = 1
    var result = Array(repeating: start, count: outer * inner)
    for block in 0..<outer {
      for step in 0..<length {
        let row = (block * length + step) * inner
        for column in 0..<inner {
          result[block * inner + column] = combine(result[block * inner + column], elements[row + column])
        }
      }
    }
    return Tensor(unchecked: newShape, result)
  }

  /// The softmax of each row: `exp(x − max) / Σ exp(x − max)` over the last axis of `[…, C]`.
  ///
  /// - Throws: `InputError` for a scalar.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func softmax() throws(InputError) -> Tensor {
    let exponentials = try (self - maximum(over: .rows)).map(Element.exponential)
    return try exponentials / exponentials.sum(over: .rows)
  }
}
