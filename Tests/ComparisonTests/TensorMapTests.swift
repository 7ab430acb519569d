import Comparison
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Foreign names and layouts.
@Suite struct TensorMapTests {
  /// Queries of two layers, `[T, h, c]` = [3, 2, 2].
  private let expected: Tensors
  private let q0: [Double]
  private let q1: [Double]

  init() throws {
    q0 = (0..<12).map { Double($0 * $0) }
    q1 = (0..<12).map { Double($0 * $0) - 50.5 }
    expected = [
      "calls/0000/token_ids": try .integers([3], [1, 2, 3]),
      "calls/0000/layers.0.attn.queries": try .reals([3, 2, 2], q0),
      "calls/0000/layers.1.attn.queries": try .reals([3, 2, 2], q1),
    ]
  }

  private let ids = #"{"ours": "calls/{c}/token_ids", "theirs": "step{c}.ids"}"#

  private func candidate(_ queries: Tensors) throws -> Tensors {
    var tensors = queries
    tensors["step0.ids"] = try .integers([3], [1, 2, 3])
    return tensors
  }

  private func report(_ queries: Tensors, rules: String..., ignore: String = "") throws -> ComparisonReport {
    try compare(
      expected, candidate(queries),
      map: #"{"rules": [\#(([ids] + rules).joined(separator: ","))], "ignore": [\#(ignore)]}"#)
  }

  private func reals(_ shape: [Int], _ elements: [Double]) throws -> StoredTensor { try .reals(shape, elements) }

  /// `[T, c]` of one head.
  private func head(_ h: Int, of q: [Double]) -> [Double] {
    var elements: [Double] = []
    for t in 0..<3 { elements += q[t * 4 + h * 2..<t * 4 + h * 2 + 2] }
    return elements
  }

  @Test func namesWithNumbers() throws {
    let found = try report(
      ["step0.model.layers.00.q": reals([3, 2, 2], q0), "step0.model.layers.01.q": reals([3, 2, 2], q1)],
      rules: #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "step{c}.model.layers.{l:02}.q"}"#)
    #expect(found.passed, "\(found.headline)")
    let swapped = try report(
      ["step0.model.layers.00.q": reals([3, 2, 2], q1), "step0.model.layers.01.q": reals([3, 2, 2], q0)],
      rules: #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "step{c}.model.layers.{l:02}.q"}"#)
    #expect(!swapped.passed)
  }

  /// [1, h, T·c] of a batch of one: squeezed, split, transposed.
  @Test func everyStepOfALayout() throws {
    // [h, T, c] from [T, h, c].
    func theirs(_ q: [Double]) throws -> StoredTensor { try reals([1, 2, 6], head(0, of: q) + head(1, of: q)) }
    let rule = """
      {"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "q{l}", \
      "layout": [{"squeeze": 0}, {"reshape": [2, "T", -1]}, {"transpose": [1, 0, 2]}]}
      """
    #expect(try report(["q0": theirs(q0), "q1": theirs(q1)], rules: rule).passed)
  }

  /// Two layers in one tensor, with a batch of which the second is meant.
  @Test func slicesOfAFusedTensor() throws {
    var rows: [Double] = []
    for t in 0..<3 { rows += [Double(-t), 99] + q0[t * 4..<t * 4 + 4] + q1[t * 4..<t * 4 + 4] }
    let fused = try reals([2, 3, 10], Array(repeating: 7, count: 30) + rows)
    func rule(_ layer: Int, _ from: Int) -> String {
      """
      {"ours": "calls/{c}/layers.\(layer).attn.queries", "theirs": "fused", "layout": \
      [{"take": {"axis": 0, "index": 1}}, {"slice": {"axis": 1, "from": \(from), "to": \(from + 4)}}, \
      {"reshape": ["T", "h", "c"]}]}
      """
    }
    #expect(try report(["fused": fused], rules: rule(0, 2), rule(1, 6)).passed)
    #expect(try !report(["fused": fused], rules: rule(0, 2), rule(1, 5)).passed)
  }

  @Test func shards() throws {
    func shard(_ q: [Double], _ h: Int) throws -> StoredTensor { try reals([3, 1, 2], head(h, of: q)) }
    let queries: Tensors = [
      "q0.rank0": try shard(q0, 0), "q0.rank1": try shard(q0, 1), "q1.rank0": try shard(q1, 0),
      "q1.rank1": try shard(q1, 1),
    ]
    func rule(_ axis: Int) -> String {
      #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "q{l}.rank{r}", "shards": \#(axis)}"#
    }
    #expect(try report(queries, rules: rule(1)).passed)
    let wrong = try report(queries, rules: rule(0))
    #expect(wrong.headline.contains("it has the shape [6, 1, 2], expected [3, 2, 2]"))
    var few = queries
    few["q1.rank1"] = nil
    #expect(try !report(few, rules: rule(1)).passed)
  }

  // MARK: What must not pass

  private let plain = #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "q{l}"}"#

  @Test func aRuleThatFindsNothingIsMisspelt() throws {
    let queries: Tensors = ["q0": try reals([3, 2, 2], q0), "q1": try reals([3, 2, 2], q1)]
    #expect(try report(queries, rules: plain).passed)
    let unused = try report(
      queries, rules: plain, #"{"ours": "calls/{c}/layers.{l}.attn.kveries", "theirs": "kv{l}"}"#)
    #expect(
      unused.headline == "the map's rule kv{l} → calls/{c}/layers.{l}.attn.kveries finds nothing: is it misspelt?")
    #expect(!unused.passed)
    let ignored = try report(queries, rules: plain, ignore: #""*.debug""#)
    #expect(ignored.headline == "the map ignores *.debug, and no tensor is called so: is it misspelt?")
    let extra = queries.merging(["a.debug": try reals([1], [1])]) { $1 }
    #expect(try !report(extra, rules: plain).passed)
    #expect(try report(extra, rules: plain, ignore: #""*.debug""#).passed)
  }

  @Test func nothingIsTakenTwice() throws {
    let one: Tensors = ["q": try reals([3, 2, 2], q0)]
    let twice = try report(one, rules: #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "q"}"#)
    #expect(
      twice.problems == ["q is taken for calls/0000/layers.0.attn.queries and for calls/0000/layers.1.attn.queries"])
    let both: Tensors = [
      "q0": try reals([3, 2, 2], q0), "q1": try reals([3, 2, 2], q1), "p1": try reals([3, 2, 2], q1),
    ]
    let ambiguous = try report(
      both, rules: plain, #"{"ours": "calls/{c}/layers.1.attn.queries", "theirs": "p1"}"#)
    #expect(
      ambiguous.problems == [
        "two rules of the map find something for calls/0000/layers.1.attn.queries: [\"q1\", \"p1\"]"
      ])
  }

  @Test func aLayoutThatDoesNotFitFails() throws {
    let queries: Tensors = ["q0": try reals([3, 4], q0), "q1": try reals([3, 4], q1)]
    for (step, problem) in [
      (#"{"squeeze": 0}"#, "the shape [3, 4] has no axis 0 of length 1"),
      (#"{"transpose": [0, 1, 2]}"#, "[0, 1, 2] is no order of the axes of [3, 4]"),
      (#"{"reshape": ["T", 5]}"#, "shape [3, 4] holds"),
      (#"{"reshape": ["T", "V"]}"#, "the expected tensor has no axis V, only [\"T\", \"c\", \"h\"]"),
      (#"{"slice": {"axis": 1, "from": 0, "to": 5}}"#, "the shape [3, 4] has no 0..<5 of axis 1"),
      (#"{"take": {"axis": 2, "index": 0}}"#, "the shape [3, 4] has no 0..<1 of axis 2"),
      (#"{"reshape": [-1, -1]}"#, "the shape [3, 4] cannot become [-1, -1]"),
    ] {
      let rule = #"{"ours": "calls/{c}/layers.{l}.attn.queries", "theirs": "q{l}", "layout": [\#(step)]}"#
      let found = try report(queries, rules: rule)
      #expect(!found.passed)
      let start = "q0 cannot be laid out as calls/0000/layers.0.attn.queries: "
      #expect(found.problems.first?.hasPrefix(start) == true, "\(step): \(found.problems)")
      if !problem.hasPrefix("shape") { #expect(found.problems.first == start + problem) }
    }
  }

  @Test(arguments: [
    ("", "is not JSON"),
    ("[]", "the map is not an object"),
    ("{}", "has neither rules nor anything to ignore"),
    (#"{"rule": []}"#, "the map has the unknown key 'rule'"),
    (#"{"rules": {}}"#, "rules is not a list"),
    (#"{"rules": [{"ours": "a", "theirs": "b", "scale": 2}]}"#, "a rule has the unknown key 'scale'"),
    (#"{"rules": [{"ours": "a"}]}"#, "theirs is not a text"),
    (#"{"rules": [{"ours": "a{", "theirs": "b"}]}"#, "'a{' has a brace that is not closed"),
    (
      #"{"rules": [{"ours": "a{1}", "theirs": "b"}]}"#,
      "'a{1}' should have numbers such as {l} or {l:03} in braces"
    ),
    (
      #"{"rules": [{"ours": "a{l}", "theirs": "b{k}"}]}"#,
      "the rule for a{l}: theirs has the number {k}, which ours has not"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b{r}"}]}"#,
      "the rule for a: {r} in theirs counts shards, and goes with the axis 'shards'"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "shards": 0}]}"#,
      "the rule for a: {r} in theirs counts shards, and goes with the axis 'shards'"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "layout": [{"squeeze": 0, "transpose": [0]}]}]}"#,
      "a layout step of the rule for a must be one of reshape, slice, squeeze, take, transpose"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "layout": [{"squeeze": -1}]}]}"#, "squeeze is not a whole number from 0"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "layout": [{"squeeze": true}]}]}"#,
      "squeeze is not a whole number from 0"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "layout": [{"reshape": [1.5]}]}]}"#,
      "reshape of the rule for a needs whole numbers, -1 or letters of axes, got 1.5"
    ),
    (
      #"{"rules": [{"ours": "a", "theirs": "b", "layout": [{"slice": {"axis": 0, "from": 3, "to": 1}}]}]}"#,
      "a slice of the rule for a goes from 3 to 1"
    ),
  ])
  func aBadMapIsRefused(text: String, problem: String) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/map.json"
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(throws: GoldenError("map.json", problem)) { try TensorMap(contentsOf: path) }
    }
  }
}

/// The worked example of `docs/comparing.md`.
@Suite struct MapDocumentationTests {
  @Test func theExampleWorks() throws {
    let page = URL(fileURLWithPath: GoldenLibrary.bundledDirectory).deletingLastPathComponent()
      .appendingPathComponent("docs/comparing.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let block = try #require(text.components(separatedBy: "```json\n").dropFirst().first)
    let json = try #require(block.components(separatedBy: "```").first)
    var generator = SeededGenerator(seed: 43)
    func reals(_ shape: [Int]) throws -> Tensor<Float> { try generator.normals(shape) }
    // T = 3, h = 2, c = 4, k = 1, f = 2048, V = 6.
    let (heads, fused) = (try (0..<2).map { _ in try reals([3, 4]) }, try reals([3, 4096]))
    let logits = try (0..<2).map { _ in try reals([3, 3]) }
    let queries = (0..<3).flatMap { t in heads.flatMap { $0.elements[t * 4..<t * 4 + 4] } }
    let joined = (0..<3).flatMap { t in logits.flatMap { $0.elements[t * 3..<t * 3 + 3] } }
    let ids = try StoredTensor.integers([3], [5, 6, 7])
    let expected: Tensors = [
      "calls/0000/token_ids": ids,
      "calls/0000/layers.2.attn.queries": .float32(try Tensor(shape: [3, 2, 4], elements: queries)),
      "calls/0000/layers.2.ffn.experts.gate": .float32(try fused.lastAxis(0..<2048).reshaped([3, 1, 2048])),
      "calls/0000/layers.2.ffn.experts.up": .float32(try fused.lastAxis(2048..<4096).reshaped([3, 1, 2048])),
      "calls/0000/logits": .float32(try Tensor(shape: [3, 6], elements: joined)),
    ]
    let candidate: Tensors = [
      "step0/input_ids": try .integers([1, 3], [5, 6, 7]),
      "step0/model.layers.02.self_attn.q": .float32(
        try Tensor(shape: [1, 2, 3, 4], elements: heads.flatMap(\.elements))),
      "step0/model.layers.02.mlp.gate_up": .float32(fused), "step0/lm_head.rank0": .float32(logits[0]),
      "step0/lm_head.rank1": .float32(logits[1]), "step0/layers.02.kv_cache": ids, "step0/timing": ids,
    ]
    let report = try compare(expected, candidate, map: json)
    #expect(report.passed, "\(report.headline)")
    #expect(report.tensors.count == 5)
  }
}
