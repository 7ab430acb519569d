import LowPrecision
import Tensors

/// Where the weights of a model come from: a checkpoint, the generator of `golden/FORMAT.md`, a dictionary.
///
/// Tensors are asked for by their official names, when they are needed. A source gives values: what is stored in FP8 or
/// FP4 comes dequantized.
public protocol WeightSource: Sendable {
  /// A tensor of reals.
  ///
  /// - Parameters:
  ///   - name: official, as in `layers.3.attn.wq_a.weight`
  ///   - shape: of the whole tensor
  ///   - rows: of the first axis; nil for all
  /// - Returns: `[rows.count, …]` if rows are given, else `shape`
  /// - Throws: an error that names the tensor if it is not there, or has another shape.
  func reals<Scalar: RealScalar>(
    _ name: String, shape: [Int], rows: Range<Int>?
  ) throws -> Tensor<Scalar>

  /// A tensor of integers: the hash table of a layer, `[V, k]`.
  ///
  /// - Throws: as `reals` does.
  func integers(_ name: String, shape: [Int]) throws -> Tensor<Int>

  /// A matrix as it is stored in FP8 or FP4; nil where the source has values only.
  ///
  /// - Throws: as `reals` does.
  func stored(_ name: String) throws -> StoredMatrix?

  /// The same weights as somebody gets them who reads codes and scales by other steps. A source that stores neither is
  /// what it was.
  func read(by steps: any QuantizationSteps) -> any WeightSource
}

extension WeightSource {
  /// Values only.
  public func stored(_ name: String) throws -> StoredMatrix? { nil }

  /// Nothing is stored in codes.
  public func read(by steps: any QuantizationSteps) -> any WeightSource { self }

  /// A whole tensor of reals, `[R, C]` or `[C]` as asked for.
  ///
  /// - Throws: as `reals(_:shape:rows:)` does.
  public func reals<Scalar: RealScalar>(_ name: String, _ shape: [Int]) throws -> Tensor<Scalar> {
    try reals(name, shape: shape, rows: nil)
  }
}
