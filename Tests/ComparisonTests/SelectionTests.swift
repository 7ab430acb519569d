import Comparison
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Selections: sets for each token, ties by the scores.
@Suite struct SelectionTests {
  private static let selection = "calls/0000/layers.2.attn.indexer.selection"
  private static let scores = "calls/0000/layers.2.attn.indexer.scores"

  /// Token 0 sees entries 0 to 2, token 1 all; 1 and 3 are 2⁻²² apart for token 1.
  private func run(_ selection: [Int64], scores: [Double]? = nil) throws -> Tensors {
    [
      "calls/0000/token_ids": try .integers([2], [1, 2]),
      Self.selection: try .integers([2, 2], selection),
      Self.scores: try .reals([2, 4], scores ?? [0.5, 1, 0.25, -.infinity, 4, 2, 1, 2 + 0x1p-22]),
    ]
  }

  private func verdict(_ got: [Int64], expected: [Int64] = [1, 0, 0, 3]) throws -> TensorVerdict {
    let report = try compare(run(expected), run(got))
    return try #require(report.tensors.first { $0.name == Self.selection })
  }

  @Test func theSameSetInAnotherOrderPasses() throws {
    let found = try verdict([0, 1, 3, 0])
    #expect(found.verdict == .pass)
    #expect(found.remark == "2 tokens have the same set in another order")
  }

  @Test func scoresThatCannotBeToldApartAreATie() throws {
    let found = try verdict([1, 0, 0, 1])
    #expect(found.verdict == .tie)
    #expect(found.ties == 1)
    #expect(try compare(run([1, 0, 0, 3]), run([1, 0, 0, 1])).passed)
  }

  @Test(arguments: [
    ([1, 0, 0, 2], "1 tokens select otherwise: token 1 has [2] in place of [3], whose scores are 1 apart"),
    // An entry that the token does not see, one that is not there, one that is there twice, one too few.
    ([1, 3, 0, 3], "1 tokens select otherwise: token 0 has [3] in place of [0]"),
    ([1, 4, 0, 3], "1 tokens select otherwise: token 0 has [4] in place of [0]"),
    ([1, 1, 0, 3], "1 tokens select otherwise: token 0 has [1] in place of [0]"),
    ([1, -1, 0, 3], "1 tokens select otherwise: token 0 has [-1] in place of [0]"),
  ])
  func wrongEntriesFail(got: [Int64], sentence: String) throws {
    let found = try verdict(got)
    #expect(found.verdict == .fail)
    #expect(found.remark == sentence)
  }

  @Test func withoutScoresEveryOtherSetFails() throws {
    var (expected, got) = (try run([1, 0, 0, 3]), try run([1, 0, 0, 1]))
    (expected[Self.scores], got[Self.scores]) = (nil, nil)
    let report = try compare(expected, got)
    #expect(!report.passed)
    #expect(report.headline.hasSuffix("token 1 has [1] in place of [3]"))
  }

  /// In a case order counts, and equal scores are decided by the lower index.
  @Test func aCaseIsStricter() throws {
    let library = try GoldenLibrary.bundled()
    let goldenCase = try library.load(#require(library.entry("tiny/expert-routing/router-bias-decides")))
    var tensors = goldenCase.expected
    let indices = try #require(tensors["indices"]?.integers)
    #expect(try compare(goldenCase, tensors).passed)
    tensors["indices"] = .int64(
      try Tensor(shape: indices.shape, elements: indices.elements.map { Int64($0) }))
    #expect(try compare(goldenCase, tensors).passed)
    var swapped = indices.elements.map { Int64($0) }
    swapped.swapAt(0, 1)
    tensors["indices"] = .int64(try Tensor(shape: indices.shape, elements: swapped))
    let report = try compare(goldenCase, tensors)
    #expect(!report.passed)
    #expect(report.headline.hasPrefix("first tensor above tolerance: indices, 1 tokens select otherwise: token 0 has"))
  }
}
