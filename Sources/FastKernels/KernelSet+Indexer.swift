import CKernels
import CompressedSparseAttention
import Tensors

// Axes: T tokens, H index heads, i index width, N entries.

extension KernelSet {
  /// The twin of `IndexerSteps.queries`, eq. (14), with the rotation and the Hadamard transform that follow in one pass: few
  /// queries at a time go through all three, while the first caches hold them.
  ///
  /// - Parameters:
  ///   - latent: `[T, q]`
  ///   - projection: `[H·i, q]`, i a power of two
  ///   - heads: H
  ///   - cosines: of the last channels of a head, `[T, r/2]`
  ///   - sines: `[T, r/2]`
  /// - Returns: `[T, H, i]`
  /// - Throws: `InputError` if the shapes do not fit.
  public func indexQueries(
    _ latent: Tensor<Float>, projection: Tensor<Float>, heads: Int, cosines: Tensor<Float>, sines: Tensor<Float>
  ) throws(InputError) -> Tensor<Float> {
    try latent.requireAxes(["T", "q"], "latent", in: "indexer")
    let (tokens, columns) = (latent.shape[0], latent.shape[1])
    let outputs = projection.shape.first ?? 0
    guard heads > 0, outputs % heads == 0, projection.shape == [outputs, columns] else {
      throw InputError(
        "indexer",
        "index_query_projection of shape \(projection.shape) does not fit \(heads) heads and a latent of shape \(latent.shape)"
      )
    }
    let width = outputs / heads
    try requireTransformable(width)
    let pairs = try rotatedPairs(cosines, sines, tokens: tokens, width: width)
    let shape = ProductShape(
      tokens: tokens, columns: columns, outputs: outputs, xStride: columns, yStride: outputs)
    guard tokens > Self.fewTokens else {
      let queries = try linear(latent, projection).reshaped([tokens, heads, width])
      return try hadamard(rotated(queries, cosines: cosines, sines: sines))
    }
    return .written([tokens, heads, width]) { y in
      latent.read { latent in
        projection.read { projection in
          cosines.read { cosines in
            sines.read { sines in
              forParts(of: shape, groupsOf: width) { tokens, outputs, scratch in
                let token = tokens.lowerBound
                kernels.indexer.queries(
                  latent + token * columns, Int64(tokens.count), Int64(columns),
                  projection + outputs.lowerBound * columns, Int64(outputs.count / width), Int64(width),
                  cosines + token * pairs, sines + token * pairs, Int64(pairs),
                  y + (token * shape.outputs + outputs.lowerBound), Int64(shape.outputs), scratch)
              }
            }
          }
        }
      }
    }
  }

  /// The twin of `IndexerSteps.allScores`, eq. (16): only the entries that a token sees are work.
  ///
  /// - Parameters:
  ///   - queries: `[T, H, i]`
  ///   - keys: `[N, i]`
  ///   - weights: `[T, H]`
  ///   - visible: how many of the N entries each token sees
  /// - Returns: N scores for each token, −∞ where it sees no entry
  /// - Throws: `InputError` if the shapes do not fit.
  public func allScores(
    queries: Tensor<Float>, keys: RowStore<Float>, weights: Tensor<Float>, visible: [Int]
  ) throws(InputError) -> [[Float]] {
    try queries.requireAxes(["T", "H", "i"], "queries", in: "indexer")
    let (tokens, heads, width) = (queries.shape[0], queries.shape[1], queries.shape[2])
    try weights.requireShape([tokens, heads], "weights", in: "indexer")
    let count = keys.end
    guard keys.start == 0, keys.width == width, visible.count == tokens, visible.allSatisfy({ 0...count ~= $0 }) else {
      throw InputError("indexer", "\(count) keys of width \(keys.width) do not fit queries of shape \(queries.shape)")
    }
    guard count > 0 else { return Array(repeating: [], count: tokens) }
    // Few tokens are cut into ranges of keys, too.
    let piece = tokens >= 4 * workers.threads ? count : max(count / (4 * workers.threads), 256)
    let pieces = (count + piece - 1) / piece
    let scores = Tensor<Float>.written([tokens, count]) { y in
      queries.read { queries in
        weights.read { weights in
          keys.withUnsafeElements { keys in
            guard let keys = keys.baseAddress.map(Input.init) else { return }
            workers.forRanges(of: tokens * pieces, work: 2 * heads * width * piece) { items in
              withScratch(kernels.indexer.scratch(Int64(heads), Int64(width))) { scratch in
                for item in items {
                  let (token, first) = (item / pieces, item % pieces * piece)
                  let (end, seen) = (min(first + piece, count), max(min(first + piece, visible[token]), first))
                  let target = y + token * count
                  if seen > first {
                    let next = token + 1 < tokens ? queries + (token + 1) * heads * width : nil
                    kernels.indexer.scores(
                      queries + token * heads * width, weights + token * heads, Int64(heads), Int64(width),
                      keys + first * width, Int64(seen - first), next, target + first, scratch)
                  }
                  (target + seen).initialize(repeating: -.infinity, count: end - seen)
                }
              }
            }
          }
        }
      }
    }
    return (0..<tokens).map { Array(scores.elements[$0 * count..<($0 + 1) * count]) }
  }

