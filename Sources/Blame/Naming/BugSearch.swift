import DeepSeekV4
import Foundation
import GoldenTensors
import KnownBugs
import Taps
import Tensors

/// Which known bugs a trace shows: each is planted in the reference, and the trace replayed with it. The right one makes
/// every wrong step right.
public struct BugSearch {
  private let trace: any RecordedTrace
  private let model: (StepSet) throws -> LanguageModel<Double>
  private let reference: Replay
  private let budgets: [ValuePlace: Double]
  private let bugs: [KnownBug]
  private let roundsNothing: Bool
  /// Whether each part of the model is replayed from recorded streams, so that a bug can be in some of them alone.
  private let mixesSpots: Bool

  /// - Parameters:
  ///   - trace: what an engine recorded
  ///   - reference: its replay by the correct steps
  ///   - bugs: the ones to look for
  ///   - readsCodes: whether any weight is stored in FP8 or FP4, so that it can be misread
  ///   - model: makes a model of some steps, as for the replay
  public init(
    _ trace: any RecordedTrace, reference: Replay, bugs: [KnownBug] = KnownBug.all, readsCodes: Bool,
    model: @escaping (StepSet) throws -> LanguageModel<Double>
  ) {
    self.trace = trace
    self.reference = reference
    self.model = model
    self.bugs = bugs
    budgets = reference.budgets
    roundsNothing = trace.numerics == .exact && !readsCodes
    mixesSpots = trace.calls.allSatisfy { call in
      (0..<reference.layers).allSatisfy { call.names.contains("layers.\($0).hc_ffn.streams") }
    }
  }

  /// How many bugs one trace is searched for.
  public static let mostAtOnce = 6
  /// How many of the best candidates of a quick look are replayed on the whole trace.
  private static let finalists = 3
  /// How many wrong parts of the model are looked at for a bug.
  private static let mostLooks = 3
  /// How many bugs that bring values nearer, without making any right, are tried together with each other one.
  private static let startsOfPairs = 6

  /// The bugs that explain the trace, the one that explains most first; each with what explains as much.
  ///
  /// - Parameter progress: called with (bugs tried, bugs in all), for each bug that is looked for
  /// - Returns: empty if nothing is wrong, or no known bug makes anything right
  /// - Throws: what reading the trace or the weights throws.
  public func findings(progress: (Int, Int) -> Void = { _, _ in }) throws -> [BugFinding] {
    var remaining = Unexplained(reference)
    var planted: [KnownBug] = []
    var findings: [BugFinding] = []
    while !remaining.isEmpty, findings.count < Self.mostAtOnce {
      let looks = looks(at: remaining)
      let explaining = try firstResult(looks) { look -> [BugCandidate]? in
        let found = try candidates(look, for: remaining, beside: planted, progress: progress)
        return found.first.map { $0.left.count < remaining.count } ?? false ? found : nil
      }
      if let explaining {
        findings.append(BugFinding(explaining, of: remaining))
        planted.append(explaining[0].bug)
        remaining = explaining[0].left
      } else if let (first, second) = try firstResult(
        looks,
        { look in
          try pair(look, for: remaining, beside: planted, progress: progress)
        })
      {
        findings.append(BugFinding([first], of: remaining, left: second, together: second.bug.id))
        findings.append(BugFinding([second], of: remaining, left: second, together: first.bug.id))
        planted += [first.bug, second.bug]
        remaining = second.left
      } else {
        break
      }
    }
    return findings
  }

  /// A part of the model to look at first, and what is wrong in it. No part: the whole.
  private typealias Look = (parts: Set<ModelPart>?, near: Unexplained)

  /// The first parts that are wrong, one by one, if they can be run alone; or else the whole.
  private func looks(at remaining: Unexplained) -> [Look] {
    let parts = remaining.parts
    let last = ModelPart.layer(reference.layers).streamsBefore
    let streams = parts.filter { $0 != .beginning }.compactMap { $0.streamsBefore ?? last }
    let canRunAlone = trace.calls.allSatisfy { call in streams.allSatisfy(call.names.contains) }
    return canRunAlone
      ? parts.prefix(Self.mostLooks).map { ([$0], remaining.restricted(to: [$0])) } : [(nil, remaining)]
  }

