import GoldenTensors
import Tensors

/// More about the errors of a tensor than the one number that decides.
public struct ErrorDetails: Codable, Equatable, Sendable {
  /// `max |got − expected|`
  public let largest: Double
  /// That, divided by the largest magnitude that is expected.
  public let largestRelative: Double
  /// The root mean square of the errors, divided by that of what is expected.
  public let rms: Double
  /// The row of the first axis with the largest error.
  public let worstRow: Int
  /// The root mean square of its errors, divided by that of what is expected in the whole tensor.
  public let worstRowRMS: Double
  /// The cosine of the angle between the two, for information: it is blind to errors of scale.
  public let cosine: Double

  /// Of finite elements; nil if there is none or the shapes differ.
  init?(_ got: Tensor<Double>, _ expected: Tensor<Double>) {
    guard got.shape == expected.shape, let rows = got.shape.first, rows > 0, got.count > 0 else { return nil }
    let width = got.count / rows
    var (errors, right, left, product) = (0.0, 0.0, 0.0, 0.0)
    var (largest, scale, count) = (0.0, 0.0, 0)
    var worst = (row: 0, errors: -1.0, count: 1)
    for row in 0..<rows {
      var (rowErrors, rowCount) = (0.0, 0)
      for offset in row * width..<(row + 1) * width {
        let (got, expected) = (got.elements[offset], expected.elements[offset])
        guard got.isFinite, expected.isFinite else { continue }
        let error = got - expected
        rowErrors += error * error
        right += expected * expected
        left += got * got
        product += got * expected
        largest = max(largest, abs(error))
        scale = max(scale, abs(expected))
        rowCount += 1
      }
      errors += rowErrors
      count += rowCount
      if rowCount > 0, rowErrors / Double(rowCount) > worst.errors / Double(worst.count) {
        worst = (row, rowErrors, rowCount)
      }
    }
    guard count > 0 else { return nil }
    func ratio(_ error: Double, _ whole: Double) -> Double { error == 0 ? 0 : whole == 0 ? .infinity : error / whole }
    let typical = (right / Double(count)).squareRoot()
    self.largest = largest
    largestRelative = ratio(largest, scale)
    rms = ratio((errors / Double(count)).squareRoot(), typical)
    worstRow = worst.row
    worstRowRMS = ratio((worst.errors / Double(worst.count)).squareRoot(), typical)
    cosine = left > 0 && right > 0 ? product / (left * right).squareRoot() : errors == 0 ? 1 : 0
  }
}
