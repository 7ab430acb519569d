import CKernels
import CompressedSparseAttention
import Tensors

// Axes: T tokens, h heads, c head width, d width.

extension KernelSet {
  /// The twin of `rmsNorm`: `x / √(mean(x²) + ε) · weight` over the last axis.
  ///
  /// - Parameters:
  ///   - x: `[…, d]`
  ///   - weight: `[d]`; nil for none
  ///   - epsilon: ε
  /// - Returns: `[…, d]`
  /// - Throws: `InputError` if the weight does not fit.
  public func rmsNorm(
    _ x: Tensor<Float>, weight: Tensor<Float>?, epsilon: Float
  ) throws(InputError) -> Tensor<Float> {
    guard let width = x.shape.last else { throw InputError("rmsNorm", "a scalar has no rows") }
    try weight?.requireShape([width], "weight", in: "rmsNorm")
    let rows = x.shape.dropLast().reduce(1, *)
    let absent = Tensor(repeating: Float.zero, shape: [0])
    return .written(x.shape) { y in
      x.read { x in
        (weight ?? absent).read { weights in
          let hasWeight = weight != nil
          workers.forRanges(of: rows, work: 4 * width) { range in
            kernels.elementwise.rms_norm(
              x + range.lowerBound * width, Int64(range.count), Int64(width), hasWeight ? weights.start : nil, epsilon,
              y + range.lowerBound * width)
          }
        }
      }
    }
  }

