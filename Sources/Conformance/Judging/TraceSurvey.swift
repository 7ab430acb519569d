import Blame
import Comparison
import DeepSeekV4
import Foundation
import GoldenTensors
import Taps
import Tensors

/// How far traces of engines that round at random are from what they are judged by: the basis of the budgets of
/// `explain`, and of the tolerance of `compare` between two traces (`docs/numerics.md`).
public struct TraceSurvey: Sendable {
  /// What was measured in one class.
  public struct Row: Sendable {
    public let precision: PrecisionClass
    /// Whether the models round caches or more by themselves.
    public let rounds: Bool
    /// Engines that were run.
    public internal(set) var engines = 0
    /// Of each value that a replay judges: its error as a multiple of its budget.
    public internal(set) var steps: [Double] = []
    /// Of each value: its distance to that of a run that is not rounded, in (unit roundoffs × scale of the tap).
    public internal(set) var drifts: [Double] = []
    /// Values that a replay calls wrong.
    public internal(set) var falseAlarms: [String] = []
    /// Selections that differ where scores are too close to tell.
    public internal(set) var ties = 0
  }

  public let rows: [Row]

  /// No false alarm, and something was judged in every class.
  public var passed: Bool { rows.allSatisfy { $0.falseAlarms.isEmpty && !$0.steps.isEmpty } && !rows.isEmpty }

  /// Where the largest drift is not what `TraceDrift` has, in words. It means something of all scenarios and eight seeds.
  public var differencesFromStored: [String] {
    rows.compactMap { row in
      let stored = TraceDrift.largest(row.precision, rounds: row.rounds)
      let measured = row.drifts.max() ?? .nan
      if abs(measured - stored) <= 0.02 * stored { return nil }
      return
        "the largest drift in \(row.precision.rawValue) of models that \(row.rounds ? "round" : "do not round") is "
        + "\(brief(measured)) roundoffs, TraceDrift has \(brief(stored))"
    }
  }

  /// The seeds whose drifts `TraceDrift` has.
  public static let publishedSeeds = 8

  /// The quantile that is reported beside the largest.
  public static let quantile = 0.999

  /// - Parameters:
  ///   - names: the small models, by name; all if nil
  ///   - seeds: of the roundings; each is one engine for a model and a class
  ///   - progress: called with (engines done, engines in all)
  /// - Throws: if a model cannot be built or a trace not be replayed.
  public init(scenarios names: [String]? = nil, seeds: Int, progress: (Int, Int) -> Void = { _, _ in }) throws {
    let scenarios = Scenario.all.filter { names?.contains($0.name) ?? true }
    let classes = PrecisionClass.allCases.dropFirst()
    let jobs = scenarios.flatMap { scenario in
      classes.filter(scenario.rounds).flatMap { precision in (0..<seeds).map { (scenario, precision, $0) } }
    }
    var rows = [false, true].flatMap { rounds in classes.map { Row(precision: $0, rounds: rounds) } }
    for (done, part) in jobs.chunks(of: 4) {
      progress(done, jobs.count)
      for found in concurrentMap(part, { job in Result { try RandomEngine(job.0, job.1, seed: job.2) } }) {
        let engine = try found.get()
        let row = rows.firstIndex { $0.precision == engine.precision && $0.rounds == engine.rounds }
        if let row { rows[row].take(engine) }
      }
    }
    self.rows = rows.filter { $0.engines > 0 }
  }

  /// The table of `docs/numerics.md`.
  public var report: String {
    var table = TextTable([
      ("class", .left), ("the model rounds", .left), ("random engines", .right), ("values", .right),
      ("false alarms", .right), ("ties", .right),
      ("step error ÷ budget: 99.9 %", .right), ("largest", .right), ("drift in roundoffs: 99.9 %", .right),
      ("largest", .right),
    ])
    for row in rows {
      let (steps, drifts) = (row.steps.sorted(), row.drifts.sorted())
      table.append([
        row.precision.rawValue, row.rounds ? "yes" : "no", "\(row.engines)", "\(steps.count)",
        "\(row.falseAlarms.count)", "\(row.ties)",
        brief(steps.quantile(Self.quantile)), brief(steps.last ?? .nan), brief(drifts.quantile(Self.quantile)),
        brief(drifts.last ?? .nan),
      ])
    }
    let alarms = rows.flatMap { row in row.falseAlarms.map { "FALSE ALARM  \(row.precision.rawValue): \($0)" } }
    return ([table.text] + alarms).joined(separator: "\n\n")
  }
}

extension TraceSurvey.Row {
  fileprivate mutating func take(_ engine: RandomEngine) {
    engines += 1
    for result in engine.replay.results {
      if result.verdict == .tie { ties += 1 }
      if result.verdict == .wrong {
        falseAlarms.append("\(engine.name): \(result.name) in call \(result.call), \(brief(result.multiple)) budgets")
      }
      steps.append(result.multiple)
    }
    drifts += engine.drifts
  }
}

