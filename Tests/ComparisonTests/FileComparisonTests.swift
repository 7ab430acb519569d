import Checkpoints
import Comparison
import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

/// Verdicts, and everything that must not pass.
@Suite struct FileComparisonTests {
  private let x: StoredTensor
  private let expected: Tensors

  init() throws {
    x = try .reals([3, 2], [1, -2, 3, 4, -5, 6])
    expected = ["logits": try .reals([2, 2], [1, 2, 4, 3]), "hidden": x]
  }

  private func changed(_ tensor: StoredTensor, by error: Double) -> StoredTensor {
    var elements = tensor.doubles.elements
    elements[elements.count - 1] += error
    return .float64(try! Tensor(shape: tensor.shape, elements: elements))
  }

  @Test func theSamePasses() throws {
    let report = try compare(expected, expected)
    #expect(report.passed)
    #expect(report.tensors.map(\.name) == ["hidden", "logits"])
    #expect(report.headline == "2 tensors agree")
  }

  /// 2 · 134 · 2⁻²⁴ · 6 = 9.58e-5.
  @Test func theToleranceIsTheBoundary() throws {
    var candidate = expected
    candidate["hidden"] = changed(x, by: 9.57e-5)
    #expect(try compare(expected, candidate).passed)
    candidate["hidden"] = changed(x, by: 9.59e-5)
    let report = try compare(expected, candidate)
    #expect(!report.passed)
    #expect(report.tensors[0].verdict == .fail)
    #expect(abs(report.tensors[0].multiple - 9.59e-5 / (268 * 6 * 0x1p-24)) < 1e-6)
    #expect(report.headline == "first tensor above tolerance: hidden, at [2, 1]: expected 6, got 6.000096")
    #expect(
      try compare(expected, candidate, class: .bf16) { $0.allowedExtra = ["*"] }.tensors[0].tolerance == 228 * 6 / 256)
  }

  @Test func nothingUnmatchedPassesSilently() throws {
    let less = try compare(expected, ["hidden": x])
    #expect(!less.passed)
    #expect(less.missing == ["logits"])
    #expect(less.headline == "missing in the candidate: 1, first logits")
    let more = try compare(["hidden": x], expected)
    #expect(!more.passed)
    #expect(more.extra == ["logits"])
    #expect(more.headline == "left over in the candidate: 1, first logits")
    #expect(try compare(expected, ["hidden": x]) { $0.allowedMissing = ["log*"] }.passed)
    #expect(try compare(["hidden": x], expected) { $0.allowedExtra = ["logits"] }.passed)
    #expect(try !compare(expected, ["hidden": x]) { $0.allowedMissing = ["hid*"] }.passed)
    let nothing = try compare(expected, ["other": x]) { ($0.allowedMissing, $0.allowedExtra) = (["*"], ["*"]) }
    #expect(!nothing.passed)
    #expect(nothing.headline == "no tensor was compared")
  }

  @Test func typesAndShapesMustFit() throws {
    let integers = StoredTensor.int64(Tensor(repeating: 1, shape: [3, 2]))
    let typed = try compare(["hidden": x], ["hidden": integers])
    #expect(typed.headline == "first tensor above tolerance: hidden, it holds int64, expected float64")
    let shaped = try compare(["hidden": x], ["hidden": .reals([2, 3], x.doubles.elements)])
    #expect(shaped.headline == "first tensor above tolerance: hidden, it has the shape [2, 3], expected [3, 2]")
    #expect(shaped.tensors[0].multiple.isNaN)
    #expect(try compare(["hidden": x], ["hidden": .float32(x.doubles.map { Float($0) })]).passed)
  }

  @Test func anomaliesFail() throws {
    let report = try compare(["hidden": x], ["hidden": changed(x, by: .nan)])
    #expect(!report.passed)
    #expect(
      report.headline
        == "first tensor above tolerance: hidden, NaN or infinity in the wrong place, at 1 of 6 elements, "
        + "first at [2, 1]: expected 6, got NaN")
  }

  /// Data that cannot tell right from wrong is no evidence.
  @Test func narrowDataCannotTell() throws {
    let narrow = try StoredTensor.reals([2, 2], [1, 1, 1.00001, 1])
    let alone = try compare(["hidden": narrow], ["hidden": narrow])
    #expect(!alone.passed)
    #expect(alone.tensors[0].verdict == .cannotTell)
    #expect(alone.headline == "the data of every tensor (1) is too narrow to tell right from wrong")
    let zeros = StoredTensor.float64(Tensor(repeating: 0, shape: [2, 2]))
    let among = try compare(["embedding": zeros, "hidden": x], ["embedding": zeros, "hidden": x])
    #expect(among.passed)
    #expect(among.tensors[0].verdict == .cannotTell)
    #expect(among.tensors[0].remark == "all of it is 0")
    #expect(among.headline == "2 tensors agree, but 1 of them cannot tell")
    // Too narrow to pass, but wide enough to fail.
    let wrong = try compare(["hidden": narrow], ["hidden": .reals([2, 2], [1, 1, 2, 1])])
    #expect(wrong.tensors[0].verdict == .fail)
    // In a finer class the same data does tell.
    #expect(try compare(["hidden": narrow], ["hidden": narrow], class: .fp64).passed)
  }

  @Test func bitForBit() throws {
    let zero = try StoredTensor.reals([3], [0, 1, 2])
    #expect(try compare(["hidden": zero], ["hidden": zero]) { $0.isBitwise = true }.passed)
    let signed = try StoredTensor.reals([3], [-0.0, 1, 2])
    #expect(try compare(["hidden": zero], ["hidden": signed]).passed)
    let report = try compare(["hidden": zero], ["hidden": signed]) { $0.isBitwise = true }
    #expect(
      report.headline
        == "first tensor above tolerance: hidden, 1 of 3 elements have other bits, first at [0]: expected "
        + "0x0000000000000000, got 0x8000000000000000")
    let narrow = try compare(["hidden": zero], ["hidden": .float32(zero.doubles.map { Float($0) })]) {
      $0.isBitwise = true
    }
    #expect(narrow.headline == "first tensor above tolerance: hidden, bit for bit, float32 is not float64")
    let flat = StoredTensor.float64(Tensor(repeating: 1, shape: [3]))
    #expect(try !compare(["hidden": flat], ["hidden": flat]) { $0.isBitwise = true }.passed)
  }

  /// Tokens are compared, but what was put in proves nothing.
  @Test func callsMustBeTheSameRun() throws {
    let ids = try StoredTensor.integers([3], [4, 5, 6])
    let run: Tensors = ["calls/0000/token_ids": ids, "calls/0000/hidden": x]
    #expect(try compare(run, run).passed)
    var other = run
    other["calls/0000/token_ids"] = try .integers([3], [4, 5, 7])
    #expect(
      try compare(run, other).headline
        == "first tensor above tolerance: calls/0000/token_ids, at [2]: expected 6, got 7")
    let idsOnly = try compare(["calls/0000/token_ids": ids], ["calls/0000/token_ids": ids])
    #expect(!idsOnly.passed)
    #expect(idsOnly.headline == "no tensor was compared")
    #expect(throws: GoldenError.self) {
      try compare(run, ["calls/0001/token_ids": ids, "calls/0001/hidden": x])
    }
  }

  /// A decoded token is judged by the scale of the tap in the whole run.
  @Test func theScaleIsThatOfTheRun() throws {
    let run: Tensors = [
      "calls/0000/token_ids": try .integers([3], [4, 5, 6]), "calls/0000/hidden": x,
      "calls/0001/token_ids": try .integers([1], [7]), "calls/0001/hidden": try .reals([1, 2], [0.001, 0.5]),
    ]
    var other = run
    other["calls/0001/hidden"] = try .reals([1, 2], [0.001, 0.500015])
    let report = try compare(run, other)
    #expect(report.passed)
    #expect(report.tensors.last?.tolerance == 268 * 6 * 0x1p-24)
  }

  /// Codes that fall the other way move everything after them: such traces cannot be told apart by their values.
  @Test func aModelThatRoundsIsAllowedToDrift() throws {
    try withTemporaryFolder { folder in
      let run: Tensors = ["calls/0000/token_ids": try .integers([3], [4, 5, 6]), "calls/0000/hidden": x]
      for (numerics, drift) in [("exact", 134.0), ("deployed", 5.59e6)] {
        try SafetensorsWriter.write(folder + "/run", run, metadata: ["numerics": numerics])
        let file = try TensorFile(folder + "/run", name: "run")
        let report = try FileComparison(ExpectedTensors(file, class: .fp32), file, class: .fp32).run()
        #expect(report.tensors.last?.tolerance == 2 * drift * 0x1p-24 * 6)
        #expect(report.passed == (numerics == "exact"))
      }
    }
  }

  @Test func tensorsComeInTheOrderOfComputation() throws {
    let names = [
      "embedding", "streams", "layers.0.hc_attn.mixes", "layers.0.hc_attn.layer_input", "layers.0.attn.hidden",
      "layers.0.attn.queries", "layers.0.attn.window_entries.unrounded", "layers.0.attn.window_entries",
      "layers.0.attn.output", "layers.0.hc_attn.streams", "layers.0.hc_ffn.mixes", "layers.0.ffn.gate.scores",
      "layers.0.ffn.output", "layers.0.hc_ffn.streams", "layers.2.attn.queries", "layers.10.attn.queries",
      "hc_head.collapsed", "hidden", "logits", "mtp.0.projected", "mtp.0.attn.queries", "mtp.0.hc_head.collapsed",
      "mtp.0.logits", "another",
    ]
    let tensors = Dictionary(uniqueKeysWithValues: names.map { ($0, x) })
    #expect(try compare(tensors, tensors).tensors.map(\.name) == names)
  }
}
