import GoldenTensors
import Tensors

/// How an engine did on one case.
public struct EngineCaseResult: Codable, Sendable {
  public let id, component, operation: String
  public var outcome: Outcome
  /// One comparison for each expected tensor that came back, in the order of computation.
  public let comparisons: [TensorComparison]
  /// Selections that differ and are right all the same; what follows them was judged under the engine's own.
  public let ties: [SelectionTie]
  /// What went wrong beyond the tensors, one sentence each.
  public private(set) var problems: [String]
  /// The engine's own words: why it refused the input, or why it does not know how.
  public let words: String?
  /// Why it is known to fail, where a file says so.
  public var expectedFailure: String?

  /// A case that the engine does not know how to run is unsupported, and no failure.
  public enum Outcome: String, Codable, Sendable {
    case passed, failed, unsupported
  }

  /// The largest multiple of a tolerance; NaN if something could not be compared, nil if there was nothing to.
  public var worstMultiple: Double? { comparisons.worstMultiple }

  private init(
    _ entry: GoldenManifest.CaseEntry, _ outcome: Outcome, comparisons: [TensorComparison] = [],
    ties: [SelectionTie] = [], problems: [String] = [], words: String? = nil
  ) {
    (id, component, operation) = (entry.id, entry.component, entry.operation)
    (self.outcome, self.comparisons, self.ties) = (outcome, comparisons, ties)
    (self.problems, self.words) = (problems, words)
  }

  /// A case that could not be judged.
  init(_ entry: GoldenManifest.CaseEntry, problem: String) { self.init(entry, .failed, problems: [problem]) }

  /// The same case, run again by an engine that was given the selections of the case.
  func with(replayed: EngineCaseResult) -> EngineCaseResult {
    guard replayed.outcome != .passed || !replayed.ties.isEmpty else { return self }
    var failed = replayed
    failed.outcome = .failed
    failed.problems.append("that was with the selections of the case in place of its own")
    return failed
  }

  /// Judges what an engine says to a case.
  ///
  /// - Parameters:
  ///   - precision: whose tolerance applies
  ///   - budgets: of the library; nil if there are none
  init(_ goldenCase: GoldenCase, _ reply: EngineReply, as precision: PrecisionClass, budgets: PrecisionBudgets?) {
    let entry = goldenCase.entry
    switch (reply, entry.expectedError) {
    case (.fault(let problem), _):
      self.init(entry, problem: problem)
    case (.unsupported(let reason), _):
      self.init(entry, .unsupported, words: reason)
    case (.refused(let words), .some):
      self.init(entry, .passed, words: words)
    case (.refused(let words), nil):
      self.init(entry, .failed, problems: ["it refused the input"], words: words)
    case (.tensors, .some(let expectedError)):
      self.init(entry, problem: "it accepted an input that has to be refused: \(expectedError)")
    case (.tensors(let tensors), nil):
      self.init(goldenCase, tensors, precision, budgets)
    }
  }

  private init(
    _ goldenCase: GoldenCase, _ tensors: [String: StoredTensor], _ precision: PrecisionClass,
    _ budgets: PrecisionBudgets?
  ) {
    do {
      let judgement = try CaseJudgement(goldenCase, answer: tensors, precision: precision, budgets: budgets)
      self.init(
        goldenCase.entry, judgement.passed ? .passed : .failed, comparisons: judgement.comparisons,
        ties: judgement.ties, problems: judgement.problems)
    } catch {
      self.init(goldenCase.entry, problem: "\(error)")
    }
  }
}

extension ProducedTensor {
  /// A tensor of a result, widened; nil if results may not have its element type.
  init?(_ stored: StoredTensor) {
    switch stored {
    case .float32, .float64: self = .reals(stored.doubles)
    case .int32(let tensor): self = .integers(tensor.map { Int($0) })
    case .int64(let tensor): self = .integers(tensor.map { Int($0) })
    case .uint8, .bool: return nil
    }
  }
}
