import GoldenTensors
import Tensors

/// By what it is told whether another selection is wrong, or one of two that the precision cannot tell apart.
enum SelectionEvidence {
  /// The scores that were selected from, `[T, S]`, and what the class may be off by in one of them.
  case scores(TensorSource, tolerance: Double)
  /// Only how far the last selected score is from the first rejected one, `[T]`, and what the class may be off by.
  case margins(TensorSource, tolerance: Double)
  /// Nothing: every other selection is wrong.
  case none
}

/// The judgement of a selection: for each token, which entries or experts were chosen, −1 for none.
struct SelectionJudgement {
  /// Tokens with a wrong entry, and the first of them in words.
  private(set) var wrong = 0
  private(set) var firstWrong: String?
  /// Tokens where entries were swapped whose scores the class cannot tell apart.
  private(set) var ties = 0
  /// Tokens with the right set in another order, where order does not count.
  private(set) var reordered = 0

  private let evidence: SelectionEvidence
  /// Whether the place in the selection counts, and equal scores are decided by the lower index: so in golden cases.
  private let ordered: Bool

  /// - Parameters:
  ///   - expected: `[T, K]`
  ///   - got: the same
  /// - Throws: what reading the evidence throws.
  init(expected: Tensor<Int>, got: Tensor<Int>, evidence: SelectionEvidence, ordered: Bool) throws {
    self.evidence = evidence
    self.ordered = ordered
    let width = expected.shape.last ?? 0
    guard width > 0 else { return }
    for token in 0..<expected.count / width {
      let range = token * width..<(token + 1) * width
      try judge(token, Array(expected.elements[range]), Array(got.elements[range]))
    }
  }

  private mutating func judge(_ token: Int, _ expected: [Int], _ got: [Int]) throws {
    guard expected != got else { return }
    let (missing, added) = (difference(expected, got), difference(got, expected))
    if missing.isEmpty, added.isEmpty, !ordered {
      reordered += 1
      return
    }
    let pairs = missing.isEmpty ? zip(expected, got).filter { $0 != $1 } : zip(missing, added).map { ($0, $1) }
    // What is added must be new: an entry that is chosen twice is wrong, whatever its score.
    let isSwap = !added.contains(where: expected.contains)
    let gap = isSwap ? try gap(token, pairs, setsDiffer: !missing.isEmpty) : nil
    if let gap, (0...allowed).contains(gap), !(ordered && gap == 0) {
      ties += 1
      return
    }
    wrong += 1
    guard firstWrong == nil else { return }
    let what = missing.isEmpty ? "has the order \(got), expected \(expected)" : "has \(added) in place of \(missing)"
    let why = gap.map { ", whose scores are \(figure($0)) apart" } ?? ""
    firstWrong = "token \(token) \(what)\(why)"
  }

  /// The widest gap between the scores of what was swapped; nil where nothing tells.
  private func gap(_ token: Int, _ pairs: [(Int, Int)], setsDiffer: Bool) throws -> Double? {
    switch evidence {
    case .none: return nil
    case .margins(let margins, _):
      // A margin speaks of the one pair at the border, not of several and not of the order inside.
      guard setsDiffer, pairs.count == 1 else { return nil }
      return try margins.reals(row: token).first
    case .scores(let scores, _):
      let row = try scores.reals(row: token)
      guard pairs.allSatisfy({ row.indices.contains($0) && row.indices.contains($1) }) else { return nil }
      let (left, right) = (pairs.map { row[$0.0] }, pairs.map { row[$0.1] })
      guard (left + right).allSatisfy(\.isFinite) else { return nil }
      // Every missing score against every added one, so that it does not matter which stands for which.
      return setsDiffer ? left.max()! - right.min()! : zip(left, right).map { abs($0 - $1) }.max()
    }
  }

  /// Two scores, each off by as much as the class may be.
  private var allowed: Double {
    switch evidence {
    case .none: 0
    case .margins(_, let tolerance), .scores(_, let tolerance): 2 * tolerance
    }
  }

  /// What is in `a` and not in `b`, counting repetitions.
  private func difference(_ a: [Int], _ b: [Int]) -> [Int] {
    var rest: [Int: Int] = [:]
    for id in b { rest[id, default: 0] += 1 }
    return a.filter { id in
      rest[id, default: 0] -= 1
      return rest[id]! < 0
    }
  }
}

extension TensorSource {
  /// One row, in Double.
  func reals(row: Int) throws -> [Double] {
    guard isReal, shape.first.map({ row < $0 }) == true else { return [] }
    return try rows(row..<row + 1).doubles.elements
  }
}

extension StoredTensor {
  /// The elements if they are int64 or int32.
  var wholeNumbers: Tensor<Int>? {
    switch self {
    case .int64(let tensor): tensor.map { Int($0) }
    case .int32(let tensor): tensor.map { Int($0) }
    default: nil
    }
  }
}
