import CKernels
import Tensors

// Axes: T tokens, K columns, N outputs.

/// Part of a matrix product: rows of x and of y may lie further apart than they are wide.
struct ProductShape: Sendable {
  var tokens: Int
  var columns: Int
  var outputs: Int
  var xStride: Int
  var yStride: Int
}

extension KernelSet {
  /// The twin of `linear`: `y[…, o] = Σᵢ x[…, i] · weight[o, i]`.
  ///
  /// - Parameters:
  ///   - x: `[…, K]`
  ///   - weight: `[N, K]`
  /// - Returns: `[…, N]`
  /// - Throws: `InputError` if the inner axes differ, in the words of `linear`.
  public func linear(_ x: Tensor<Float>, _ weight: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    guard let columns = x.shape.last, weight.rank == 2, weight.shape[1] == columns else {
      throw InputError("linear", "input of shape \(x.shape) does not fit the weight of shape \(weight.shape)")
    }
    let tokens = x.shape.dropLast().reduce(1, *)
    let outputs = weight.shape[0]
    return .written(x.shape.dropLast() + [outputs]) { y in
      x.read { x in
        weight.read { weight in
          multiply(
            x, weight,
            ProductShape(tokens: tokens, columns: columns, outputs: outputs, xStride: columns, yStride: outputs),
            into: y)
        }
      }
    }
  }

  /// The first product of the grouped output projection: each group of values by its own matrix.
  ///
  /// - Parameters:
  ///   - attended: `[T, h, c]`
  ///   - groups: g
  ///   - down: `[g·p, h·c/g]`
  /// - Returns: `[T, g·p]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func groupLatents(
    _ attended: Tensor<Float>, groups: Int, down: Tensor<Float>
  ) throws(InputError) -> Tensor<Float> {
    try attended.requireAxes(["T", "h", "c"], "attended", in: "attention")
    let (tokens, width) = (attended.shape[0], attended.shape[1] * attended.shape[2])
    guard groups > 0, width % groups == 0, down.rank == 2, down.shape[0] % groups == 0, down.shape[1] * groups == width
    else { throw InputError("attention", "output_down of shape \(down.shape) does not fit \(groups) groups") }
    let (groupWidth, rank) = (width / groups, down.shape[0] / groups)
    return .written([tokens, groups * rank]) { y in
      attended.read { x in
        down.read { down in
          for group in 0..<groups {
            multiply(
              Input(start: x + group * groupWidth), Input(start: down + group * rank * groupWidth),
              ProductShape(
                tokens: tokens, columns: groupWidth, outputs: rank, xStride: width, yStride: groups * rank),
              into: Output(start: y + group * rank))
          }
        }
      }
    }
  }

  /// y = x · weightᵀ, with weight `[N, K]` without gaps.
  func multiply(_ x: Input, _ weight: Input, _ shape: ProductShape, into y: Output) {
    guard shape.tokens > Self.fewTokens else { return multiplyFew(x, weight, shape, into: y) }
    guard shape.outputs > Self.fewOutputs else { return multiplyIntoFew(x, weight, shape, into: y) }
    let (tokens, columns) = (shape.tokens, shape.columns)
    withScratch(kernels.linear.packed_count(Int64(tokens), Int64(columns))) { memory in
      let packed = Output(start: memory)
      workers.forRanges(of: tokens, multipleOf: Int(kernels.linear.tile_tokens), work: columns) { range in
        kernels.linear.pack(
          x.start, Int64(shape.xStride), Int64(tokens), Int64(columns), Int64(range.lowerBound),
          Int64(range.upperBound), packed.start)
      }
      workers.forRanges(
        of: shape.outputs, multipleOf: Int(kernels.linear.tile_outputs), work: tokens * columns
      ) { range in
        withScratch(kernels.linear.panel_count()) { panel in
          kernels.linear.multiply(
            packed.start, Int64(tokens), Int64(columns), weight + range.lowerBound * columns, Int64(columns),
            Int64(range.count), y + range.lowerBound, Int64(shape.yStride), panel)
        }
      }
    }
  }

  /// Cut along the tokens: each thread packs its own, and reads them again before they have left its cache.
  private func multiplyIntoFew(_ x: Input, _ weight: Input, _ shape: ProductShape, into y: Output) {
    let (columns, outputs) = (Int64(shape.columns), Int64(shape.outputs))
    workers.forRanges(
      of: shape.tokens, multipleOf: Int(kernels.linear.tile_tokens), work: shape.columns * shape.outputs
    ) { range in
      let most = min(range.count, Self.tokensOfABlock)
      let count = kernels.linear.packed_count(Int64(most), columns)
      withScratch(count + kernels.linear.panel_count()) { scratch in
        for first in stride(from: range.lowerBound, to: range.upperBound, by: most) {
          let tokens = Int64(min(most, range.upperBound - first))
          kernels.linear.pack(
            x + first * shape.xStride, Int64(shape.xStride), tokens, columns, 0, tokens, scratch)
          kernels.linear.multiply(
            scratch, tokens, columns, weight.start, columns, outputs, y + first * shape.yStride, Int64(shape.yStride),
            scratch + Int(count))
        }
      }
    }
  }

  private func multiplyFew(_ x: Input, _ weight: Input, _ shape: ProductShape, into y: Output) {
    let (tokens, columns) = (Int64(shape.tokens), Int64(shape.columns))
    workers.forRanges(of: shape.outputs, multipleOf: 4, work: shape.tokens * shape.columns) { range in
      kernels.linear.flat(
        x.start, Int64(shape.xStride), tokens, columns, weight + range.lowerBound * shape.columns, columns,
        Int64(range.count), y + range.lowerBound, Int64(shape.yStride))
    }
  }

  /// Up to this many tokens memory is the limit, and the kernel that reads each weight once is the faster one.
  private static let fewTokens = 16
  /// What a thread packs at a time there.
  private static let tokensOfABlock = 192
  /// Up to this many outputs packing is a good part of the work.
  private static let fewOutputs = 256
}