  /// Turns the last channels of each token, all heads alike: the arithmetic of `RotarySteps.rotated`.
  ///
  /// - Parameters:
  ///   - x: `[T, h, c]`
  ///   - cosines: `[T, r/2]`
  ///   - sines: `[T, r/2]`
  /// - Returns: `[T, h, c]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func rotated(
    _ x: Tensor<Float>, cosines: Tensor<Float>, sines: Tensor<Float>
  ) throws(InputError) -> Tensor<Float> {
    try x.requireAxes(["T", "h", "c"], "x", in: "rotary")
    let (tokens, heads, width) = (x.shape[0], x.shape[1], x.shape[2])
    let pairs = try rotatedPairs(cosines, sines, tokens: tokens, width: width)
    return .written(x.shape) { y in
      x.read { x in
        cosines.read { cosines in
          sines.read { sines in
            workers.forEach(of: tokens, work: 2 * heads * width) { token in
              kernels.elementwise.rotate(
                x + token * heads * width, Int64(heads), Int64(width), cosines + token * pairs, sines + token * pairs,
                Int64(pairs), y + token * heads * width)
            }
          }
        }
      }
    }
  }

  /// How many pairs of channels the angles turn.
  ///
  /// - Parameters:
  ///   - cosines: `[T, r/2]`
  ///   - sines: `[T, r/2]`
  ///   - tokens: T
  ///   - width: of a head, at least r
  /// - Throws: `InputError` if the shapes do not fit.
  func rotatedPairs(
    _ cosines: Tensor<Float>, _ sines: Tensor<Float>, tokens: Int, width: Int
  ) throws(InputError) -> Int {
    guard cosines.rank == 2, cosines.shape[0] == tokens, 2 * cosines.shape[1] <= width, sines.shape == cosines.shape
    else {
      throw InputError(
        "rotary",
        "cosines of shape \(cosines.shape) and sines of shape \(sines.shape) do not fit \(tokens) tokens of width \(width)"
      )
    }
    return cosines.shape[1]
  }

  /// The twin of `hadamard`: the transform of the last axis times width^(−1/2).
  ///
  /// - Parameter x: `[…, i]`, i a power of two
  /// - Throws: `InputError` if it is not.
  public func hadamard(_ x: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    let width = x.shape.last ?? 0
    try requireTransformable(width)
    let rows = x.count / width
    return .written(x.shape) { y in
      x.read { x in
        // What was written last is read first: a cache may hold it still.
        workers.forRanges(of: rows, work: 16 * width, backwards: true) { range in
          kernels.elementwise.hadamard(
            x + range.lowerBound * width, Int64(range.count), Int64(width), y + range.lowerBound * width)
        }
      }
    }
  }

  /// Affinities of `RoutingSteps`, `√log(1 + eˣ)` of each element of `[T, E]`.
  public func affinities(_ logits: Tensor<Float>) -> Tensor<Float> {
    .written(logits.shape) { y in
      logits.read { x in
        workers.forRanges(of: logits.count, multipleOf: instructionSet.lanes, work: 60) { range in
          kernels.elementwise.affinity(x + range.lowerBound, Int64(range.count), y + range.lowerBound)
        }
      }
    }
  }

  /// The twin of `ExpertSteps.gatedProduct`: `SiLU(min(gate, limit)) · clamp(up, −limit, limit)`.
  ///
  /// - Parameters:
  ///   - gate: `[T, f]`
  ///   - up: `[T, f]`
  ///   - limit: 0 means none
  /// - Returns: `[T, f]`
  /// - Throws: `InputError` if the shapes differ.
  public func gatedProduct(gate: Tensor<Float>, up: Tensor<Float>, limit: Float) throws(InputError) -> Tensor<Float> {
    try up.requireShape(gate.shape, "up", in: "product")
    return .written(gate.shape) { y in
      gate.read { gates in
        up.read { up in
          workers.forRanges(of: gate.count, multipleOf: instructionSet.lanes, work: 40) { range in
            kernels.elementwise.gated_product(
              gates + range.lowerBound, up + range.lowerBound, Int64(range.count), limit, y + range.lowerBound)
          }
        }
      }
    }
  }

  /// The same bias added to each row.
  ///
  /// - Parameters:
  ///   - x: `[T, E]`
  ///   - bias: `[E]`
  /// - Returns: `[T, E]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func sumOfRows(_ x: Tensor<Float>, bias: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    try x.requireAxes(["T", "E"], "scores", in: "sum")
    let (rows, width) = (x.shape[0], x.shape[1])
    try bias.requireShape([width], "bias", in: "sum")
    return .written(x.shape) { y in
      x.read { x in
        bias.read { bias in
          workers.forEach(of: rows, work: width) { row in
            (y + row * width).initialize(from: x + row * width, count: width)
            kernels.elementwise.add(bias.start, Int64(width), y + row * width)
          }
        }
      }
    }
  }

  /// Each row times a number of its own.
  ///
  /// - Parameters:
  ///   - x: `[T, f]`
  ///   - factors: `[T]`
  /// - Returns: `[T, f]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func scaledRows(_ x: Tensor<Float>, by factors: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    try x.requireAxes(["T", "f"], "product", in: "expert")
    let (tokens, width) = (x.shape[0], x.shape[1])
    try factors.requireShape([tokens], "slot_weights", in: "expert")
    return .written(x.shape) { y in
      x.read { x in
        factors.read { factors in
          workers.forRanges(of: tokens, work: width) { range in
            // One stream with one weight.
            kernels.streams.weighted_sum(
              x + range.lowerBound * width, factors + range.lowerBound, Int64(range.count), 1, Int64(width),
              y + range.lowerBound * width)
          }
        }
      }
    }
  }

  /// Sums over slots: `y[t] = Σₛ slots[t, s]`, in slot order.
  ///
  /// - Parameter slots: `[T, k, d]`
  /// - Returns: `[T, d]`
  /// - Throws: `InputError` for another number of axes.
  public func sumOverSlots(_ slots: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    try slots.requireAxes(["T", "k", "d"], "slots", in: "mixture")
    let (tokens, count, width) = (slots.shape[0], slots.shape[1], slots.shape[2])
    return .written([tokens, width]) { y in
      slots.read { x in
        workers.forEach(of: tokens, work: count * width) { token in
          let target = y + token * width
          target.initialize(repeating: 0, count: width)
          for slot in 0..<count {
            kernels.elementwise.add(x + (token * count + slot) * width, Int64(width), target)
          }
        }
      }
    }
  }
}
