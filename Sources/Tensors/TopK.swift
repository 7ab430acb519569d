/// The `k` largest scores of each row, as this package defines it for the router and for the indexer.
///
/// Order: **score descending, then index ascending**. The report and the released code leave equal scores undefined;
/// golden cases state this rule, and give the margin by which each selection was decided.
public struct TopK<Scalar: RealScalar>: Sendable {
  /// `[T, k]`: the selected positions, best first.
  public let indices: Tensor<Int>
  /// `[T]`: the k-th minus the (k+1)-th score; `+∞` where nothing was rejected.
  public let margin: Tensor<Scalar>

  /// - Parameters:
  ///   - scores: `[T, E]`
  ///   - k: between 1 and `E`
  ///   - parameter: what `k` is called in an error
  ///   - operation: the operation that an error names
  /// - Throws: `InputError` if `k` is out of range or a score is NaN.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public init(
    _ scores: Tensor<Scalar>, k: Int, parameter: String = "k", in operation: String
  ) throws(InputError) {
    try scores.requireAxes(["T", "E"], "scores", in: operation)
    let (tokens, candidates) = (scores.shape[0], scores.shape[1])
    guard (1...candidates).contains(k) else {
      throw InputError(operation, "\(parameter) must be between 1 and \(candidates), got \(k)")
    }
    var indices: [Int] = []
    var margin: [Scalar] = []
    for token in 0..<tokens {
      let row = scores.elements[(token * candidates)..<((token + 1) * candidates)]
      if let nan = row.firstIndex(where: \.isNaN) {
        throw InputError(operation, "the score of candidate \(nan - row.startIndex) is NaN for token \(token)")
      }
      let ranked = Self.best(k + 1, of: row)
      indices += ranked.prefix(k).map(\.index)
      margin.append(k < candidates ? ranked[k - 1].score - ranked[k].score : .infinity)
    }
    self.indices = Tensor(unchecked: [tokens, k], indices)
    self.margin = Tensor(unchecked: [tokens], margin)
  }

  /// A selection that was made elsewhere, by the same rule.
  ///
  /// - Parameters:
  ///   - indices: `[T, k]`
  ///   - margin: `[T]`
  public init(indices: Tensor<Int>, margin: Tensor<Scalar>) {
    self.indices = indices
    self.margin = margin
  }

  /// The best scores in order. A score that ties with an earlier one comes after it.
  ///
  /// In one pass where few of many are wanted; by sorting otherwise.
  @inline(__always)
  private static func best(_ count: Int, of row: ArraySlice<Scalar>) -> [(score: Scalar, index: Int)] {
    guard count < row.count / 8 else {
      let ranked = row.enumerated().sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
      return ranked.prefix(count).map { ($0.element, $0.offset) }
    }
    var best: [(score: Scalar, index: Int)] = []
    for (index, score) in row.enumerated() {
      if best.count == count, let worst = best.last, score <= worst.score { continue }
      var (low, high) = (0, best.count)
      while low < high {
        let middle = (low + high) / 2
        if best[middle].score >= score { low = middle + 1 } else { high = middle }
      }
      best.insert((score, index), at: low)
      if best.count > count { best.removeLast() }
    }
    return best
  }
}
