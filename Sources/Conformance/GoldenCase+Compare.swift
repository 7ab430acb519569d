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
    try comparison(name, ProducedTensor(got), tolerances: CaseTolerances(entry, double: Scalar.self == Double.self))
  }
}
