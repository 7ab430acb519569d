import DeepSeekV4
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

  /// - Parameters:
  ///   - trace: what an engine recorded
  ///   - reference: its replay by the correct steps
  ///   - bugs: the ones to look for
  ///   - model: makes a model of some steps, as for the replay
  public init(
    _ trace: any RecordedTrace, reference: Replay, bugs: [KnownBug] = KnownBug.all,
    model: @escaping (StepSet) throws -> LanguageModel<Double>
  ) {
    self.trace = trace
    self.reference = reference
    self.model = model
    self.bugs = bugs
    budgets = reference.budgets
  }

  /// How many bugs one trace is searched for.
  public static let mostAtOnce = 3
  /// How many of the best candidates of a quick look are replayed on the whole trace.
  private static let finalists = 6

  /// The bugs that explain the trace, the one that explains most first; each with what explains as much.
  ///
  /// - Returns: empty if nothing is wrong, or no known bug makes anything right
  /// - Throws: what reading the trace or the weights throws.
  public func findings() throws -> [BugFinding] {
    var remaining = Unexplained(reference)
    var planted: [KnownBug] = []
    var findings: [BugFinding] = []
    while !remaining.isEmpty, findings.count < Self.mostAtOnce {
      let candidates = try candidates(for: remaining, beside: planted)
      guard let best = candidates.first, best.left.count < remaining.count else { break }
      findings.append(BugFinding(candidates, of: remaining))
      planted.append(best.bug)
      remaining = best.left
    }
    return findings
  }

  /// Every bug that makes something right, the best first.
  private func candidates(for remaining: Unexplained, beside planted: [KnownBug]) throws -> [BugCandidate] {
    let parts = firstParts(of: remaining)
    let near = parts.map(remaining.restricted) ?? remaining
    let places = remaining.places(in: trace)
    var quick: [BugCandidate] = []
    for bug in bugs where bug.reaches(places) && !planted.contains(where: { $0.id == bug.id }) {
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

  /// The first parts that are wrong, for a quick look; nil if they cannot be run alone.
  private func firstParts(of remaining: Unexplained) -> Set<ModelPart>? {
    let parts = remaining.firstParts(2)
    let recorded = trace.calls.allSatisfy { call in
      parts.allSatisfy { $0.streamsBefore.map(call.names.contains) ?? true }
    }
    return recorded ? parts : nil
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
      let wrong = Unexplained(replay)
      let left = others.count == planted.count ? wrong : wrong.intersection(remaining)
      return BugCandidate(bug: bug, left: left, closeness: remaining.closeness(in: replay))
    } catch is InputError {  // the wrong step does not fit this model
      return BugCandidate(bug: bug, left: remaining, closeness: .infinity)
    }
  }
}

/// A known bug and what it leaves unexplained.
struct BugCandidate {
  let bug: KnownBug
  let left: Unexplained
  /// The largest error, relative to scale, of what it explains.
  let closeness: Double

  static func isBetter(_ a: BugCandidate, _ b: BugCandidate) -> Bool {
    a.left.count != b.left.count ? a.left.count < b.left.count : a.closeness < b.closeness
  }
}

/// What is wrong in a trace, value by value.
struct Unexplained {
  /// In the order of computation.
  private var wrong: [ValuePlace]
  private var taps: [String]
  private var leftOver: Set<ValuePlace>

  init(_ replay: Replay) {
    let results = replay.results.filter { $0.verdict == .wrong || $0.verdict == .inherited }
    wrong = results.map { ValuePlace(call: $0.call, name: $0.name) }
    taps = results.map(\.tap)
    leftOver = Set(
      replay.leftOver.enumerated().flatMap { call, names in names.map { ValuePlace(call: call, name: $0) } })
  }

  var count: Int { wrong.count + leftOver.count }
  var isEmpty: Bool { count == 0 }

  /// The parts of the model that are wrong, the first ones.
  func firstParts(_ number: Int) -> Set<ModelPart> {
    var parts: Set<ModelPart> = []
    for place in wrong where parts.count < number { parts.insert(ModelPart(ofName: place.name)) }
    return parts.isEmpty ? Set(leftOver.map { ModelPart(ofName: $0.name) }) : parts
  }

  func restricted(to parts: Set<ModelPart>) -> Unexplained {
    filtered { parts.contains(ModelPart(ofName: $0.name)) }
  }

  func intersection(_ other: Unexplained) -> Unexplained {
    let known = Set(other.wrong).union(other.leftOver)
    return filtered(known.contains)
  }

  private func filtered(_ keeps: (ValuePlace) -> Bool) -> Unexplained {
    var copy = self
    let kept = wrong.indices.filter { keeps(wrong[$0]) }
    (copy.wrong, copy.taps) = (kept.map { wrong[$0] }, kept.map { taps[$0] })
    copy.leftOver = leftOver.filter(keeps)
    return copy
  }

  /// Where in the model a wrong step may lie: the places of the wrong values, and of everything before them that the
  /// trace lacks.
  func places(in trace: any RecordedTrace) -> Set<Tap.Place> {
    if !leftOver.isEmpty { return Set(Tap.Place.allCases) }
    var places: Set<Tap.Place> = []
    for tap in Tap.all where taps.contains(tap.place.rawValue + "/" + tap.name) { places.insert(tap.place) }
    let recorded = Set(trace.calls.flatMap(\.names))
    for tap in Tap.all where !tap.patterns.contains(where: { isRecorded($0, recorded) }) { places.insert(tap.place) }
    return places
  }

  private func isRecorded(_ pattern: String, _ names: Set<String>) -> Bool {
    let ends = pattern.split(separator: "}").last.map(String.init) ?? pattern
    return names.contains { $0.hasSuffix(ends) }
  }

  /// The largest error relative to scale that a replay has where this was wrong and it is right.
  func closeness(in replay: Replay) -> Double {
    let places = Set(wrong)
    let explained = replay.results.filter {
      $0.verdict != .wrong && places.contains(ValuePlace(call: $0.call, name: $0.name))
    }
    return explained.map(\.relativeError).max() ?? .infinity
  }
}
