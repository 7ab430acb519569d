import GoldenTensors
import Tensors

/// A selection that differs from the one expected only where two scores are nearer to each other than the class can tell.
public struct SelectionTie: Codable, Equatable, Sendable {
  public let tensor: String
  /// How many tokens select other entries, or in another order.
  public let tokens: Int
  /// The one where the exchanged scores are furthest apart.
  public let token: Int
  public let expected: [Int]
  public let got: [Int]
  /// How far they are apart.
  public let gap: Double
  /// How far they may be: the budget of the class.
  public let margin: Double
}

/// A selection held against the scores that decide it.
struct ReplayedSelection {
  let name: String
  /// What the engine selected, `[T, K]`.
  let got: Tensor<Int>
  /// What the case expects, `[T, K]`.
  let expected: Tensor<Int>

  private var columns: Int { expected.shape.last ?? 0 }

  private func row(_ tensor: Tensor<Int>, _ token: Int) -> [Int] {
    Array(tensor.elements[token * columns..<(token + 1) * columns])
  }

  /// What no precision excuses: an entry that is none, is repeated or cannot be seen, or a number of entries that is not
  /// the expected one; nil if all is well.
  ///
  /// - Parameter scores: for each token of all candidates, −∞ where they cannot be seen
  func fault(_ scores: [[Double]]) -> TensorComparison.Mismatch? {
    for token in 0..<expected.shape[0] {
      let (mine, right) = (row(got, token), row(expected, token))
      for (slot, entry) in mine.enumerated() {
        let problem: String
        if (entry < 0) != (right[slot] < 0) {
          problem =
            "it selects \(mine.count { $0 >= 0 }) entries, expected \(right.count { $0 >= 0 }) in the first slots"
        } else if entry < 0 {
          continue
        } else if entry >= scores[token].count || scores[token][entry] == -.infinity {
          problem = "it selects an entry that is not there, or that the token cannot see"
        } else if mine[..<slot].contains(entry) {
          problem = "it selects an entry twice"
        } else {
          continue
        }
        return TensorComparison.Mismatch(
          problem: problem, index: [token, slot], expected: .init(Double(right[slot])), got: .init(Double(entry)))
      }
    }
    return nil
  }

  /// How far apart the scores of exchanged entries are: those taken and left out, or taken in another order.
  ///
  /// - Parameter scores: of all candidates of a token; its selection is without `fault`
  private func gap(_ selection: [Int], _ scores: [Double]) -> Double {
    let taken = selection.filter { $0 >= 0 }
    var (least, gap) = (Double.infinity, 0.0)
    for entry in taken {
      gap = max(gap, scores[entry] - least)
      least = min(least, scores[entry])
    }
    let leftOut = scores.indices.filter { !taken.contains($0) }.map { scores[$0] }.max() ?? -.infinity
    return taken.isEmpty ? 0 : max(gap, leftOut - least)
  }

  /// Judges by the scores of a run with this selection in place.
  ///
  /// - Parameter margin: by how much the class may misjudge the gap between two scores
  func verdict(_ scores: [[Double]], margin: Double) -> (comparison: TensorComparison, tie: SelectionTie?) {
    let gaps = (0..<expected.shape[0]).map { gap(row(got, $0), scores[$0]) }
    let differing = gaps.indices.filter { row(got, $0) != row(expected, $0) }
    let worst = gaps.indices.max { gaps[$0] < gaps[$1] } ?? 0
    let largest = gaps.isEmpty ? 0 : gaps[worst]
    let multiple = largest == 0 ? 0 : margin > 0 ? largest / margin : .infinity
    var mismatch: TensorComparison.Mismatch?
    if multiple > 1 {
      let problem =
        "\(gaps.count { $0 > margin }) of \(gaps.count) tokens exchange entries whose scores are further apart than this "
        + "precision may misjudge; the worst: \(row(got, worst)), expected \(row(expected, worst))"
      mismatch = .init(problem: problem, index: [worst], expected: nil, got: nil)
    }
    let comparison = TensorComparison(
      tensor: name, error: largest, tolerance: margin, multiple: .init(multiple), mismatch: mismatch)
    guard multiple <= 1, let token = differing.max(by: { gaps[$0] < gaps[$1] }) else { return (comparison, nil) }
    let tie = SelectionTie(
      tensor: name, tokens: differing.count, token: token, expected: row(expected, token), got: row(got, token),
      gap: gaps[token], margin: margin)
    return (comparison, tie)
  }
}