/// An engine of a class that rounds at random, run on a scenario, replayed and compared.
private struct RandomEngine {
  let name: String
  let precision: PrecisionClass
  let rounds: Bool
  let replay: Replay
  let drifts: [Double]

  init(_ scenario: Scenario, _ precision: PrecisionClass, seed: Int) throws {
    self.precision = precision
    rounds = scenario.numerics != .exact
    name = "\(scenario.name), seed \(seed)"
    let disturbance = Disturbance(
      precision, seed: splitmix64(nameHash(scenario.name) &+ UInt64(seed)), bits: precision.significantBits)
    let clean = try scenario.trace(precision: precision, disturbance: nil, holding: [:])
    let noisy = try scenario.trace(precision: precision, disturbance: disturbance, holding: [:])
    replay = try Replay(noisy.trace, model: scenario.model(StepSet(), angles: .float32))
    let held = try scenario.trace(precision: precision, disturbance: disturbance, holding: clean.selections)
    drifts = try held.trace.drifts(from: clean.trace)
  }
}

extension Scenario {
  /// Whether an engine of this class would run this model so: FP8 and FP4 belong to models that are rounded as deployed.
  fileprivate func rounds(_ precision: PrecisionClass) -> Bool { precision != .fp8fp4 || numerics == .deployed }

  /// A run in float64, with every value rounded to a class at random, and its selections.
  fileprivate func trace(
    precision: PrecisionClass, disturbance: Disturbance?, holding held: [String: [Tensor<Int>]]
  ) throws -> (trace: MemoryTrace, selections: [String: [Tensor<Int>]]) {
    let trace = MemoryTrace(precision: precision, numerics: numerics, angles: .float32)
    let recorder = RoundedTrace(trace, CaseRecorder(holding: held, disturbance: disturbance))
    let steps = disturbance?.steps(StepSet()) ?? StepSet()
    let model: LanguageModel<Double> = try model(steps, angles: .float32, keepsLayers: true) { weights in
      disturbance.map { DisturbedWeights(source: weights, disturbance: $0) } ?? weights
    }
    let numerics = disturbance?.numerics(numerics) ?? Numerics(numerics)
    try run(model, steps: steps, into: trace, Hooks(numerics: numerics, recorder: recorder))
    return (trace, recorder.noise.selections)
  }
}

/// Hands on to a trace what a recorder puts in the place of each value.
private final class RoundedTrace: TapRecorder {
  let noise: CaseRecorder
  private let trace: MemoryTrace
  private var pending: (name: String, tensor: RecordedTensor)?

  init(_ trace: MemoryTrace, _ noise: CaseRecorder) { (self.trace, self.noise) = (trace, noise) }

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    // Experts round inside, where the recorder is not asked: what it would note is not what was rounded.
    if tap.place == .experts, name.hasSuffix(".unrounded") { return }
    noise.record(name, tap: tap, tensor)
    let replaced = noise.replacement(for: name)
    pending = replaced.map { (name, $0) }
    trace.record(name, tap: tap, replaced ?? tensor)
  }

  func replacement(for name: String) -> RecordedTensor? {
    guard let (pendingName, tensor) = pending, pendingName == name else { return nil }
    pending = nil
    return tensor
  }
}

extension MemoryTrace {
  /// The distance of each value to that of another trace, in (unit roundoffs × largest magnitude of its tap).
  fileprivate func drifts(from other: MemoryTrace) throws -> [Double] {
    var scales: [String: Double] = [:]
    var distances: [(name: String, distance: Double)] = []
    for (call, recorded) in other.calls.enumerated() {
      for name in recorded.names {
        guard let wanted = other.tensor(name, call: call)?.reals(Double.self) else { continue }
        guard let got = tensor(name, call: call)?.reals(Double.self), got.shape == wanted.shape else {
          throw GoldenError(name, "has another shape in a run that is rounded at random")
        }
        var largest = 0.0
        for (got, wanted) in zip(got.elements, wanted.elements) where wanted.isFinite && got.isFinite {
          scales[name] = max(scales[name] ?? 0, abs(wanted))
          largest = max(largest, abs(got - wanted))
        }
        distances.append((name, largest))
      }
    }
    return distances.map { $0.distance == 0 ? 0 : $0.distance / (precision.unitRoundoff * (scales[$0.name] ?? 0)) }
  }
}

extension [Double] {
  /// Of sorted values: the smallest that is not below this share of them; NaN if there is none.
  fileprivate func quantile(_ share: Double) -> Double {
    isEmpty ? .nan : self[Swift.min(count - 1, Int((share * Double(count)).rounded(.up)) - 1)]
  }
}
