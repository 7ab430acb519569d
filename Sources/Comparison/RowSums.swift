import Tensors

/// What one row of a tensor adds to a comparison. The hot loop: everything in Double, whatever the elements are.
struct RowSums {
  var squaredErrors = 0.0
  var squaredExpected = 0.0
  var squaredGot = 0.0
  var product = 0.0
  /// The largest finite |expected|.
  var scale = 0.0
  /// The largest |got − expected|, and where.
  var largest = 0.0
  var largestOffset = 0
  /// The largest |got − expected| ÷ |expected|, and where.
  var largestRelative = 0.0
  var largestRelativeOffset = 0
  /// NaN or infinity where the other has something else.
  var misplaced = 0
  var firstMisplaced = -1
  var differs = false

  @specialized(where A == Float, B == Float)
  @specialized(where A == Float, B == Double)
  @specialized(where A == Double, B == Float)
  @specialized(where A == Double, B == Double)
  init<A: RealScalar, B: RealScalar>(
    expected: UnsafeBufferPointer<A>, got: UnsafeBufferPointer<B>
  ) {
    for offset in 0..<expected.count {
      let (x, y) = (Double(expected[offset]), Double(got[offset]))
      if x.bitPattern != y.bitPattern { differs = true }
      guard x.isFinite, y.isFinite else {
        if !isSameAnomaly(x, y) {
          if misplaced == 0 { firstMisplaced = offset }
          misplaced += 1
        }
        if x.isFinite { scale = max(scale, abs(x)) }
        continue
      }
      let error = abs(x - y)
      squaredErrors += error * error
      squaredExpected += x * x
      squaredGot += y * y
      product += x * y
      if abs(x) > scale { scale = abs(x) }
      if error > largest { (largest, largestOffset) = (error, offset) }
      if error > largestRelative * abs(x) { (largestRelative, largestRelativeOffset) = (error / abs(x), offset) }
    }
  }
}

/// Whether two values of which one is not finite are both NaN or the same infinity.
@inline(__always)
private func isSameAnomaly(_ x: Double, _ y: Double) -> Bool { x == y || (x.isNaN && y.isNaN) }

/// The largest difference between two rows of one tensor, absolute and relative to the first; infinite if one has NaN or
/// infinity where the other has not.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func largestDifference<Scalar: RealScalar>(
  _ row: UnsafeBufferPointer<Scalar>, _ other: UnsafeBufferPointer<Scalar>
) -> (absolute: Double, relative: Double) {
  var (absolute, relative) = (0.0, 0.0)
  for offset in 0..<row.count {
    let (x, y) = (Double(row[offset]), Double(other[offset]))
    guard x.isFinite, y.isFinite else {
      if !isSameAnomaly(x, y) { (absolute, relative) = (.infinity, .infinity) }
      continue
    }
    let error = abs(x - y)
    if error > absolute { absolute = error }
    if error > relative * abs(x) { relative = error / abs(x) }
  }
  return (absolute, relative)
}
