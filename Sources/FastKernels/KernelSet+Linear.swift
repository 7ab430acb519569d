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
  ///
  /// A range of outputs copies all of x, a range of tokens turns all of the weight: the longer axis is cut.
  func multiply(_ x: Input, _ weight: Input, _ shape: ProductShape, into y: Output) {
    let (columns, outputs) = (shape.columns, shape.outputs)
    guard shape.tokens > Self.fewTokens else { return multiplyFew(x, weight, shape, into: y) }
    if outputs >= shape.tokens {
      workers.forRanges(
        of: outputs, multipleOf: Int(kernels.linear.tile_outputs), atLeast: Self.leastRange,
        work: shape.tokens * columns
      ) { range in
        multiply(x, weight + range.lowerBound * columns, shape, range.count, into: y + range.lowerBound)
      }
    } else {
      workers.forRanges(of: shape.tokens, atLeast: Self.leastRange, work: columns * outputs) { range in
        var part = shape
        part.tokens = range.count
        multiply(
          Input(start: x + range.lowerBound * shape.xStride), weight.start, part, outputs,
          into: y + range.lowerBound * shape.yStride)
      }
    }
  }

  /// Some outputs of all tokens, on one thread.
  private func multiply(
    _ x: Input, _ weight: UnsafePointer<Float>, _ shape: ProductShape, _ outputs: Int,
    into y: UnsafeMutablePointer<Float>
  ) {
    withScratch(kernels.linear.multiply_scratch()) { scratch in
      kernels.linear.multiply(
        x.start, Int64(shape.xStride), Int64(shape.tokens), Int64(shape.columns), weight, Int64(shape.columns),
        Int64(outputs), y, Int64(shape.yStride), scratch)
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
  static let fewTokens = 16
  /// Of outputs or tokens: for fewer, what is copied for them would take more than 2 % of the time.
  private static let leastRange = 512
}
