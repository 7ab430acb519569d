import CKernels
import Tensors
import TokenCompression

// Axes: N entries, c entry width, w projected width (2c with overlap, else c), m compression ratio, R pooled rows.

extension KernelSet {
  /// The twin of `CompressionSteps.pooledBlocks`, eqs. (11), (12), (22) and (23).
  ///
  /// The rows before the first block take no weight, so they are left out.
  ///
  /// - Parameters:
  ///   - blocks: N numbers
  ///   - state: holds the projected rows of the blocks and, with overlap, of the one before them
  ///   - positionBias: `[m, w]`
  /// - Returns: `[N, c]`
  /// - Throws: `InputError` if rows are missing.
  public func pooledBlocks(
    _ blocks: Range<Int>, of state: CompressorState<Float>, positionBias: Tensor<Float>
  ) throws(InputError) -> Tensor<Float> {
    let (ratio, width) = (state.ratio, state.entries.width)
    let projected = state.keyValues.width
    let (first, overlaps) = (state.keyValues.start, state.overlaps)
    let needed = max(blocks.lowerBound - (overlaps ? 1 : 0), 0) * ratio..<blocks.upperBound * ratio
    guard blocks.isEmpty || (needed.lowerBound >= first && needed.upperBound <= state.keyValues.end) else {
      throw InputError("rows", "rows \(needed) are not among \(first)..<\(state.keyValues.end)")
    }
    return .written([blocks.count, width]) { y in
      state.keyValues.withUnsafeElements { values in
        state.scores.withUnsafeElements { scores in
          positionBias.read { bias in
            guard let values = values.baseAddress.map(Input.init), let scores = scores.baseAddress.map(Input.init)
            else { return }
            workers.forEach(of: blocks.count, work: 40 * ratio * width) { index in
              let block = blocks.lowerBound + index
              var rows = PooledRows()
              /// The rows of a block, from a channel on.
              func add(_ block: Int, from channel: Int) {
                for place in 0..<ratio {
                  let offset = (block * ratio + place - first) * projected + channel
                  rows.values.append(values + offset)
                  rows.scores.append(scores + offset)
                  rows.biases.append(bias + (place * projected + channel))
                }
              }
              // With overlap: the first half of the channels of the previous block, the second half of this one's.
              if overlaps && block > 0 { add(block - 1, from: 0) }
              add(block, from: overlaps ? width : 0)
              kernels.elementwise.pool(
                &rows.values, &rows.scores, &rows.biases, Int64(rows.values.count), Int64(width), y + index * width)
            }
          }
        }
      }
    }
  }
}

/// Where the rows lie that one entry is pooled from.
private struct PooledRows {
  var values: [UnsafePointer<Float>?] = []
  var scores: [UnsafePointer<Float>?] = []
  var biases: [UnsafePointer<Float>?] = []
}
