import GoldenTensors
import Tensors

/// A case run again with the selections of an engine in place of its own, where they differ.
struct SelectionReplay {
  /// What the tensors should be under those selections, as far as they have a tolerance.
  let expected: [String: StoredTensor]
  /// On each selection that is judged by its scores.
  let verdicts: [String: TensorComparison]
  let ties: [SelectionTie]

  /// - Returns: nil if no selection differs, or if none may in this class
  /// - Throws: `GoldenError` if the operation is unknown, and what it throws.
  init?(_ goldenCase: GoldenCase, _ answer: [String: ProducedTensor], _ tolerances: CaseTolerances) throws {
    guard goldenCase.entry.expectedError == nil else { return nil }
    var candidates: [ReplayedSelection] = []
    for (name, expected) in goldenCase.judged.sorted(by: { $0.key < $1.key }) {
      // A tensor of another shape or type is left to the usual comparison.
      guard tolerances.margin(name) != nil, let right = expected.integers, case .integers(let got)? = answer[name],
        got.shape == right.shape
      else { continue }
      candidates.append(ReplayedSelection(name: name, got: got, expected: right))
    }
    guard candidates.contains(where: { $0.got != $0.expected }) else { return nil }

    let operation = try goldenCase.operation
    let own = CaseRecorder()
    _ = try operation.run(goldenCase.request, as: Double.self, recorder: own)
    var verdicts: [String: TensorComparison] = [:]
    for candidate in candidates {
      guard let fault = candidate.fault(own.scoreRows(candidate.name)) else { continue }
      verdicts[candidate.name] = TensorComparison(
        tensor: candidate.name, error: nil, tolerance: tolerances.margin(candidate.name), multiple: .init(.nan),
        mismatch: fault)
    }
    guard verdicts.isEmpty else {  // nothing can be computed from such a selection
      (expected, self.verdicts, ties) = ([:], verdicts, [])
      return
    }

    var held: [String: [Tensor<Int>]] = [:]
    for candidate in candidates { held[candidate.name] = try own.split(candidate.got, as: candidate.name) }
    let replay = CaseRecorder(holding: held)
    let production = try operation.run(goldenCase.request, as: Double.self, recorder: replay)
    var ties: [SelectionTie] = []
    for candidate in candidates {
      let verdict = candidate.verdict(
        replay.scoreRows(candidate.name), margin: tolerances.margin(candidate.name) ?? 0)
      verdicts[candidate.name] = verdict.comparison
      if let tie = verdict.tie { ties.append(tie) }
    }
    var expected: [String: StoredTensor] = [:]
    for name in goldenCase.entry.budgetedTensors {
      if case .reals(let tensor)? = production.tensors[name] { expected[name] = .float64(tensor) }
    }
    (self.expected, self.verdicts, self.ties) = (expected, verdicts, ties)
  }
}

extension CaseRecorder {
  /// The scores behind a selection, for each token of all calls.
  func scoreRows(_ selection: String) -> [[Double]] {
    (scores[selection] ?? []).flatMap { call in
      let width = call.shape[1]
      return (0..<call.shape[0]).map { Array(call.elements[$0 * width..<($0 + 1) * width]) }
    }
  }

  /// A selection of all tokens, call by call as in this run.
  ///
  /// - Throws: `InputError` if there are not so many tokens.
  func split(_ selection: Tensor<Int>, as name: String) throws -> [Tensor<Int>] {
    var first = 0
    return try (selections[name] ?? []).map { call in
      defer { first += call.shape[0] }
      return try selection.rows(first..<first + call.shape[0])
    }
  }
}
