import Tensors

// Axes: R rows, C columns, a × b blocks that share a scale.

/// A matrix as a checkpoint stores it in FP8 or FP4: codes and scale bytes, without their values.
public struct StoredMatrix: Sendable {
  public let format: SmallFloat
  /// `[R, C]` of FP8; `[R, C/2]` of FP4, two codes in a byte, the low nibble first.
  public let codes: Tensor<UInt8>
  /// UE8M0: `[⌈R/128⌉, ⌈C/128⌉]` of FP8, `[R, C/32]` of FP4.
  public let scaleBytes: Tensor<UInt8>

  /// Bytes of `[R, C]` values, as they are: who reads them checks the shapes.
  public init(format: SmallFloat, codes: Tensor<UInt8>, scaleBytes: Tensor<UInt8>) {
    self.format = format
    self.codes = codes
    self.scaleBytes = scaleBytes
  }
}
