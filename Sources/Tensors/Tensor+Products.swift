// Matrix products. Every element of a result is one sum in a fixed order that depends on nothing but the length of the
// summed axis: not on the number of rows, not on threads. That is what makes any split of a sequence give equal bits.

/// `y[…, o] = Σᵢ x[…, i] · weight[o, i]`: a linear layer without bias, its weight stored as in the checkpoints.
///
/// - Parameters:
///   - x: `[…, in]`
///   - weight: `[out, in]`
/// - Returns: `[…, out]`
/// - Throws: `InputError` if the inner axes differ.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func linear<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>
) throws(InputError) -> Tensor<Scalar> {
  guard let width = x.shape.last, weight.rank == 2, weight.shape[1] == width else {
    throw InputError("linear", "input of shape \(x.shape) does not fit the weight of shape \(weight.shape)")
  }
  let outputs = weight.shape[0]
  let rows = x.shape.dropLast().reduce(1, *)
  var result = Array(repeating: Scalar.zero, count: rows * outputs)
  x.elements.withUnsafeBufferPointer { x in
    weight.elements.withUnsafeBufferPointer { weight in
      for row in 0..<rows {
        let input = UnsafeBufferPointer(rebasing: x[(row * width)..<((row + 1) * width)])
        for output in 0..<outputs {
          result[row * outputs + output] = dot(
            input, UnsafeBufferPointer(rebasing: weight[(output * width)..<((output + 1) * width)]))
        }
      }
    }
  }
  return Tensor(unchecked: x.shape.dropLast() + [outputs], result)
}

/// `Σ a[i] · b[i]`, in sixteen interleaved partial sums that are then added by halves.
@inline(__always)
private func dot<Scalar: RealScalar>(_ a: UnsafeBufferPointer<Scalar>, _ b: UnsafeBufferPointer<Scalar>) -> Scalar {
  var lanes = SIMD16<Scalar>(repeating: 0)
  let whole = a.count - a.count % 16
  for start in stride(from: 0, to: whole, by: 16) {
    let left = UnsafeRawPointer(a.baseAddress! + start).loadUnaligned(as: SIMD16<Scalar>.self)
    let right = UnsafeRawPointer(b.baseAddress! + start).loadUnaligned(as: SIMD16<Scalar>.self)
    lanes += left * right
  }
  for index in whole..<a.count { lanes[index - whole] += a[index] * b[index] }
  let eight = lanes.lowHalf + lanes.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}

/// `Σ x²` of each row, over the last axis: `[…, d]` to `[…, 1]`; summed in the order of `linear`.
///
/// - Throws: `InputError` for a scalar.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func sumOfSquares<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
  guard let width = x.shape.last else { throw InputError("sumOfSquares", "a scalar has no rows") }
  let rows = x.shape.dropLast().reduce(1, *)
  var result = Array(repeating: Scalar.zero, count: rows)
  x.elements.withUnsafeBufferPointer { x in
    for row in 0..<rows {
      let slice = UnsafeBufferPointer(rebasing: x[(row * width)..<((row + 1) * width)])
      result[row] = dot(slice, slice)
    }
  }
  return Tensor(unchecked: x.shape.dropLast() + [1], result)
}

/// `c[…, r, s] = Σⱼ a[…, r, j] · b[…, j, s]`: one small matrix product for each position of the leading axes.
///
/// - Parameters:
///   - a: `[…, R, J]`
///   - b: `[…, J, S]`, with the same leading axes
/// - Returns: `[…, R, S]`; terms are added in order of `j`.
/// - Throws: `InputError` if the shapes do not fit.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func matrixProduct<Scalar: RealScalar>(
  _ a: Tensor<Scalar>, _ b: Tensor<Scalar>
) throws(InputError) -> Tensor<Scalar> {
  guard a.rank >= 2, a.rank == b.rank, a.shape.dropLast(2) == b.shape.dropLast(2),
    a.shape[a.rank - 1] == b.shape[b.rank - 2]
  else {
    throw InputError("matrixProduct", "shapes \(a.shape) and \(b.shape) do not fit each other")
  }
  let (rows, inner, columns) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
  let batch = a.shape.dropLast(2).reduce(1, *)
  var result = Array(repeating: Scalar.zero, count: batch * rows * columns)
  result.withUnsafeMutableBufferPointer { result in
    a.elements.withUnsafeBufferPointer { a in
      b.elements.withUnsafeBufferPointer { b in
        for matrix in 0..<batch {
          for row in 0..<rows {
            let target = (matrix * rows + row) * columns
            for j in 0..<inner {
              let factor = a[(matrix * rows + row) * inner + j]
              let source = (matrix * inner + j) * columns
              for column in 0..<columns { result[target + column] += factor * b[source + column] }
            }
          }
        }
      }
    }
  }
  return Tensor(unchecked: a.shape.dropLast(1) + [columns], result)
}
