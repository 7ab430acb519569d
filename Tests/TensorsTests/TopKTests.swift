import Tensors
import TestSupport
import Testing

@Suite struct TopKTests {
  @Test func ordersByScoreThenByIndex() throws {
    let scores = try Tensor(shape: [1, 6], elements: [1.0, 3, 2, 3, 2, 0])
    let top = try TopK(scores, k: 4, in: "router")
    #expect(top.indices.elements == [1, 3, 2, 4])
    #expect(top.margin.elements == [1])
  }

  @Test func aTieAtTheBoundaryGoesToTheLowerIndexWithMarginZero() throws {
    let top = try TopK(Tensor(shape: [1, 4], elements: [Float(5), 7, 5, 5]), k: 2, in: "router")
    #expect(top.indices.elements == [1, 0])
    #expect(top.margin.elements == [0])
  }

  @Test func nothingRejectedMeansInfiniteMargin() throws {
    let top = try TopK(Tensor(shape: [1, 2], elements: [1.0, 2]), k: 2, in: "router")
    #expect(top.indices.elements == [1, 0])
    #expect(top.margin.elements == [.infinity])
  }

  @Test(arguments: [0, -1, 4]) func refusesAnImpossibleK(k: Int) throws {
    let scores = try Tensor(shape: [1, 3], elements: [1.0, 2, 3])
    #expect(throws: InputError("router", "k must be between 1 and 3, got \(k)")) {
      try TopK(scores, k: k, in: "router")
    }
  }

  @Test func refusesNaN() throws {
    let scores = try Tensor(shape: [2, 2], elements: [1.0, 2, 3, .nan])
    #expect(throws: InputError("router", "the score of candidate 1 is NaN for token 1")) {
      try TopK(scores, k: 1, in: "router")
    }
  }

  /// Few of many and many of few take different ways to the same order.
  @Test func bothWaysAgree() throws {
    var generator = SeededGenerator(seed: 51)
    let scores = (0..<200).map { _ in Double(Int.random(in: 0..<30, using: &generator)) }
    let row = try Tensor(shape: [1, 200], elements: scores)
    let all = try TopK(row, k: 200, in: "test").indices.elements
    let expected = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
    #expect(all == expected)
    for k in [1, 2, 7, 23, 24, 25, 26, 100, 199] {
      let top = try TopK(row, k: k, in: "test")
      #expect(top.indices.elements == Array(expected.prefix(k)))
      #expect(top.margin[0] == scores[expected[k - 1]] - scores[expected[k]])
    }
  }
}
