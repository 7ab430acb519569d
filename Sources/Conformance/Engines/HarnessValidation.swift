import Foundation
import GoldenTensors

/// A check of a harness and not of its engine: whether it keeps to the protocol, and answers what it was asked.
public struct HarnessValidation: Codable, Sendable {
  public let engine: EngineDescription
  public private(set) var checks: [Check] = []

  /// One thing that a harness has to do.
  public struct Check: Codable, Sendable {
    public let name: String
    public let outcome: Outcome
    /// Why it failed or was not made; what was seen, where that is of use.
    public let reason: String?

    /// A check is not made where the engine gives nothing to make it with.
    public enum Outcome: String, Codable, Sendable {
      case passed, failed, notMade
    }
  }

  public var passed: Bool { checks.allSatisfy { $0.outcome != .failed } }

  /// Makes all checks, and stops the engine.
  ///
  /// - Parameters:
  ///   - session: of an engine that has just started
  ///   - library: whose cases are used
  ///   - filter: a piece of the ids of the cases that are used; all if nil
  /// - Throws: `GoldenError` if the filter matches no case or a case cannot be loaded.
  public init(_ session: EngineSession, _ library: GoldenLibrary, filter: String? = nil) throws {
    defer { session.abandon() }
    engine = session.engine
    checks.append(Check(name: "starts and says who it is", outcome: .passed, reason: engine.title))
    let samples = try HarnessSample.all(session, library.entries(filter), library)
    add("answers an unknown type of message with error", try Self.unknownType(session))
    if let sample = samples.first {
      add("answers a case", nil, note: "\(samples.count) operations tried")
      addProtocolChecks(session, sample)
    } else {
      add("answers a case", "it gave a result for none of the cases that were tried")
    }
    add("refuses an unknown operation", try Self.unknownOperation(session, library))
    add("gives the same bits again", Self.first(samples) { $0.repeated(session) })
    add("its results depend on the inputs", Self.first(samples) { $0.changed(session) })
    try addSetUp(session, library)
    add("stops with exit code 0", session.stop().first)
  }

  private mutating func add(_ name: String, _ problem: String?, note: String? = nil) {
    checks.append(Check(name: name, outcome: problem == nil ? .passed : .failed, reason: problem ?? note))
  }

  private mutating func addProtocolChecks(_ session: EngineSession, _ sample: HarnessSample) {
    add("echoes ids", sample.resultProblem(session, id: #"a "quoted" id, é"#))
    add("writes where it is told", sample.resultProblem(session, subfolder: "another folder"))
    add(
      "ignores members that it does not know",
      sample.resultProblem(session, extra: ["later": ["id": "0", "file": ["nowhere"]], "a": NSNull()]))
    add("answers a missing case file with error", sample.refusalProblem(session, contents: nil))
    add("answers an empty case file with error", sample.refusalProblem(session, contents: Data()))
    add(
      "answers a case file of garbage with error",
      sample.refusalProblem(session, contents: Data((0..<4096).map { UInt8(truncatingIfNeeded: $0 * 37) })))
  }

  /// The cases that check how files are read, as far as they are supported.
  private mutating func addSetUp(_ session: EngineSession, _ library: GoldenLibrary) throws {
    let results = try library.manifest.cases.filter { $0.preset == "setup" }.map { entry in
      let goldenCase = try library.load(entry)
      return EngineCaseResult(goldenCase, session.reply(to: goldenCase), as: engine.precision, budgets: nil)
    }
    let name = "passes the set-up cases: layout, element types, byte order"
    let supported = results.filter { $0.outcome != .unsupported }
    guard !supported.isEmpty else {
      checks.append(Check(name: name, outcome: .notMade, reason: "it supports none of the \(results.count)"))
      return
    }
    add(
      name, supported.first { $0.outcome == .failed }.map(\.screen),
      note: "\(supported.count) of \(results.count) supported")
  }

  private static func unknownType(_ session: EngineSession) throws -> String? {
    do {
      let answer = try session.ask(EngineMessage(["type": "no-such-type", "id": "unknown-1"]))
      guard answer.type == "error" else { return "it answered with a message of type '\(answer.shortType)'" }
      guard answer.id == "unknown-1" else { return "its error does not have the id of the message" }
      return nil
    } catch {
      return "\(error)"
    }
  }

  private static func unknownOperation(_ session: EngineSession, _ library: GoldenLibrary) throws -> String? {
    var request = try library.load(library.manifest.cases[0]).request
    request.operation = "no-such-operation"
    switch session.reply(to: request, holding: []) {
    case .unsupported, .refused: return nil
    case .tensors: return "it gave a result"
    case .fault(let problem): return problem
    }
  }

  private static func first(_ samples: [HarnessSample], _ problem: (HarnessSample) -> String?) -> String? {
    guard !samples.isEmpty else { return "there is no case that it gave a result for" }
    return samples.lazy.compactMap(problem).first
  }

  /// The checks for people, one on a line.
  public var text: String {
    let lines = checks.map { check in
      let sign =
        switch check.outcome {
        case .passed: "PASS"
        case .failed: "FAIL"
        case .notMade: "–   "
        }
      return "\(sign)  \(check.name)" + (check.reason.map { ": \($0)" } ?? "")
    }
    let failed = checks.count { $0.outcome == .failed }
    let made = checks.count { $0.outcome != .notMade }
    let conclusion = failed == 0 ? "PASSED  \(made) checks" : "FAILED  \(failed) of \(made) checks"
    return (lines + ["", conclusion]).joined(separator: "\n")
  }
}

extension EngineDescription {
  /// Name, version and class on one line.
  var title: String { "\(name), \(version), judged as \(precision.rawValue)" }
}
