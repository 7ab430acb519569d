import CKernels
import Tensors

// Axes: T tokens, n residual streams, d model width, M mixes.

extension KernelSet {
  /// Tokens of a range. The passes over the streams walk in turn forwards and backwards, so that a pass begins with what
  /// the one before it has left in the last cache.
  private static let leastTokens = 256
  /// Groups of tokens of a range: its thread reads a block of the projection for them.
  private static let leastGroups = 8

  /// The twin of `HyperConnectionSteps.mixes`, eqs. (3) to (5).
  ///
  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - projection: `[M, n·d]`
  ///   - normEpsilon: `rms_norm_eps`
  /// - Returns: `[T, M]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func mixes(
    _ streams: Tensor<Float>, projection: Tensor<Float>, normEpsilon: Float
  ) throws(InputError) -> Tensor<Float> {
    let (tokens, columns) = (streams.shape[0], streams.shape[1] * streams.shape[2])
    guard projection.rank == 2, projection.shape[1] == columns else {
      throw InputError("linear", "input of shape \(streams.shape) does not fit the weight of shape \(projection.shape)")
    }
    let count = projection.shape[0]
    let sums =
      tokens > Self.fewTokens ? mixSums(streams, projection: projection) : fewMixSums(streams, projection: projection)
    return .written([tokens, count]) { y in
      sums.read { x in
        kernels.streams.mixes(
          x.start, Int64(sums.shape[0]), Int64(tokens), Int64(count), Int64(columns), normEpsilon, y.start)
      }
    }
  }

  /// The sums that mixes are made of, for each block of columns: a thread finds the rows of a block in its second cache.
  ///
  /// - Returns: `[blocks, T, M + 1]`: products, then the squares of the streams
  private func mixSums(_ streams: Tensor<Float>, projection: Tensor<Float>) -> Tensor<Float> {
    let (tokens, count, columns) = (streams.shape[0], projection.shape[0], projection.shape[1])
    let (most, group) = (Int(kernels.streams.mix_columns), Int(kernels.streams.mix_tokens))
    let (blocks, groups) = ((columns + most - 1) / most, (tokens + group - 1) / group)
    let packed = packedBlocks(ofMixes: projection)
    return .written([blocks, tokens, count + 1]) { y in
      streams.read { x in
        packed.read { packed in
          workers.forRanges(of: blocks * groups, atLeast: Self.leastGroups, work: group * count * most) { range in
            for block in range.lowerBound / groups...(range.upperBound - 1) / groups {
              let part = range.clamped(to: block * groups..<(block + 1) * groups)
              let first = (part.lowerBound - block * groups) * group
              let past = min((part.upperBound - block * groups) * group, tokens)
              kernels.streams.mix_sums(
                x + first * columns + block * most, Int64(columns), Int64(past - first),
                Int64(min(columns - block * most, most)), packed + block * packedBlock(of: count, most), Int64(count),
                y + (block * tokens + first) * (count + 1))
            }
          }
        }
      }
    }
  }

  /// The same for few tokens, for which packing would not be worth while.
  ///
  /// - Returns: `[1, T, M + 1]`
  private func fewMixSums(_ streams: Tensor<Float>, projection: Tensor<Float>) -> Tensor<Float> {
    let (tokens, count, columns) = (streams.shape[0], projection.shape[0], projection.shape[1])
    return .written([1, tokens, count + 1]) { y in
      streams.read { x in
        projection.read { weight in
          multiply(
            x, weight,
            ProductShape(
              tokens: tokens, columns: columns, outputs: count, xStride: columns, yStride: count + 1), into: y)
        }
        // The squares of a row are its product with itself.
        workers.forEach(of: tokens, work: columns) { token in
          let row = x + token * columns
          kernels.linear.flat(
            row, Int64(columns), 1, Int64(columns), row, Int64(columns), 1, y + token * (count + 1) + count, 1)
        }
      }
    }
  }

  /// The projection packed for `mix_sums`, block by block; only the last one may be shorter.
  private func packedBlocks(ofMixes projection: Tensor<Float>) -> Tensor<Float> {
    let (count, columns) = (projection.shape[0], projection.shape[1])
    let most = Int(kernels.streams.mix_columns)
    let (whole, rest) = (columns / most, columns % most)
    return .written([whole * packedBlock(of: count, most) + packedBlock(of: count, rest)]) { y in
      projection.read { weight in
        workers.forEach(of: (columns + most - 1) / most, work: count * most) { block in
          kernels.streams.pack_mixes(
            weight + block * most, Int64(columns), Int64(count), Int64(min(columns - block * most, most)),
            y + block * packedBlock(of: count, most))
        }
      }
    }
  }

  /// Floats of a packed block of so many mixes and columns.
  private func packedBlock(of mixes: Int, _ columns: Int) -> Int {
    Int(kernels.streams.mix_packed(Int64(mixes), Int64(columns)))
  }

  /// Gate and bias of eqs. (3) to (5) for one part of the mixes: a part of what `HyperConnectionSteps.splitMixes` gives.
  ///
  /// - Parameters:
  ///   - mixes: `[T, M]`
  ///   - part: which of the M, p of them
  ///   - base: `[M]`
  ///   - gate: α of this part
  /// - Returns: `[T, p]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func logits(
    ofMixes mixes: Tensor<Float>, part: Range<Int>, base: Tensor<Float>, gate: Float
  ) throws(InputError) -> Tensor<Float> {
    try mixes.requireAxes(["T", "M"], "mixes", in: "splitMixes")
    let (tokens, count) = (mixes.shape[0], mixes.shape[1])
    try base.requireShape([count], "base", in: "splitMixes")
    guard (0...count).contains(part.lowerBound), part.upperBound <= count else {
      throw InputError("splitMixes", "there are \(count) mixes, so none of \(part)")
    }
    return .written([tokens, part.count]) { y in
      mixes.read { x in
        base.read { base in
          workers.forRanges(of: tokens, work: 2 * part.count) { range in
            kernels.elementwise.scale_and_shift(
              x + range.lowerBound * count + part.lowerBound, Int64(count), Int64(range.count), Int64(part.count), gate,
              base + part.lowerBound, y + range.lowerBound * part.count)
          }
        }
      }
    }
  }

  /// Eqs. (6) and (7) as released: `factor · σ(x) + term` of each element.
  ///
  /// - Parameters:
  ///   - logits: of any shape
  ///   - factor: 1 for pre, 2 for post
  ///   - term: `hc_eps` for pre, 0 for post
  /// - Returns: the gates, shaped alike
  public func gates(_ logits: Tensor<Float>, factor: Float, term: Float) -> Tensor<Float> {
    .written(logits.shape) { y in
      logits.read { x in
        workers.forRanges(of: logits.count, multipleOf: instructionSet.lanes, work: 30) { range in
          kernels.elementwise.gate(x + range.lowerBound, Int64(range.count), factor, term, y + range.lowerBound)
        }
      }
    }
  }

  /// The twin of `preMix` and `collapse`, eq. (1): `Σⱼ weights[j] · X[j]`.
  ///
  /// - Parameters:
  ///   - streams: X, `[T, n, d]`
  ///   - weights: `[T, n]`
  /// - Returns: `[T, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func weightedSum(_ streams: Tensor<Float>, weights: Tensor<Float>) throws(InputError) -> Tensor<Float> {
    let (tokens, n, width) = (streams.shape[0], streams.shape[1], streams.shape[2])
    try weights.requireShape([tokens, n], "weights", in: "preMix")
    return .written([tokens, width]) { y in
      streams.read { x in
        weights.read { weights in
          workers.forRanges(of: tokens, multipleOf: 8, atLeast: Self.leastTokens, work: n * width, backwards: true) {
            range in
            kernels.streams.weighted_sum(
              x + range.lowerBound * n * width, weights + range.lowerBound * n, Int64(range.count), Int64(n),
              Int64(width), y + range.lowerBound * width)
          }
        }
      }
    }
  }

  /// The twin of `postMix`, eq. (1): `X'[k] = post[k] · F + Σⱼ comb[j, k] · X[j]`.
  ///
  /// - Parameters:
  ///   - streams: X, `[T, n, d]`
  ///   - layerOutput: F, `[T, d]`
  ///   - post: `[T, n]`
  ///   - combination: comb, `[T, n, n]`
  /// - Returns: `[T, n, d]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func postMix(
    _ streams: Tensor<Float>, layerOutput: Tensor<Float>, post: Tensor<Float>, combination: Tensor<Float>
  ) throws(InputError) -> Tensor<Float> {
    let (tokens, n, width) = (streams.shape[0], streams.shape[1], streams.shape[2])
    try layerOutput.requireShape([tokens, width], "layer_output", in: "postMix")
    try post.requireShape([tokens, n], "post", in: "postMix")
    try combination.requireShape([tokens, n, n], "combination", in: "postMix")
    return .written([tokens, n, width]) { y in
      streams.read { x in
        layerOutput.read { layer in
          post.read { post in
            combination.read { combination in
              workers.forRanges(of: tokens, multipleOf: 8, atLeast: Self.leastTokens, work: n * n * width) { range in
                let first = range.lowerBound
                kernels.streams.post_mix(
                  x + first * n * width, layer + first * width, post + first * n, combination + first * n * n,
                  Int64(range.count), Int64(n), Int64(width), y + first * n * width)
              }
            }
          }
        }
      }
    }
  }

  /// The twin of `sinkhorn`, eq. (8) as released. Its iterations give the bits of the reference from the same start.
  ///
  /// - Parameters:
  ///   - matrices: logits, or what the first row pass made of them, `[T, n, n]`
  ///   - iterations: t_max, at least 1
  ///   - epsilon: `hc_eps`
  ///   - afterStart: whether `matrices` are past the first row pass (`sinkhornStart`)
  /// - Returns: comb, `[T, n, n]`
  /// - Throws: `InputError` for another shape or for 0 iterations.
  public func sinkhorn(
    _ matrices: Tensor<Float>, iterations: Int, epsilon: Float, afterStart: Bool = false
  ) throws(InputError) -> Tensor<Float> {
    try matrices.requireAxes(["T", "n", "n"], "combination_logits", in: "sinkhorn")
    let (tokens, n) = (matrices.shape[0], matrices.shape[1])
    try matrices.requireShape([tokens, n, n], "combination_logits", in: "sinkhorn")
    guard iterations >= 1 else { throw InputError("sinkhorn", "iterations must be at least 1, got \(iterations)") }
    try requireEpsilon(epsilon, in: "sinkhorn")
    return .written(matrices.shape) { y in
      matrices.read { x in
        workers.forRanges(of: tokens, multipleOf: instructionSet.lanes, work: 4 * n * n * iterations) { range in
          withScratch(kernels.streams.sinkhorn_scratch(Int64(n))) { scratch in
            kernels.streams.sinkhorn(
              x + range.lowerBound * n * n, Int64(range.count), Int64(n), Int64(iterations), epsilon,
              afterStart ? 1 : 0, y + range.lowerBound * n * n, scratch)
          }
        }
      }
    }
  }
}
