import GoldenTensors
import Tensors

extension GoldenCase {
  /// Compares a tensor of an engine with what this case expects.
  ///
  /// ```swift
  /// let comparison = try goldenCase.compare("combination", myCombination)
  /// #expect(comparison.passed, "\(comparison.sentence)")
  /// ```
  ///
  /// - Parameters:
  ///   - name: the name of the expected tensor
  ///   - got: the engine's tensor; a `Tensor<Float>` is judged by the float tolerance, a `Tensor<Double>` by the double one
  /// - Throws: `GoldenError` if the case expects no tensor of that name.
  public func compare<Scalar: RealScalar>(_ name: String, _ got: Tensor<Scalar>) throws -> TensorComparison {
    guard let expected = expected[name], let listed = entry.tensors[name] else {
      throw GoldenError(entry.file, "expects no tensor \(name), only \(entry.tensors.keys.sorted())")
    }
    let tolerance = listed.tolerance.map { Scalar.self == Float.self ? $0.float : $0.double }
    return .compare(name, got: ProducedTensor(got), expected: expected, judge: listed.judge, tolerance: tolerance)
  }
}
