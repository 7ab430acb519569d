import CKernels
import Foundation
import Tensors

// Axes: T tokens, H index heads, i index width, N entries.

extension KernelSet {
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
                    kernels.indexer.scores(
                      queries + token * heads * width, weights + token * heads, Int64(heads), Int64(width),
                      keys + first * width, Int64(seen - first), target + first, scratch)
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
    let results = Selections(tokens: scores.count)
    let most = visible.max() ?? 0
    workers.forRanges(of: scores.count, work: 4 * most) { tokens in
      withScratch((kernels.indexer.top_k_scratch(Int64(most), Int64(topK)) + 3) / 4) { scratch in
        for token in tokens where visible[token] > 0 {
          let count = min(topK, visible[token])
          var margin: Float = 0
          var nan: Int64 = -1
          let chosen = [Int64](unsafeUninitializedCapacity: count) { buffer, written in
            nan = kernels.indexer.top_k(
              scores[token], Int64(visible[token]), Int64(count), buffer.baseAddress, &margin, scratch)
            written = nan < 0 ? count : 0
          }
          results.set(token, chosen.map { Int($0) }, margin, nan: Int(nan))
        }
      }
    }
    if let (token, nan) = results.firstNaN {
      throw InputError("indexer", "the score of candidate \(nan) is NaN for token \(token)")
    }
    return (results.selection, results.margin)
  }
}

extension KernelSet {
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
    let (tokens, candidates) = (scores.shape[0], scores.shape[1])
    guard (1...candidates).contains(k) else {
      throw InputError(operation, "k must be between 1 and \(candidates), got \(k)")
    }
    var indices = [Int64](repeating: 0, count: tokens * k)
    var nans = [Int64](repeating: -1, count: tokens)
    let margin = indices.withUnsafeMutableBufferPointer { indices in
      nans.withUnsafeMutableBufferPointer { nans in
        let written = SelectionMemory(indices: indices.baseAddress, nans: nans.baseAddress)
        return Tensor<Float>.written([tokens]) { margin in
          scores.read { scores in
            workers.forRanges(of: tokens, work: 8 * candidates) { range in
              withScratch((kernels.indexer.top_k_scratch(Int64(candidates), Int64(k)) + 3) / 4) { scratch in
                for token in range {
                  written.nans?[token] = kernels.indexer.top_k(
                    scores + token * candidates, Int64(candidates), Int64(k), written.indices.map { $0 + token * k },
                    margin + token, scratch)
                }
              }
            }
          }
        }
      }
    }
    if let token = nans.firstIndex(where: { $0 >= 0 }) {
      throw InputError(operation, "the score of candidate \(nans[token]) is NaN for token \(token)")
    }
    return (Tensor(filling: [tokens, k], indices.map { Int($0) }), margin)
  }
}

/// Where threads write what they select, each for tokens of its own.
private struct SelectionMemory: @unchecked Sendable {
  let indices: UnsafeMutablePointer<Int64>?
  let nans: UnsafeMutablePointer<Int64>?
}

/// Selections as threads find them, each for tokens of its own.
private final class Selections: @unchecked Sendable {
  private(set) var selection: [[Int]]
  private(set) var margin: [Float]
  private var nans: [Int]
  private let lock = NSLock()

  init(tokens: Int) {
    selection = Array(repeating: [], count: tokens)
    margin = Array(repeating: .infinity, count: tokens)
    nans = Array(repeating: -1, count: tokens)
  }

  func set(_ token: Int, _ chosen: [Int], _ margin: Float, nan: Int) {
    lock.lock()
    defer { lock.unlock() }
    selection[token] = chosen
    self.margin[token] = margin
    nans[token] = nan
  }

  /// The first token that has a NaN, and where.
  var firstNaN: (token: Int, index: Int)? {
    nans.firstIndex { $0 >= 0 }.map { ($0, nans[$0]) }
  }
}