  /// The twin of `IndexerSteps.select`, eq. (17): score descending, then index ascending.
  ///
  /// - Parameters:
  ///   - scores: of all entries, for each token
  ///   - visible: how many entries each token sees
  ///   - topK: k, at least 1
  /// - Returns: at most k entries for each token, and by how much the last one beat the first rejected one
  /// - Throws: `InputError` if a visible score is NaN.
  public func select(
    _ scores: [[Float]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Float]) {
    guard topK >= 1 else { throw InputError("indexer", "index_topk must be at least 1, got \(topK)") }
    let (indices, margin) = try best(
      ofRows: scores.count, candidates: { visible[$0] }, most: visible.max() ?? 0, k: topK, in: "indexer",
      withScores: { row, body in scores[row].withUnsafeBufferPointer { body($0.baseAddress) } })
    let selection = visible.indices.map { row in
      indices[row * topK..<row * topK + min(topK, visible[row])].map { Int($0) }
    }
    return (selection, margin.elements)
  }

  /// The twin of `TopK`: the k highest scores of each row, score descending, then index ascending.
  ///
  /// - Parameters:
  ///   - scores: `[T, E]`
  ///   - k: between 1 and E
  ///   - operation: what an error names
  /// - Returns: indices `[T, k]`, and by how much the last one beat the first rejected one, `[T]`
  /// - Throws: `InputError` if k is out of range or a score is NaN.
  public func topK(
    _ scores: Tensor<Float>, k: Int, in operation: String
  ) throws(InputError) -> (indices: Tensor<Int>, margin: Tensor<Float>) {
    try scores.requireAxes(["T", "E"], "scores", in: operation)
    let (tokens, count) = (scores.shape[0], scores.shape[1])
    guard (1...count).contains(k) else {
      throw InputError(operation, "k must be between 1 and \(count), got \(k)")
    }
    let (indices, margin) = try best(
      ofRows: tokens, candidates: { _ in count }, most: count, k: k, in: operation,
      withScores: { row, body in scores.read { body($0 + row * count) } })
    return (Tensor(filling: [tokens, k], indices.map { Int($0) }), margin)
  }

  /// The highest scores of each row, score descending, then index ascending.
  ///
  /// - Parameters:
  ///   - rows: how many rows
  ///   - candidates: how many a row has, 0 or more
  ///   - most: of these
  ///   - k: how many are wanted of each row, at least 1
  ///   - operation: what an error names
  ///   - withScores: calls a body with the scores of a row
  /// - Returns: k places for each row, the first min(k, candidates) of them indices; and by how much the last one beat the
  ///   first rejected one, ∞ if none was
  /// - Throws: `InputError` if a score is NaN.
  private func best(
    ofRows rows: Int, candidates: @Sendable (Int) -> Int, most: Int, k: Int, in operation: String,
    withScores: @Sendable (Int, (UnsafePointer<Float>?) -> Void) -> Void
  ) throws(InputError) -> (indices: [Int64], margin: Tensor<Float>) {
    var indices = [Int64](repeating: 0, count: rows * k)
    var nans = [Int64](repeating: -1, count: rows)
    let margin = indices.withUnsafeMutableBufferPointer { indices in
      nans.withUnsafeMutableBufferPointer { nans in
        let written = SelectionMemory(indices: indices.baseAddress, nans: nans.baseAddress)
        return Tensor<Float>.written([rows]) { margin in
          workers.forRanges(of: rows, work: 8 * most) { range in
            withScratch((kernels.indexer.top_k_scratch(Int64(most), Int64(k)) + 3) / 4) { scratch in
              for row in range {
                let count = candidates(row)
                (margin + row).initialize(to: .infinity)
                if count == 0 { continue }
                withScores(row) { scores in
                  written.nans?[row] = kernels.indexer.top_k(
                    scores, Int64(count), Int64(min(k, count)), written.indices.map { $0 + row * k }, margin + row,
                    scratch)
                }
              }
            }
          }
        }
      }
    }
    if let row = nans.firstIndex(where: { $0 >= 0 }) {
      throw InputError(operation, "the score of candidate \(nans[row]) is NaN for token \(row)")
    }
    return (indices, margin)
  }
}

/// Where threads write what they select, each for rows of its own.
private struct SelectionMemory: @unchecked Sendable {
  let indices: UnsafeMutablePointer<Int64>?
  let nans: UnsafeMutablePointer<Int64>?
}
