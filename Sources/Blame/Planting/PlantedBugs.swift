import DeepSeekV4
import GoldenTensors
import KnownBugs
import Taps
import Tensors

/// Whether bugs that are planted in whole small models are blamed on the right step, and named.
public struct PlantedBugs: Codable, Sendable {
  public let results: [PlantedResult]
  /// Visible bugs that no whole model shows, with the reason.
  public let unplantable: [String: String]
  /// Visible bugs that no scenario shows, and nobody says why.
  public let unseen: [String]

  /// Plants single bugs.
  ///
  /// - Parameters:
  ///   - bugs: visible ones
  ///   - progress: called with (bugs done, bugs in all)
  /// - Throws: if a model cannot be built.
  public init(_ bugs: [KnownBug], progress: (Int, Int) -> Void = { _, _ in }) throws {
    var results: [PlantedResult] = []
    var unseen: [String] = []
    let plantable = bugs.filter { KnownBug.unplantable[$0.id] == nil }
    let batch = 8
    for first in stride(from: 0, to: plantable.count, by: batch) {
      progress(first, plantable.count)
      let part = Array(plantable[first..<min(first + batch, plantable.count)])
      for (bug, found) in zip(part, concurrentMap(part) { bug in Result { try PlantedResult(bug) } }) {
        if let result = try found.get() { results.append(result) } else { unseen.append(bug.id) }
      }
    }
    self.results = results
    self.unseen = unseen
    let asked = Set(bugs.map(\.id))
    unplantable = KnownBug.unplantable.filter { asked.contains($0.key) }
  }

  /// Plants random pairs of bugs of different steps, each of which the scenario shows alone.
  ///
  /// - Parameters:
  ///   - pairs: how many
  ///   - seed: of the choice
  ///   - progress: called with (pairs done, pairs in all)
  public init(pairs: Int, seed: Int, progress: (Int, Int) -> Void = { _, _ in }) throws {
    let bugs = KnownBug.all.filter { $0.visibility == .visible && KnownBug.unplantable[$0.id] == nil }
    var results: [PlantedResult] = []
    var draw = 0
    let batch = 8
    while results.count < pairs {
      progress(results.count, pairs)
      let draws = (0..<batch).map { index -> (KnownBug, KnownBug) in
        func pick(_ which: Int) -> KnownBug {
          let word = splitmix64(UInt64(bitPattern: Int64(seed)) &* 1_000_003 &+ UInt64(2 * (draw + index) + which))
          return bugs[Int(word % UInt64(bugs.count))]
        }
        return (pick(0), pick(1))
      }
      draw += batch
      let found = concurrentMap(draws) { pair in Result { try PlantedResult(pair.0, pair.1) } }
      for result in found where results.count < pairs {
        if let result = try result.get() { results.append(result) }
      }
      guard draw < 100 * pairs + 1000 else { throw InputError("planted", "hardly any pair can be planted") }
    }
    (self.results, unseen, unplantable) = (results, [], [:])
  }

  /// The share of bugs that are blamed on their step and named at one of the first so many places.
  public func share(within places: Int) -> Double {
    guard !results.isEmpty else { return 0 }
    return Double(results.count { $0.isBlamed && ($0.rank ?? .max) <= places }) / Double(results.count)
  }

  /// The share of pairs of which both are named.
  public var shareOfPairs: Double {
    guard !results.isEmpty else { return 0 }
    return Double(results.count { Set($0.planted).isSubset(of: $0.named) }) / Double(results.count)
  }
}

/// What a search says of a model with planted bugs.
public struct PlantedResult: Codable, Sendable {
  public let planted: [String]
  public let scenario: String
  /// How many values the replay finds wrong.
  public let wrongValues: Int
  /// The first wrong value.
  public let first: String
  /// Whether the first wrong value is computed by steps that one of the bugs belongs to.
  public let isBlamed: Bool
  /// Where a single bug stands among what is named; those that give the same values share a place. Nil: nowhere.
  public let rank: Int?
  /// All bugs that are named at a first place.
  public let named: [String]

  /// A single bug in the scenario that shows it well; nil if none shows it.
  init?(_ bug: KnownBug) throws {
    guard let planting = try Planting.clearest(of: bug) else { return nil }
    let findings = try planting.findings()
    var rank: Int?
    if let first = findings.first {
      rank = first.bugs.contains(bug.id) ? 1 : first.others.firstIndex { $0.bug == bug.id }.map { $0 + 2 }
    }
    self.init([bug], planting, findings, rank: rank)
  }

  /// Two bugs together; nil if they are steps of one set, or no scenario shows each of them alone.
  init?(_ a: KnownBug, _ b: KnownBug) throws {
    guard a.step != b.step, let steps = b.steps.flatMap({ a.planted(in: $0) }),
      let scenario = try Planting.common(to: a, b)
    else { return nil }
    let planting = try Planting(scenario, steps)
    self.init([a, b], planting, try planting.findings(), rank: nil)
  }

  private init(_ bugs: [KnownBug], _ planting: Planting, _ findings: [BugFinding], rank: Int?) {
    planted = bugs.map(\.id)
    scenario = planting.scenario.name
    let wrong = planting.replay.wrong
    wrongValues = wrong.count
    first = wrong.first?.name ?? planting.replay.leftOver.joined().sorted().first ?? ""
    let place = wrong.first.flatMap { Tap.named($0.name)?.place }
    isBlamed = place.map { place in bugs.contains { $0.reaches([place], roundsNothing: false) } } ?? true
    self.rank = rank
    named = findings.flatMap(\.bugs)
  }
}

/// A scenario with wrong steps in it, recorded and replayed.
private struct Planting {
  let scenario: Scenario
  let trace: MemoryTrace
  let replay: Replay

  init(_ scenario: Scenario, _ steps: StepSet) throws {
    self.scenario = scenario
    trace = try scenario.trace(steps)
    replay = try Replay(trace, model: scenario.model(StepSet(), angles: trace.angles))
  }

  var worstMultiple: Double { replay.wrong.map(\.multiple).max() ?? 0 }

  func findings() throws -> [BugFinding] {
    try BugSearch(trace, reference: replay, readsCodes: scenario.roundsWeights) {
      try scenario.model($0, angles: trace.angles)
    }.findings()
  }

  /// Clear enough to look no further.
  private static let clear = 1000.0

  /// The first scenario that shows a bug clearly, or else the one that shows it best; nil if none does.
  static func clearest(of bug: KnownBug) throws -> Planting? {
    guard let steps = bug.steps else { return nil }
    var best: Planting?
    for scenario in Scenario.all {
      let planting = try Planting(scenario, steps)
      if planting.replay.isRight { continue }
      if planting.worstMultiple > best?.worstMultiple ?? -1 { best = planting }
      if planting.worstMultiple > clear { break }
    }
    return best
  }

  /// The first scenario that shows each of two bugs alone.
  static func common(to a: KnownBug, _ b: KnownBug) throws -> Scenario? {
    guard let first = a.steps, let second = b.steps else { return nil }
    return try Scenario.all.first { scenario in
      try !Planting(scenario, first).replay.isRight && !Planting(scenario, second).replay.isRight
    }
  }
}
