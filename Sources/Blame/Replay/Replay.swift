import DeepSeekV4
import GoldenTensors
import Taps
import Tensors

/// The reference, run on a trace's own values: each step gets what the trace recorded before it, and what it gives is held
/// against what the trace recorded after it. So an error belongs to the step that makes it, and is not inherited.
///
/// Part by part: the embedding, each layer, the head, the MTP block; each through all calls. Where a tap is missing, the
/// computation goes on with its own value, and an error then lies somewhere between the taps that there are.
public struct Replay: Sendable {
  /// What is recorded and was judged, in the order of computation.
  public internal(set) var results: [StepResult] = []
  /// Taps that the model passes and the trace lacks, by call.
  public internal(set) var missing: [Set<String>] = []
  /// What the trace has and the model does not pass, by call.
  public internal(set) var leftOver: [Set<String>] = []
  /// Of the model.
  var layers = 0
  /// Parts that could not be run, with the reason.
  public internal(set) var failures: [String] = []

  /// Whether everything that could be judged is right, something was, and nothing is left over.
  public var isRight: Bool {
    failures.isEmpty && leftOver.allSatisfy(\.isEmpty) && results.contains { $0.verdict == .right }
      && !results.contains { $0.verdict == .wrong || $0.verdict == .inherited }
  }

  /// The wrong ones, in the order of computation.
  public var wrong: [StepResult] { results.filter { $0.verdict == .wrong } }
}

/// How a trace is replayed.
public struct ReplaySettings: Sendable {
  /// The parts to run; nil for all. A part that does not follow one that is run needs the streams before it recorded.
  public var parts: Set<ModelPart>?
  /// How many disturbed replays say what an error may be.
  public var noiseRuns = 4

  /// Without arguments all parts, with four disturbed replays.
  public init(parts: Set<ModelPart>? = nil, noiseRuns: Int = 4) {
    self.parts = parts
    self.noiseRuns = noiseRuns
  }
}

extension Replay {
  /// Replays a trace.
  ///
  /// - Parameters:
  ///   - trace: what an engine recorded
  ///   - model: the reference, or one with a known bug, in Double, with the angles of the trace; it can take back as
  ///     many tokens as the trace does
  ///   - settings: which parts run, and how many disturbed replays
  ///   - budgets: of an earlier replay of the same trace by the reference; nil to measure them
  ///   - progress: called with (parts done, parts in all)
  /// - Throws: what reading the trace or the weights throws.
  public init(
    _ trace: any RecordedTrace, model: LanguageModel<Double>, settings: ReplaySettings = ReplaySettings(),
    budgets: [ValuePlace: Double]? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let calls = trace.calls
    layers = model.layerCount
    let parts = ModelPart.all(layers: model.layerCount, predicts: model.prediction != nil)
      .filter { settings.parts?.contains($0) ?? true }
    let runs = try ReplayRuns(trace, model: model, noiseRuns: budgets == nil ? settings.noiseRuns : 0, budgets: budgets)
    var passed: [Set<String>] = calls.map { _ in [] }
    var stuck: Set<ModelPart> = []
    for (number, part) in parts.enumerated() {
      progress(number, parts.count)
      do {
        try runs.run(part) { call, names, found in
          passed[call].formUnion(names)
          results += found
        }
      } catch let error as InputError {
        failures.append("\(part) cannot be run on these values: \(error)")
        stuck.insert(part)
      }
    }
    let ran = Set(parts)
    for (call, recorded) in calls.enumerated() {
      missing.append(passed[call].subtracting(recorded.names).filter { !$0.hasSuffix(".unrounded") })
      leftOver.append(
        recorded.names.subtracting(passed[call]).filter {
          let part = ModelPart(ofName: $0)
          return !stuck.contains(part) && (settings.parts == nil || ran.contains(part))
        })
    }
  }

  /// What errors may be, for replays of the same trace with known bugs.
  public var budgets: [ValuePlace: Double] {
    Dictionary(results.map { (ValuePlace(call: $0.call, name: $0.name), $0.budget) }) { first, _ in first }
  }
}

/// A value of a trace.
public struct ValuePlace: Hashable, Sendable {
  public let call: Int
  public let name: String

