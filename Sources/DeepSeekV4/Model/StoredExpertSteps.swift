import ExpertRouting
import LowPrecision
import Tensors

// Axes: d model width, f expert width.

/// Makes routed experts of weights as they are stored, for kernels that never form the values of a whole matrix.
///
/// | step | source |
/// | --- | --- |
/// | `expert` | 2.1-expert, with 5.2.1-block-quantization |
public protocol StoredExpertSteps: Sendable {
  /// An expert of stored matrices; nil where this path computes with values.
  ///
  /// - Parameters:
  ///   - matrices: as a checkpoint holds them
  ///   - width: d
  ///   - clampLimit: 0 means no clamp
  ///   - steps: of the expert
  /// - Throws: `InputError` if a shape does not fit or a value is not finite.
  func expert<Scalar: RealScalar>(
    _ matrices: StoredExpert, width: Int, clampLimit: Scalar, steps: any ExpertSteps
  ) throws(InputError) -> (any RoutedExpert<Scalar>)?
}

/// The matrices of an expert as a checkpoint stores them.
public struct StoredExpert: Sendable {
  /// w1, `[f, d]`
  public let gate: StoredMatrix
  /// w3, `[f, d]`
  public let up: StoredMatrix
  /// w2, `[d, f]`
  public let down: StoredMatrix
  /// What precedes the names of the weights in an error.
  public let prefix: String
}
