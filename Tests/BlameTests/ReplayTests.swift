import Blame
import DeepSeekV4
import GoldenTensors
import KnownBugs
import Taps
import Tensors
import Testing

struct ReplayTests {
  @Test(arguments: Scenario.all.prefix(6).map(\.name))
  func aCorrectTraceIsRight(name: String) throws {
    let replay = try replay(scenario(name).trace(StepSet()), in: scenario(name))
    #expect(replay.isRight)
    #expect(replay.results.count > 500)
    #expect(replay.results.allSatisfy { $0.verdict == .right })
    #expect(!replay.missing.contains { !$0.isEmpty })
  }

  /// Where little is recorded, the roundings of many steps lie between two values.
  @Test(arguments: ["odd", "tiny", "tiny, speculating", "odd, long", "tiny-pro"], ["logits", ".hc_ffn.streams"])
  func aCorrectTraceOfFewTapsIsRight(name: String, tap: String) throws {
    let trace = try scenario(name).trace(StepSet()).keeping { $0.hasSuffix(tap) && !$0.hasSuffix("n_logits") }
    #expect(try replay(trace, in: scenario(name)).wrong.map { "\($0.name) \($0.multiple)" } == [])
  }

  @Test func valuesInBF16AreRight() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).rounded(to: .bf16, scenario: scenario)
    #expect(try replay(trace, in: scenario).isRight)
  }

  @Test func theSameValuesAreWrongInFloat32() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).rounded(to: .bf16, scenario: scenario).claiming(.fp32)
    #expect(try !replay(trace, in: scenario).isRight)
  }

  @Test func oneWrongValueIsBlamedAlone() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).changing("layers.2.ffn.routed", call: 1) { $0 + 0.01 }
    let wrong = try replay(trace, in: scenario).wrong
    // The wrong value itself; what is computed from it is computed from it rightly... but for the sum that it went into.
    #expect(wrong.map(\.name) == ["layers.2.ffn.routed", "layers.2.ffn.output"])
    #expect(wrong.allSatisfy { $0.call == 1 })
  }

  @Test func notANumberIsBlamedWhereItBegins() throws {
    let scenario = try scenario("tiny")
    let broken = try scenario.trace(StepSet()).changing("layers.1.attn.queries", call: 0) { _ in .nan }
      .changing("layers.1.attn.attended_rotated", call: 0) { _ in .nan }
    let results = try replay(broken, in: scenario).results
    #expect(results.filter { $0.verdict == .wrong }.map(\.name) == ["layers.1.attn.queries"])
    #expect(results.contains { $0.name == "layers.1.attn.attended_rotated" && $0.verdict == .inherited })
  }

  /// A layer that cannot be run on what is recorded makes nothing after it look wrong.
  @Test func whatFollowsAStuckLayerIsJudgedFromWhatIsRecorded() throws {
    let scenario = try scenario("large gates")
    let broken = try scenario.trace(StepSet()).changing("layers.1.hc_ffn.streams", call: 0) { _ in .nan }
      .keeping { !$0.hasPrefix("layers.2.") || $0 == "layers.2.hc_ffn.streams" }
    let model: LanguageModel<Double> = try scenario.model(StepSet(), angles: .float32)
    let replay = try Replay(broken, model: model, settings: ReplaySettings(parts: [.layer(2), .layer(3)]))
    #expect(replay.failures.count == 1)
    #expect(replay.failures.first?.hasPrefix("layer 2 cannot be run on these values: ") == true)
    #expect(!replay.leftOver.contains { !$0.isEmpty })
    #expect(!replay.isRight)
    let after = replay.results.filter { $0.name.hasPrefix("layers.3.") }
    #expect(after.count > 100 && !after.contains { $0.verdict != .right })
  }

  @Test func anotherShapeIsWrong() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).replacing(
      "hidden", call: 0, by: .floats(Tensor(repeating: 0, shape: [3])))
    #expect(try replay(trace, in: scenario).wrong.first?.problem == "it has shape [3], expected [13, 16]")
  }

  @Test func whatTheModelDoesNotPassIsLeftOver() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet())
      .replacing("layers.9.attn.queries", call: 0, by: .floats(Tensor(repeating: 0, shape: [1])))
    let replay = try replay(trace, in: scenario)
    #expect(replay.leftOver[0] == ["layers.9.attn.queries"])
    #expect(!replay.isRight)
  }

  @Test func nothingRecordedIsNotRight() throws {
    let scenario = try scenario("tiny")
    let trace = try scenario.trace(StepSet()).keeping { _ in false }
    #expect(try !replay(trace, in: scenario).isRight)
  }

  @Test func aLayerRunsAloneFromItsStreams() throws {
    let scenario = try scenario("tiny")
    let model: LanguageModel<Double> = try scenario.model(StepSet(), angles: .float32)
    let settings = ReplaySettings(parts: [.layer(2)])
    let trace = try scenario.trace(StepSet())
    let alone = try Replay(trace, model: model, settings: settings)
    #expect(alone.isRight)
    #expect(alone.results.allSatisfy { $0.name.hasPrefix("layers.2.") })
    let without = trace.keeping { $0 != "layers.1.hc_ffn.streams" }
    #expect(try Replay(without, model: model, settings: settings).failures.count == 1)
  }

  /// Token 69 sees 17 entries and takes a few. Entry 16 is exchanged for one that it did not take.
  @Test(arguments: [(gap: 0.0, StepResult.Verdict.tie), (1e-3, .wrong)])
  func aChoiceBetweenEqualScoresIsATie(gap: Double, verdict: StepResult.Verdict) throws {
    let scenario = try scenario("odd, long")
    let name = "layers.0.attn.indexer"
    let trace = try scenario.trace(StepSet())
    let selection = try #require(trace.tensor("\(name).selection", call: 0)?.integers)
    let scores = try #require(trace.tensor("\(name).scores", call: 0)?.reals(Double.self))
    let (tokens, entries, taken) = (scores.shape[0], scores.shape[1], selection.shape[1])
    try #require(entries == 17 && taken < entries)
    // The entries 0, 1, … are best; from the last one taken on, all are equal, or worse by the gap.
    var (rows, chosen) = (scores.elements, selection.elements)
    for entry in 0..<entries {
      rows[(tokens - 1) * entries + entry] = entry < taken ? 2 - Double(entry) / 100 : 2 - Double(taken - 1) / 100 - gap
    }
    for place in 0..<taken { chosen[(tokens - 1) * taken + place] = place < taken - 1 ? place : entries - 1 }
    let other =
      trace
      .replacing(
        "\(name).scores", call: 0, by: .floats(try Tensor(shape: scores.shape, elements: rows.map { Float($0) }))
      )
      .replacing("\(name).selection", call: 0, by: .integers(try Tensor(shape: selection.shape, elements: chosen)))
    let results = try replay(other, in: scenario).results
    #expect(results.first { $0.call == 0 && $0.name == "\(name).selection" }?.verdict == verdict)
  }

  /// The deployed model rounds index scores inside to BF16, where a float32 sum may fall to either side.
  @Test(arguments: [
    (1, 1.0, StepResult.Verdict.right), (1, 2.5, .wrong), (Int.max, 1.0, .wrong),
  ]) func aRoundingInsideAStepMayFallTheOtherWay(elements: Int, roundings: Double, verdict: StepResult.Verdict) throws {
    let scenario = try scenario("tiny-deployed")
    let name = "layers.1.attn.indexer.scores"
    let trace = try scenario.trace(StepSet())
    let scores = try #require(trace.tensor(name, call: 0)?.reals(Double.self))
    let scale = scores.elements.filter(\.isFinite).map(abs).max() ?? 0
    var left = elements
    let moved = scores.map { score in
      guard score.isFinite, left > 0 else { return Float(score) }
      left -= 1
      return Float(score + roundings * scale / 256)
    }
    let results = try replay(trace.replacing(name, call: 0, by: .floats(moved)), in: scenario).results
    #expect(results.first { $0.call == 0 && $0.name == name }?.verdict == verdict)
  }
}