  /// The value of that name in a call, counted from 0.
  public init(call: Int, name: String) {
    self.call = call
    self.name = name
  }
}

/// The replays that run side by side: one on the trace's values, some on disturbed ones.
private final class ReplayRuns {
  private let trace: any RecordedTrace
  private let model: LanguageModel<Double>
  private let calls: [RecordedCall]
  private let numerics: Numerics
  private let noises: [Noise]
  private let budget: StepBudget
  private let known: [ValuePlace: Double]?
  /// What each run gave to the next part, by call; the undisturbed run first.
  private var streams: [[Tensor<Double>?]]
  /// By call.
  private var tainted: [Set<String>]
  private var ran: Set<ModelPart> = []

  init(
    _ trace: any RecordedTrace, model: LanguageModel<Double>, noiseRuns: Int, budgets: [ValuePlace: Double]?
  ) throws {
    self.trace = trace
    self.model = model
    calls = trace.calls
    numerics = Numerics(trace.numerics, steps: model.steps.quantization)
    let unit = trace.precision.unitRoundoff
    noises = (0..<noiseRuns).map { Noise(unitRoundoff: unit, seed: $0, byRows: $0 % 2 == 1) }
    budget = StepBudget(unitRoundoff: unit)
    known = budgets
    streams = Array(repeating: calls.map { _ in nil }, count: noiseRuns + 1)
    tainted = calls.map { _ in [] }
  }

  /// Runs a part through all calls.
  func run(_ part: ModelPart, report: (_ call: Int, _ names: Set<String>, _ results: [StepResult]) -> Void) throws {
    var runs = try (0...noises.count).map { _ in try PartRun(model, part) }
    for (index, call) in calls.enumerated() {
      let clean = ReplayRecorder { [trace] in try trace.tensor($0, call: index) }
      let before = try streams(before: part, call: index)
      let output = Result {
        try runs[0].run(
          call, streams: before ?? streams[0][index], hooks: Hooks(numerics: numerics, recorder: clean))
      }
      if let failure = clean.failure { throw failure }
      streams[0][index] = (try? output.get()) ?? streams[0][index]
      var spreads: [String: Double] = [:]
      for (number, noise) in noises.enumerated() {
        let recorder = NoiseRecorder(beside: clean, noise)
        let disturbed = before.map { noise.disturbed($0, name: "streams_in") }
        let output = try? runs[number + 1].run(
          call, streams: disturbed ?? streams[number + 1][index], hooks: Hooks(numerics: numerics, recorder: recorder))
        streams[number + 1][index] = output ?? streams[0][index]
        spreads.merge(recorder.spreads) { max($0, $1) }
      }
      let judge = StepJudge(
        call: index, clean: clean, spreads: spreads, budget: budget, known: known, layers: model.layerCount,
        numerics: numerics, beginsRecorded: beginning(of: part).map { call.names.contains($0.streams) } ?? true)
      report(index, Set(clean.values.map(\.name)), judge.results(tainted: &tainted[index]))
      _ = try output.get()
    }
    // What follows a part that is stuck begins with what is recorded, not with what that part did not give.
    ran.insert(part)
  }

  /// The part before one, and the name of the streams that it hands on; nil for the first.
  private func beginning(of part: ModelPart) -> (before: ModelPart, streams: String)? {
    let last = model.layerCount - 1
    return switch part {
    case .beginning: nil
    case .layer(0): (.beginning, "streams")
    case .layer(let index): (.layer(index - 1), ModelPart.layer(index).streamsBefore ?? "")
    case .ending, .prediction: (.layer(last), ModelPart.layer(last + 1).streamsBefore ?? "")
    }
  }

  /// The streams that a part gets, from the trace; nil where the part before it has just run.
  private func streams(before part: ModelPart, call: Int) throws -> Tensor<Double>? {
    guard let (before, name) = beginning(of: part) else { return nil }
    guard !ran.contains(before) else { return nil }
    guard let recorded = try trace.tensor(name, call: call)?.reals(Double.self) else {
      throw InputError("replay", "\(part) alone needs \(name) of call \(call), which is not recorded")
    }
    return recorded
  }
}
