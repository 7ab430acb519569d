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
    forParts(of: shape) { tokens, outputs, scratch in
      kernels.linear.multiply(
        x + tokens.lowerBound * shape.xStride, Int64(shape.xStride), Int64(tokens.count), Int64(shape.columns),
        weight + outputs.lowerBound * shape.columns, Int64(shape.columns), Int64(outputs.count),
        y + (tokens.lowerBound * shape.yStride + outputs.lowerBound), Int64(shape.yStride), scratch)
    }
  }

  /// Calls a body for parts of a product of many tokens, with scratch for `multiply`.
  ///
  /// A range of outputs copies all of x, a range of tokens turns all of the weight: the longer axis is cut.
  ///
  /// - Parameters:
  ///   - shape: of the whole product
  ///   - group: outputs that are not cut apart, a power of two
  ///   - body: is called from several threads at once
  func forParts(
    of shape: ProductShape, groupsOf group: Int = 1,
    _ body: @Sendable (_ tokens: Range<Int>, _ outputs: Range<Int>, _ scratch: UnsafeMutablePointer<Float>) -> Void
  ) {
    let (tokens, outputs) = (shape.tokens, shape.outputs)
    /// Scratch holds sums of all tokens that it is made for: long ranges take it several times.
    @Sendable func doPart(_ tokens: Range<Int>, _ outputs: Range<Int>) {
      withScratch(kernels.linear.multiply_scratch(Int64(min(tokens.count, Self.mostTokens)))) { scratch in
        for first in stride(from: tokens.lowerBound, to: tokens.upperBound, by: Self.mostTokens) {
          body(first..<min(first + Self.mostTokens, tokens.upperBound), outputs, scratch)
        }
      }
    }
    if outputs >= tokens {
      workers.forRanges(
        of: outputs, multipleOf: max(Int(kernels.linear.tile_outputs), group), atLeast: Self.leastOutputs,
        work: tokens * shape.columns
      ) { doPart(0..<tokens, $0) }
    } else {
      workers.forRanges(of: tokens, atLeast: Self.leastTokens, work: shape.columns * outputs) {
        doPart($0, 0..<outputs)
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
  static let fewTokens = 16
  /// Fewer outputs or tokens than these are not worth what is copied or turned for them.
  private static let leastOutputs = 256
  private static let leastTokens = 512
  /// A thread's sums of these many take 3 MB of scratch.
  private static let mostTokens = 2048
}
