import GoldenTensors

/// What came of holding an engine to the golden cases.
public struct ConformanceReport: Codable, Sendable {
  public let engine: EngineDescription
  public let filter: String?
  /// Cases there are, run or not.
  public let casesInAll: Int
  public let results: [EngineCaseResult]
  /// How far the engine is from itself; nil if each case was run once.
  public let control: RepeatControl?
  /// What is wrong with the run as a whole, one sentence each.
  public private(set) var faults: [String]

  /// Something was run, everything passed or failed as it was known to, and the run as a whole went well.
  public var passed: Bool { faults.isEmpty && ranSomething && failures.isEmpty }

  private var ranSomething: Bool { results.contains { $0.outcome != .unsupported } }

  /// Failures that are not expected.
  public var failures: [EngineCaseResult] {
    results.filter { $0.outcome == .failed && $0.expectedFailure == nil }
  }

  public var expectedFailures: [EngineCaseResult] {
    results.filter { $0.outcome == .failed && $0.expectedFailure != nil }
  }

  /// Holds an engine written in Swift to the golden cases.
  ///
  /// - Parameters:
  ///   - engine: who answers
  ///   - library: the cases
  ///   - filter: a piece of the ids to run; all if nil
  ///   - expectedFailures: what it is known to fail
  ///   - repeats: how often each case is run; every run has to pass
  ///   - progress: called before each case with (cases done, cases in all)
  /// - Throws: `GoldenError` if the filter matches no case or the engine's class has no tolerances.
  public init(
    of engine: some ConformanceEngine, _ library: GoldenLibrary, filter: String? = nil,
    expectedFailures: ExpectedFailures = .none, repeats: Int = 1, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    try self.init(
      engine.description, library, filter: filter, expectedFailures: expectedFailures, repeats: repeats,
      progress: progress
    ) { goldenCase, selections in engine.reply(to: goldenCase.request, holding: selections) }
  }

  init(
    _ engine: EngineDescription, _ library: GoldenLibrary, filter: String?, expectedFailures: ExpectedFailures,
    repeats: Int, progress: (Int, Int) -> Void, reply: (GoldenCase, [String: StoredTensor]?) -> EngineReply
  ) throws {
    let entries = try library.entries(filter)
    // A class that nothing can be judged by is refused before the work.
    let budgets = try library.budgets()
    for entry in entries { _ = try CaseTolerances(entry, engine.precision, budgets: budgets) }
    var control = RepeatControl(runs: repeats)
    var results: [EngineCaseResult] = []
    for entry in entries {
      progress(results.count, entries.count)
      var result: EngineCaseResult
      do {
        let goldenCase = try library.load(entry)
        let replies = Self.replies({ reply($0, nil) }, goldenCase, repeats)
        try control.add(goldenCase, replies, CaseTolerances(entry, engine.precision, budgets: budgets))
        result = Self.worst(replies.map { EngineCaseResult(goldenCase, $0, as: engine.precision, budgets: budgets) })
        if !result.ties.isEmpty, engine.replays {
          // The other direction: the engine computes what follows the selections that the case has.
          let selections = goldenCase.judged.filter { name, _ in result.ties.contains { $0.tensor == name } }
          let replayed = EngineCaseResult(
            goldenCase, reply(goldenCase, selections), as: engine.precision, budgets: budgets)
          result = result.with(replayed: replayed)
        }
      } catch {
        result = EngineCaseResult(entry, problem: "\(error)")
      }
      if result.outcome == .failed { result.expectedFailure = expectedFailures.reason(for: entry.id) }
      results.append(result)
    }
    self.engine = engine
    self.filter = filter
    self.casesInAll = library.manifest.cases.count
    self.results = results
    self.control = repeats > 1 ? control : nil
    self.faults = expectedFailures.faults(library.manifest.cases.map(\.id), results)
    if !ranSomething { faults.append("the engine supports none of the \(results.count) cases, so nothing was checked") }
  }

  /// The answers to a case, asked again and again; after anything that is no answer it is not asked again.
  private static func replies(
    _ reply: (GoldenCase) -> EngineReply, _ goldenCase: GoldenCase, _ repeats: Int
  ) -> [EngineReply] {
    var replies: [EngineReply] = []
    for _ in 0..<max(1, repeats) {
      replies.append(reply(goldenCase))
      switch replies[replies.count - 1] {
      case .fault, .unsupported: return replies
      case .tensors, .refused: continue
      }
    }
    return replies
  }

  /// Of several runs the first one that did not pass.
  private static func worst(_ results: [EngineCaseResult]) -> EngineCaseResult {
    results.first { $0.outcome != .passed } ?? results[0]
  }
}

extension GoldenLibrary {
  /// The cases with a piece of text in their ids; all if nil.
  ///
  /// - Throws: `GoldenError` if there are none.
  func entries(_ filter: String?) throws -> [GoldenManifest.CaseEntry] {
    let entries = manifest.cases.filter { filter.map($0.id.contains) ?? true }
    guard !entries.isEmpty else { throw GoldenError("manifest.json", "no case has '\(filter ?? "")' in its id") }
    return entries
  }
}

extension ConformanceReport {
  /// Holds an engine that runs as a process to the golden cases, and stops it.
  ///
  /// - Parameters: as of `init(of:_:)`
  /// - Throws: `GoldenError` if the filter matches no case or the engine's class has no tolerances.
  public init(
    of session: EngineSession, _ library: GoldenLibrary, filter: String? = nil,
    expectedFailures: ExpectedFailures = .none, repeats: Int = 1, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    defer { session.abandon() }
    try self.init(
      session.engine, library, filter: filter, expectedFailures: expectedFailures, repeats: repeats,
      progress: progress, reply: session.reply(to:holding:))
    faults += session.stop()
  }
}
