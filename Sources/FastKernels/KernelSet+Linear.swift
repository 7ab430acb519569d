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
    let (tokens, columns, outputs) = (shape.tokens, shape.columns, shape.outputs)
    /// The product of some rows of x with some rows of the weight.
    @Sendable func part(_ rows: Range<Int>, _ columnsOfY: Range<Int>) {
      let kernels = kernels.linear
      let first = (x + rows.lowerBound * shape.xStride, weight + columnsOfY.lowerBound * columns)
      let target = y + (rows.lowerBound * shape.yStride + columnsOfY.lowerBound)
      let (xStride, yStride, width) = (Int64(shape.xStride), Int64(shape.yStride), Int64(columns))
      guard tokens > Self.fewTokens else {
        return kernels.flat(
          first.0, xStride, Int64(rows.count), width, first.1, width, Int64(columnsOfY.count), target, yStride)
      }
      withScratch(kernels.tall_scratch(Int64(rows.count), width)) { scratch in
        kernels.tall(
          first.0, xStride, Int64(rows.count), width, first.1, width, Int64(columnsOfY.count), target, yStride, scratch)
      }
    }
    // Every cut of the outputs packs x anew, every cut of the tokens reads the weight anew.
    if tokens <= Self.fewTokens {
      workers.forRanges(of: outputs, multipleOf: 4, work: tokens * columns) { part(0..<tokens, $0) }
    } else if outputs >= 1024 || tokens < 128 {
      workers.forRanges(of: outputs, multipleOf: Self.outputsOfATile, work: tokens * columns) { part(0..<tokens, $0) }
    } else {
      workers.forRanges(of: tokens, multipleOf: 32, work: outputs * columns) { part($0, 0..<outputs) }
    }
  }

  /// Up to this many tokens memory is the limit, and the kernel that reads each weight once is the faster one.
  private static let fewTokens = 16
  /// A multiple of the outputs of every instruction set's register tile.
  private static let outputsOfATile = 42
}