  private func firstResult<Found>(_ looks: [Look], _ find: (Look) throws -> Found?) rethrows -> Found? {
    for look in looks {
      if let found = try find(look) { return found }
    }
    return nil
  }

  /// Every bug that makes something right, the best first.
  private func candidates(
    _ look: Look, for remaining: Unexplained, beside planted: [KnownBug], progress: (Int, Int) -> Void
  ) throws -> [BugCandidate] {
    let (parts, near) = look
    var quick: [BugCandidate] = []
    let tried = bugs(for: remaining, beside: planted)
    for (number, bug) in tried.enumerated() {
      progress(number, tried.count)
      let candidate = try candidate(bug, beside: planted, for: near, parts: parts)
      if candidate.left.count < near.count { quick.append(candidate) }
    }
    quick.sort(by: BugCandidate.isBetter)
    let last = quick.count > Self.finalists ? quick[Self.finalists - 1] : nil
    let finalists = quick.enumerated().filter { place, candidate in
      place < Self.finalists || last.map { !BugCandidate.isBetter($0, candidate) } ?? true
    }
    return try finalists.map { try candidate($1.bug, beside: planted, for: remaining, parts: nil) }
      .sorted(by: BugCandidate.isBetter)
  }

  /// Two bugs that only together make something right: where no tap lies between them, neither does alone.
  private func pair(
    _ look: Look, for remaining: Unexplained, beside planted: [KnownBug], progress: (Int, Int) -> Void
  ) throws -> (BugCandidate, BugCandidate)? {
    let (parts, near) = look
    let tried = bugs(for: remaining, beside: planted)
    let acting = try tried.map { try candidate($0, beside: planted, for: near, parts: parts) }
      .filter { $0.distance.isFinite && $0.distance != near.distance }
    let nearer = acting.filter { $0.distance < near.distance }.sorted { $0.distance < $1.distance }
      .prefix(Self.startsOfPairs)
    var best: (BugCandidate, BugCandidate)?
    for (number, first) in nearer.enumerated() {
      progress(number, nearer.count)
      for other in acting where other.bug.step != first.bug.step {
        let second = try candidate(other.bug, beside: planted + [first.bug], for: near, parts: parts)
        guard second.left.count < near.count, best.map({ BugCandidate.isBetter(second, $0.1) }) ?? true else {
          continue
        }
        best = (first, second)
      }
    }
    guard let (first, second) = best else { return nil }
    let whole = try candidate(second.bug, beside: planted + [first.bug], for: remaining, parts: nil)
    return whole.left.count < remaining.count ? (first, whole) : nil
  }

  /// The bugs that may have to do with what is wrong.
  private func bugs(for remaining: Unexplained, beside planted: [KnownBug]) -> [KnownBug] {
    let places = remaining.places(in: trace)
    return bugs.filter { bug in
      bug.reaches(places, roundsNothing: roundsNothing) && !planted.contains { $0.id == bug.id }
    }
  }

  private func candidate(
    _ bug: KnownBug, beside planted: [KnownBug], for remaining: Unexplained, parts: Set<ModelPart>?
  ) throws -> BugCandidate {
    // Two wrong steps of one set cannot be planted together; then each explains for itself.
    let others = planted.filter { $0.step != bug.step }
    var steps = StepSet()
    for bug in others + [bug] { steps = bug.planted(in: steps) ?? steps }
    do {
      let replay = try Replay(
        trace, model: model(steps), settings: ReplaySettings(parts: parts, noiseRuns: 0), budgets: budgets)
      let wrong = Unexplained(replay).joined(remaining.unjudged(in: replay))
      // What the planted ones explain stays explained, even where one of them is not planted now.
      let after = planted.isEmpty ? wrong : wrong.intersection(remaining)
      let (left, spared) = mixesSpots ? remaining.better(after) : (after, [])
      return BugCandidate(
        bug: bug, left: left, spared: spared, explained: remaining.spots.subtracting(left.spots),
        closeness: remaining.closeness(in: replay, except: left), distance: remaining.distance(in: replay))
    } catch {  // the wrong step does not fit this model, or asks for weights that it does not have
      return BugCandidate(
        bug: bug, left: remaining, spared: [], explained: [], closeness: .infinity, distance: .infinity)
    }
  }
}
