import Conformance
import GoldenTensors
import Tensors
import Testing

/// Selections that differ: ties pass and what follows is judged under them; anything else fails.
@Suite struct SelectionTests {
  private let library: GoldenLibrary
  private let budgets: PrecisionBudgets

  init() throws {
    library = try GoldenLibrary.bundled()
    budgets = try #require(try library.budgets())
  }

  private static let routerCase = "tiny/expert-routing/router-bias-decides"

  private func judged(
    _ id: String, _ answer: [String: StoredTensor], _ precision: PrecisionClass = .bf16
  ) throws -> CaseJudgement {
    try CaseJudgement(
      library.load(#require(library.entry(id))), answer: answer, precision: precision, budgets: budgets)
  }

  /// An answer with entries of a selection replaced: token, slot, entry.
  private func answer(
    _ id: String, _ name: String, _ changes: [(Int, Int, Int)]
  ) throws -> [String: StoredTensor] {
    var answer = try library.load(#require(library.entry(id))).expected
    var selection = try #require(answer[name]?.integers)
    for (token, slot, entry) in changes { selection[token, slot] = entry }
    answer[name] = .int64(selection.map { Int64($0) })
    return answer
  }

  @Test func aTiePassesAndWhatFollowsIsJudgedUnderIt() throws {
    let found = try #require(try tieCase())
    let (goldenCase, answer, name) = found
    let id = goldenCase.entry.id
    // The weights are still those of the experts expected: wrong under this selection.
    let mixed = try judged(id, answer)
    #expect(!mixed.passed)
    #expect(mixed.ties.map(\.tensor) == [name])
    #expect(mixed.comparisons.first { $0.tensor == name }?.passed == true)
    // Two exchanged slots of one token: their weights go along.
    let weights = try #require(answer["weights"]?.doubles)
    var moved = weights
    let token = try #require(mixed.ties.first?.token)
    (moved[token, 0], moved[token, 1]) = (weights[token, 1], weights[token, 0])
    var right = answer
    right["weights"] = .float64(moved)
    let judgement = try judged(id, right)
    #expect(judgement.passed, "\(judgement)")
    #expect(judgement.ties.count == 1)
    // The finer class can tell the two apart.
    #expect(try !judged(id, right, .fp32).passed)
  }

  /// A router where the first two experts of a token are nearer to each other than bf16 can tell, exchanged, and whose
  /// weights differ by more than it may be off.
  private func tieCase() throws -> (GoldenCase, [String: StoredTensor], String)? {
    for entry in library.manifest.cases where entry.operation == "router" && entry.expectedError == nil {
      let goldenCase = try library.load(entry)
      guard let scores = goldenCase.expected["selection_scores"]?.doubles,
        let indices = goldenCase.expected["indices"]?.integers, indices.shape[1] >= 2,
        let weights = goldenCase.expected["weights"]?.doubles,
        let margin = budgets.cases[entry.id]?.selections["indices"]?.budgets[.bf16],
        let allowed = budgets.cases[entry.id]?.tensors["weights"]?.budgets[.bf16]
      else { continue }
      for token in 0..<indices.shape[0] {
        let (first, second) = (indices[token, 0], indices[token, 1])
        let gap = scores[token, first] - scores[token, second]
        let change = abs(weights[token, 0] / weights[token, 1] - 1)
        guard gap > 0, gap < margin, change > 1.1 * allowed else { continue }
        return (goldenCase, try answer(entry.id, "indices", [(token, 0, second), (token, 1, first)]), "indices")
      }
    }
    return nil
  }

  @Test func impossibleEntriesAreWrongInEveryClass() throws {
    let id = "odd/compressed-sparse-attention/csa"
    let goldenCase = try library.load(#require(library.entry(id)))
    let selection = try #require(goldenCase.expected["selection"]?.integers)
    let entries = try #require(goldenCase.expected["index_scores"]).shape[1]
    let last = selection.shape[0] - 1
    let full = try #require((0...last).first { selection[$0, 1] >= 0 })
    let cases: [([(Int, Int, Int)], String)] = [
      ([(last, 0, entries)], "not there"),
      ([(last, 0, -7)], "in the first slots"),
      ([(full, 0, entries - 1)], full < last ? "cannot see" : "twice"),
      ([(last, 1, selection[last, 0])], "twice"),
      ([(last, 1, -1)], "in the first slots"),
    ]
    for (changes, problem) in cases {
      for precision in [PrecisionClass.tf32, .bf16, .fp8fp4] {
        let judgement = try judged(id, answer(id, "selection", changes), precision)
        let comparison = try #require(judgement.comparisons.first { $0.tensor == "selection" })
        #expect(!comparison.passed && comparison.multiple.value.isNaN)
        #expect(comparison.mismatch?.problem.contains(problem) == true, "\(comparison)")
        #expect(judgement.ties.isEmpty)
      }
    }
  }

  @Test func anExpertFarBelowIsWrong() throws {
    let entry = try #require(library.entry(Self.routerCase))
    let scores = try #require(library.load(entry).expected["selection_scores"]?.doubles)
    let row = Array(scores.elements[..<scores.shape[1]])
    let worst = try #require(row.indices.min { row[$0] < row[$1] })
    let judgement = try judged(Self.routerCase, answer(Self.routerCase, "indices", [(0, 0, worst)]), .tf32)
    let comparison = try #require(judgement.comparisons.first { $0.tensor == "indices" })
    #expect(comparison.multiple.value > 1, "\(comparison)")
    #expect(!judgement.passed)
  }

  /// The whole way: an engine that rounds what comes out to bf16 and says so passes, and in fp32 it fails.
  @Test func engineReportsAreMadeByClass() throws {
    for (precision, passes) in [(PrecisionClass.bf16, true), (.fp32, false)] {
      let report = try ConformanceReport(
        of: RoundedEngine(precision: precision), library, filter: "odd/expert-routing/router")
      #expect(report.results.count > 1)
      #expect(report.passed == passes, "\(report.text)")
    }
  }

  @Test func missingExtraAndOddTypesFail() throws {
    var answer = try library.load(#require(library.entry(Self.routerCase))).expected
    #expect(try judged(Self.routerCase, answer).passed)
    answer["weights"] = nil
    answer["more"] = .float32(Tensor(repeating: 0, shape: [1]))
    answer["scores"] = .bool(Tensor(repeating: true, shape: [1]))
    let judgement = try judged(Self.routerCase, answer)
    #expect(judgement.problems.count == 3)
    #expect(judgement.comparisons.first { $0.tensor == "scores" }?.passed == false)
  }
}

/// The slow path, its results rounded to bf16.
private struct RoundedEngine: ConformanceEngine {
  let name = "rounded"
  let version = "1"
  let precision: PrecisionClass

  func answer(_ request: EngineRequest) throws -> EngineAnswer {
    guard case .tensors(let tensors) = try ReferenceEngine().answer(request) else { return .unsupported("") }
    return .tensors(
      tensors.mapValues { tensor in
        guard case .float64(let reals) = tensor else { return tensor }
        return .float32(
          reals.map { x in
            let bits = Float(x).bitPattern
            return x.isFinite ? Float(bitPattern: (bits + 0x8000) & 0xFFFF_0000) : Float(x)
          })
      })
  }
}
