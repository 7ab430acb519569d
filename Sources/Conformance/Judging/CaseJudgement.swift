import Comparison
import GoldenTensors
import Tensors

/// What an engine answered for a case, judged by its precision class (`docs/numerics.md`).
///
/// ```swift
/// let budgets = try library.budgets()
/// let judgement = try CaseJudgement(goldenCase, answer: tensors, precision: .bf16, budgets: budgets)
/// ```
public struct CaseJudgement: Codable, Equatable, Sendable {
  public let id: String
  public let precision: PrecisionClass
  /// One comparison for each expected tensor, in the order in which they are computed.
  public let comparisons: [TensorComparison]
  /// The errors of each tensor of reals that could be compared: the largest, the RMS, the worst row, the cosine.
  public let errors: [String: TensorErrors]
  /// Selections that differ and are right all the same. What follows them was judged under the engine's own selections.
  public let ties: [SelectionTie]
  /// What went wrong beyond the tensors, one sentence each.
  public let problems: [String]

  public var passed: Bool { problems.isEmpty && comparisons.allSatisfy(\.passed) }

  /// The largest multiple of a budget; NaN if something could not be compared, nil if there was nothing to.
  public var worstMultiple: Double? { comparisons.worstMultiple }

  /// Judges.
  ///
  /// - Parameters:
  ///   - goldenCase: the case
  ///   - answer: the engine's tensors by name: reals as float32 or float64, integers as int32 or int64
  ///   - precision: the class of the engine
  ///   - budgets: of the library; nil if there are none, then only fp64 and fp32 can be judged
  /// - Throws: `GoldenError` if the class cannot be judged without budgets, or the case lacks what a judge needs.
  public init(
    _ goldenCase: GoldenCase, answer: [String: StoredTensor], precision: PrecisionClass, budgets: PrecisionBudgets?
  ) throws {
    var unusable: [String] = []
    var produced: [String: ProducedTensor] = [:]
    for (name, tensor) in answer {
      produced[name] = ProducedTensor(tensor)
      if produced[name] == nil {
        unusable.append("the tensor \(plain(name)) holds \(tensor.elementType); results hold reals, int64 or int32")
        produced[name] = .integers(Tensor(repeating: 0, shape: [0]))
      }
    }
    try self.init(
      goldenCase, produced: produced, precision: precision, budgets: budgets, problems: unusable.sorted())
  }

  init(
    _ goldenCase: GoldenCase, produced: [String: ProducedTensor], precision: PrecisionClass,
    budgets: PrecisionBudgets?, problems unusable: [String] = []
  ) throws {
    let tolerances = try CaseTolerances(goldenCase.entry, precision, budgets: budgets)
    let replay = try SelectionReplay(goldenCase, produced, tolerances)
    var (comparisons, problems) = try goldenCase.compareAll(
      produced, replayed: replay?.expected ?? [:], tolerances: tolerances)
    if let expectedError = goldenCase.entry.expectedError {
      problems = ["it was accepted; expected an error that begins with: \(expectedError)"]
    }
    if let replay {
      comparisons = comparisons.map { replay.verdicts[$0.tensor] ?? $0 }
    }
    var errors: [String: TensorErrors] = [:]
    for comparison in comparisons where comparison.error != nil {
      guard case .reals(let got)? = produced[comparison.tensor],
        let expected = (replay?.expected ?? [:])[comparison.tensor] ?? goldenCase.judged[comparison.tensor]
      else { continue }
      errors[comparison.tensor] = try TensorErrors(
        expected: TensorSource(expected), got: TensorSource(.float64(got)))
    }
    id = goldenCase.entry.id
    self.precision = precision
    self.comparisons = comparisons
    self.errors = errors
    ties = replay?.ties ?? []
    self.problems = unusable + problems
  }
}
