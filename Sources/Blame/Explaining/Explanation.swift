import DeepSeekV4
import GoldenTensors
import KnownBugs
import Taps
import Tensors

/// What is wrong in a trace: which step, which known bug, and how far it carries.
public struct Explanation: Codable, Sendable {
  public let precision: PrecisionClass
  public let numerics: String
  public let angles: String
  public let layers: Int
  public let calls: [Call]
  /// Whether every step that could be judged is right.
  public let passed: Bool
  /// In the order of computation: the first one is where errors come from, later ones are wrong on their own.
  public let guilty: [GuiltyStep]
  public let findings: [BugFinding]
  /// Empty if it was not measured.
  public let drift: [LayerDrift]
  /// How many values the model passes, and how many of them are recorded.
  public let passedTaps, recordedTaps: Int
  /// What the model passes and the trace lacks: in how many calls.
  public let missing: [String: Int]
  /// What is recorded and the model does not pass.
  public let leftOver: [String]
  /// Parts that could not be run on the trace's values.
  public let failures: [String]
  public let results: [StepResult]

  /// A call of the model.
  public struct Call: Codable, Sendable {
    public let start: Int
    public let tokens: Int
  }

  /// - Parameters:
  ///   - trace: what an engine recorded
  ///   - options: what is looked for
  ///   - model: makes a model of some steps, in Double, with the angles of the trace
  ///   - progress: hears what is being done, and how far
  /// - Throws: what reading the trace or the weights throws.
  public init(
    _ trace: any RecordedTrace, options: ExplanationOptions = ExplanationOptions(),
    model: @escaping (StepSet) throws -> LanguageModel<Double>, progress: (String, Int, Int) -> Void = { _, _, _ in }
  ) throws {
    let reference = try model(StepSet())
    let replay = try Replay(trace, model: reference, settings: options.replay) { progress("part", $0, $1) }
    let layers = reference.layerCount
    (precision, numerics, angles) = (trace.precision, trace.numerics.rawValue, trace.angles.rawValue)
    self.layers = layers
    calls = trace.calls.map { Call(start: $0.start, tokens: $0.tokenIDs.count) }
    passed = replay.isRight
    guilty = GuiltyStep.all(in: replay, layers: layers)
    recordedTaps = replay.results.count
    passedTaps = replay.results.count + replay.missing.reduce(0) { $0 + $1.count }
    missing = replay.missing.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 }
    leftOver = Set(replay.leftOver.joined()).sorted()
    failures = replay.failures
    // Row by row, errors are kept with the guilty steps only: a trace can be wrong at thousands of places.
    results = replay.results.map { $0.rows == nil ? $0 : $0.with($0.verdict) }
    if options.names, !passed {
      let search = BugSearch(trace, reference: replay, readsCodes: options.readsCodes, model: model)
      findings = try search.findings { progress("known bug", $0, $1) }
    } else {
      findings = []
    }
    let drifts = options.measuresDrift && options.replay.parts == nil
    drift = drifts ? try LayerDrift.measure(trace, model: reference) : []
  }
}

/// What an explanation looks for.
public struct ExplanationOptions: Sendable {
  public var replay = ReplaySettings()
  /// Whether known bugs are tried.
  public var names = true
  /// Whether any weight is stored in FP8 or FP4, so that it can be misread.
  public var readsCodes = false
  /// Whether the reference runs from the tokens, too.
  public var measuresDrift = true

  public init() {}
}
