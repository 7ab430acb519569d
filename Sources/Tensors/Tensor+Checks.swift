extension Tensor {
  /// Requires an exact shape.
  ///
  /// - Throws: `InputError` that names the operation, the tensor and both shapes.
  public func requireShape(_ expected: [Int], _ name: String, in operation: String) throws(InputError) {
    guard shape == expected else {
      throw InputError(operation, "\(name) has shape \(shape), expected \(expected)")
    }
  }

  /// Requires a number of axes, given by their letters, and at least one element on each.
  ///
  /// - Parameters:
  ///   - axes: the letters of the axes, as in `["T", "n", "d"]`
  ///   - name: what an error calls the tensor
  ///   - operation: what an error names
  /// - Throws: `InputError` that names the operation, the tensor, its shape and the letters.
  public func requireAxes(_ axes: [String], _ name: String, in operation: String) throws(InputError) {
    guard rank == axes.count else {
      throw InputError(operation, "\(name) has shape \(shape), expected [\(axes.joined(separator: ", "))]")
    }
    for (letter, length) in zip(axes, shape) where length == 0 {
      throw InputError(operation, letter == "T" ? "needs at least one token" : "\(name) has an empty axis \(letter)")
    }
  }
}

extension Tensor where Element: RealScalar {
  /// Requires every element to be finite, as every weight of a model must be.
  ///
  /// - Throws: `InputError` that names the first NaN or infinity and where it stands.
  public func requireFinite(_ name: String, in operation: String) throws(InputError) {
    guard let offset = firstNotFinite(elements) else { return }
    throw InputError(operation, "\(name) holds \(elements[offset]) at \(index(ofOffset: offset))")
  }
}

/// The offset of the first NaN or infinity. Every weight goes through here, so it is a plain loop.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func firstNotFinite<Scalar: RealScalar>(_ elements: [Scalar]) -> Int? {
  for offset in elements.indices where !elements[offset].isFinite { return offset }
  return nil
}

/// Requires a small positive constant such as an epsilon to be usable.
///
/// - Throws: `InputError` if it is negative, infinite or NaN.
public func requireEpsilon<Scalar: RealScalar>(
  _ value: Scalar, _ name: String = "epsilon", in operation: String
) throws(InputError) {
  guard value.isFinite, value >= 0 else {
    throw InputError(operation, "\(name) must be finite and not negative, got \(value)")
  }
}
