import CKernels
import LowPrecision
import Tensors

// Axes: T tokens, K columns, N outputs.

/// What a product with a packed matrix is computed in.
public enum PackedArithmetic: String, CaseIterable, Sendable {
  /// Products and sums in float32, whatever the input.
  case float32
  /// Products of BF16, sums in float32, where the machine has it and no operand is rounded by it, as with deployed inputs
  /// (FP8 times a power of two); else as `float32`. Few tokens always go the way of `float32`, which is the faster one.
  case bfloat16WhereExact = "bf16"
}

extension KernelSet {
  /// The codes times their scales, bit by bit those of `BlockQuantization.dequantized`.
  ///
  /// - Returns: `[N, K]`; NaN where a scale or a code is NaN
  public func dequantized(_ matrix: PackedMatrix) -> Tensor<Float> {
    let (rows, columns) = (matrix.shape[0], matrix.shape[1])
    let kernels = kernels.packed
    let kernel = matrix.format == .float8E4M3 ? kernels.dequantize_fp8! : kernels.dequantize_fp4!
    return .written(matrix.shape) { y in
      matrix.read { input in
        workers.forRanges(of: rows, work: columns) { range in
          withUnsafePointer(to: input.matrix) { pointer in
            kernel(
              pointer, Int64(range.lowerBound), Int64(range.count), Int64(columns), y + range.lowerBound * columns,
              Int64(columns))
          }
        }
      }
    }
  }

  /// The twin of `linear` for a weight that stays packed: `y[…, o] = Σᵢ x[…, i] · weight[o, i]`.
  ///
  /// Scales are powers of two, so apart from the order of the sum this is the product with the dequantized weight, unless
  /// numbers come near the ends of float32.
  ///
  /// - Parameters:
  ///   - x: `[…, K]`, taken as it is: quantizing the input is a step of its own
  ///   - weight: `[N, K]`
  ///   - arithmetic: what it is computed in
  /// - Returns: `[…, N]`
  /// - Throws: `InputError` if the inner axes differ, in the words of `linear`.
  public func linear(
    _ x: Tensor<Float>, _ weight: PackedMatrix, in arithmetic: PackedArithmetic = .float32
  ) throws(InputError) -> Tensor<Float> {
    guard let columns = x.shape.last, weight.shape[1] == columns else {
      throw InputError("linear", "input of shape \(x.shape) does not fit the weight of shape \(weight.shape)")
    }
    let tokens = x.shape.dropLast().reduce(1, *)
    let product = packedProduct(
      weight.format, tokens: tokens,
      inBFloat16: arithmetic == .bfloat16WhereExact && tokens > Self.fewPackedTokens && weight.isModerate
        && x.elements.allSatisfy(isExactInProducts))
    let shape = ProductShape(
      tokens: tokens, columns: columns, outputs: weight.shape[0], xStride: columns, yStride: weight.shape[0])
    return .written(x.shape.dropLast() + [shape.outputs]) { y in
      x.read { x in weight.read { weight in multiply(x, weight, shape, by: product, into: y) } }
    }
  }

  private func multiply(
    _ x: Input, _ weight: PackedInput, _ shape: ProductShape, by product: PackedProduct, into y: Output
  ) {
    @Sendable func part(_ tokens: Range<Int>, _ outputs: Range<Int>) {
      withScratch(product.scratch(Int64(tokens.count), Int64(shape.columns))) { scratch in
        withUnsafePointer(to: weight.matrix) { matrix in
          product.kernel(
            x + tokens.lowerBound * shape.xStride, Int64(shape.xStride), Int64(tokens.count), Int64(shape.columns),
            matrix, Int64(outputs.lowerBound), Int64(outputs.count),
            y + (tokens.lowerBound * shape.yStride + outputs.lowerBound), Int64(shape.yStride), scratch)
        }
      }
    }
    // Every cut of the outputs packs x anew; the weight is unpacked anew for every 128 tokens, cut or not.
    if shape.tokens >= workers.threads * 128 {
      workers.forRanges(of: shape.tokens, multipleOf: 128, work: shape.outputs * shape.columns) {
        part($0, 0..<shape.outputs)
      }
    } else {
      // Rows of the register tiles, or nearly: 7 × 14, 16 × 6, 3 × 32; few tokens are packed in no time.
      let rows = shape.tokens <= Self.fewPackedTokens ? 32 : 96
      workers.forRanges(of: shape.outputs, multipleOf: rows, work: shape.tokens * shape.columns) {
        part(0..<shape.tokens, $0)
      }
    }
  }

  private func packedProduct(_ format: SmallFloat, tokens: Int, inBFloat16: Bool) -> PackedProduct {
    let isFloat8 = format == .float8E4M3
    let packed = kernels.packed
    if tokens <= Self.fewPackedTokens {
      return PackedProduct(
        scratch: packed.flat_scratch, kernel: isFloat8 ? packed.flat_fp8 : packed.flat_fp4)
    }
    if inBFloat16, let bfloat16 = v4_bfloat16_kernels_at(0)?.pointee {
      return PackedProduct(
        scratch: bfloat16.tall_scratch, kernel: isFloat8 ? bfloat16.tall_fp8 : bfloat16.tall_fp4)
    }
    return PackedProduct(scratch: packed.tall_scratch, kernel: isFloat8 ? packed.tall_fp8 : packed.tall_fp4)
  }

  /// Up to this many tokens one pass over the codes serves them all.
  private static let fewPackedTokens = 8
}

/// A kernel and what scratch it needs: constants of the program.
private struct PackedProduct: @unchecked Sendable {
  let scratch: @convention(c) (Int64, Int64) -> Int64
  let kernel: v4_packed_product
}

/// A number that is a BF16, and so large, if it is not 0, that its product with a moderate weight is no denormal number.
private func isExactInProducts(_ x: Float) -> Bool {
  let magnitude = x.bitPattern & 0x7FFF_FFFF
  return magnitude & 0xFFFF == 0 && (magnitude == 0 || x.magnitude >= 0x1p-38 || x.isNaN)
}