func scenario(_ name: String) throws -> Scenario { try #require(Scenario.all.first { $0.name == name }) }

func replay(_ trace: MemoryTrace, in scenario: Scenario) throws -> Replay {
  try Replay(trace, model: scenario.model(StepSet(), angles: trace.angles))
}

extension MemoryTrace {
  /// The same with another value, or one more.
  func replacing(_ name: String, call: Int, by tensor: RecordedTensor) -> MemoryTrace {
    copy(precision) { $0 == call ? [name: tensor] : [:] }
  }

  func changing(_ name: String, call: Int, _ change: @escaping (Float) -> Float) throws -> MemoryTrace {
    let tensor = try #require(self.tensor(name, call: call)?.reals(Float.self))
    return replacing(name, call: call, by: .floats(tensor.map(change)))
  }

  func claiming(_ precision: PrecisionClass) -> MemoryTrace { copy(precision) { _ in [:] } }

  /// What an engine records that keeps every value in a class: each step from rounded values, and rounded again.
  func rounded(to precision: PrecisionClass, scenario: Scenario) throws -> MemoryTrace {
    let rounder = Rounder(MemoryTrace(precision: precision, numerics: numerics, angles: angles), precision)
    let model: LanguageModel<Double> = try scenario.model(StepSet(), angles: angles)
    var state = model.emptyState
    for call in calls {
      rounder.begin(call)
      if call.start < state.position { try state.rollBack(to: call.start) }
      _ = try model(call.tokenIDs, state: &state, hooks: Hooks(numerics: Numerics(numerics), recorder: rounder))
    }
    return rounder.trace
  }

  private func copy(
    _ precision: PrecisionClass, _ others: (_ call: Int) -> [String: RecordedTensor]
  ) -> MemoryTrace {
    let copy = MemoryTrace(precision: precision, numerics: numerics, angles: angles)
    for (index, call) in calls.enumerated() {
      copy.begin(start: call.start, tokenIDs: call.tokenIDs)
      for name in call.names {
        if let tensor = tensor(name, call: index) { copy.record(name, tap: .embedding, tensor) }
      }
      for (name, tensor) in others(index) { copy.record(name, tap: .embedding, tensor) }
    }
    return copy
  }
}

/// Rounds every value that passes a tap to nearest.
private final class Rounder: TapRecorder {
  let trace: MemoryTrace
  private let precision: PrecisionClass
  private var latest: [String: RecordedTensor] = [:]

  init(_ trace: MemoryTrace, _ precision: PrecisionClass) {
    self.trace = trace
    self.precision = precision
  }

  func begin(_ call: RecordedCall) {
    trace.begin(start: call.start, tokenIDs: call.tokenIDs)
    latest = [:]
  }

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    var rounded = tensor
    if let reals = tensor.reals(Double.self) {
      let grid = Double(1 << (precision.significantBits - 1))
      rounded = .doubles(
        reals.map { x in
          guard x.isFinite, x != 0 else { return x }
          let unit = Double(sign: .plus, exponent: x.exponent, significand: 1)
          return (x / unit * grid).rounded(.toNearestOrEven) / grid * unit
        })
    }
    latest[name] = rounded
    trace.record(name, tap: tap, rounded)
  }

  func replacement(for name: String) -> RecordedTensor? { latest[name] }
}
