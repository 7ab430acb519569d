import CKernels
import LowPrecision
import Tensors

// Axes: N outputs, K columns.

/// A weight that stays as a checkpoint stores it: codes, and a power of two for each block of them.
///
/// | format | codes | scales |
/// | --- | --- | --- |
/// | `.float8E4M3` | `[N, K]` | `[⌈N/128⌉, ⌈K/128⌉]` |
/// | `.float4E2M1` | `[N, K/2]`, two in a byte, the low nibble first | `[N, K/32]` |
///
/// Scales are UE8M0. Decoding a token takes the time in which memory gives out the weights, so a quarter or an eighth of
/// the bytes of float32 is worth having.
public struct PackedMatrix: Equatable, Sendable {
  public let format: SmallFloat
  /// `[N, K]`
  public let shape: [Int]
  /// As in the table, row by row.
  public let codes: [UInt8]
  /// As in the table, row by row; byte 255 is NaN.
  public let scales: [UInt8]
  /// Codes times scales, and what products with deployed inputs they give, are normal numbers of BF16.
  let isModerate: Bool

  /// - Throws: `InputError` if the format is neither FP8 nor FP4, an axis is empty, K is not a multiple of 32 for FP4, or
  ///   there are not as many bytes as the shape needs.
  public init(_ format: SmallFloat, shape: [Int], codes: [UInt8], scales: [UInt8]) throws(InputError) {
    guard shape.count == 2, shape.allSatisfy({ $0 > 0 }), let count = elementCount(of: shape) else {
      throw InputError("packed matrix", "expected a shape [N, K] without empty axes, got \(shape)")
    }
    let scaleCounts = try Self.blocks(format).blockCounts(rows: shape[0], columns: shape[1], in: "packed matrix")
    let needed = (codes: format == .float4E2M1 ? count / 2 : count, scales: scaleCounts.0 * scaleCounts.1)
    guard codes.count == needed.codes, scales.count == needed.scales else {
      throw InputError(
        "packed matrix",
        "\(format.name) of shape \(shape) needs \(needed.codes) bytes of codes and \(needed.scales) of scales, "
          + "got \(codes.count) and \(scales.count)")
    }
    (self.format, self.shape, self.codes, self.scales) = (format, shape, codes, scales)
    isModerate = scales.allSatisfy { byte in
      byte == 255 || (V4_BFLOAT16_LEAST_SCALE...V4_BFLOAT16_LARGEST_SCALE).contains(Int32(byte))
    }
  }

  /// Quantizes a matrix as a checkpoint would hold it.
  ///
  /// - Parameters:
  ///   - values: `[N, K]`
  ///   - format: FP8 or FP4
  /// - Throws: `InputError` if the blocks of the format do not fit, or a value is not finite.
  public init(quantizing values: Tensor<Float>, as format: SmallFloat) throws(InputError) {
    let quantized = try Self.blocks(format).quantized(values)
    var scales: [UInt8] = []
    for scale in quantized.scales.elements { scales.append(try ScaleE8M0.byte(of: scale)) }
    let codes = quantized.codes.elements
    let packed =
      format == .float8E4M3
      ? codes : stride(from: 0, to: codes.count, by: 2).map { codes[$0] | codes[$0 + 1] << 4 }
    try self.init(format, shape: values.shape, codes: packed, scales: scales)
  }

  /// The blocks that share a scale.
  private static func blocks(_ format: SmallFloat) throws(InputError) -> BlockQuantization {
    switch format {
    case .float8E4M3: try BlockQuantization(format, rows: 128, columns: 128)
    case .float4E2M1: try BlockQuantization(format, columns: 32)
    case .bfloat16: throw InputError("packed matrix", "\(format.name) has no blocks that share a scale")
    }
  }
}

/// A packed matrix as the kernels see it, in memory that threads read.
struct PackedInput: @unchecked Sendable {
  let matrix: v4_packed_matrix
}

extension PackedMatrix {
  /// Where the bytes lie, for as long as a body runs.
  func read(_ body: (PackedInput) -> Void) {
    let width = shape[1]
    let isFloat8 = format == .float8E4M3
    codes.withUnsafeBufferPointer { codes in
      scales.withUnsafeBufferPointer { scales in
        body(
          PackedInput(
            matrix: v4_packed_matrix(
              codes: codes.baseAddress, code_stride: Int64(isFloat8 ? width : width / 2),
              scales: scales.baseAddress, scale_stride: Int64(isFloat8 ? (width + 127) / 128 : width / 32))))
      }
    }
  }
}
