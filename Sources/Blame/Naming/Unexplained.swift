import Foundation
import Taps

/// What is wrong in a trace, value by value.
struct Unexplained {
  /// In the order of computation.
  private var wrong: [ValuePlace]
  private var taps: [String]
  private var leftOver: Set<ValuePlace>
  /// The orders of magnitude above budget, one for each wrong value.
  private var magnitudes: [Double]

  init(_ replay: Replay) {
    let results = replay.results.filter { $0.verdict == .wrong || $0.verdict == .inherited }
    wrong = results.map { ValuePlace(call: $0.call, name: $0.name) }
    taps = results.map(\.tap)
    magnitudes = results.map(\.magnitude)
    leftOver = Set(
      replay.leftOver.enumerated().flatMap { call, names in names.map { ValuePlace(call: call, name: $0) } })
  }

  /// Where something is wrong.
  var spots: Set<Spot> { Set(wrong.map(Spot.init)).union(leftOver.map(Spot.init)) }

  /// Spot by spot the one that leaves less wrong; and where the other one would leave more.
  func better(_ other: Unexplained) -> (Unexplained, spared: Set<Spot>) {
    let before = counts
    let spared = Set(other.counts.filter { $1 > before[$0, default: 0] }.keys)
    guard !spared.isEmpty else { return (other, []) }
    let kept = filtered { spared.contains(Spot($0)) }
    return (other.filtered { !spared.contains(Spot($0)) }.joined(kept), spared)
  }

  private var counts: [Spot: Int] {
    (wrong + leftOver).reduce(into: [:]) { $0[Spot($1), default: 0] += 1 }
  }

  var distance: Double { magnitudes.reduce(0, +) }
  var count: Int { wrong.count + leftOver.count }
  var isEmpty: Bool { count == 0 }

  /// The parts of the model that are wrong, in order.
  var parts: [ModelPart] {
    var parts: [ModelPart] = []
    for place in wrong + leftOver.sorted(by: { $0.name < $1.name }) {
      let part = ModelPart(ofName: place.name)
      if !parts.contains(part) { parts.append(part) }
    }
    return parts
  }

  func restricted(to parts: Set<ModelPart>) -> Unexplained {
    filtered { parts.contains(ModelPart(ofName: $0.name)) }
  }

  func intersection(_ other: Unexplained) -> Unexplained {
    let known = Set(other.wrong).union(other.leftOver)
    return filtered(known.contains)
  }

  /// What a replay does not come to judge: a wrong step that stops the model explains nothing that lies behind it.
  func unjudged(in replay: Replay) -> Unexplained {
    let judged = Set(replay.results.map { ValuePlace(call: $0.call, name: $0.name) })
    return filtered { !judged.contains($0) }
  }

  func joined(_ other: Unexplained) -> Unexplained {
    let mine = Set(wrong)
    var copy = self
    for (index, place) in other.wrong.enumerated() where !mine.contains(place) {
      copy.wrong.append(place)
      copy.taps.append(other.taps[index])
      copy.magnitudes.append(other.magnitudes[index])
    }
    copy.leftOver.formUnion(other.leftOver)
    return copy
  }

  private func filtered(_ keeps: (ValuePlace) -> Bool) -> Unexplained {
    var copy = self
    let kept = wrong.indices.filter { keeps(wrong[$0]) }
    (copy.wrong, copy.taps) = (kept.map { wrong[$0] }, kept.map { taps[$0] })
    copy.magnitudes = kept.map { magnitudes[$0] }
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

  /// How far from right a replay leaves what was wrong.
  func distance(in replay: Replay) -> Double {
    let places = Set(wrong)
    return replay.results.reduce(0) { sum, result in
      places.contains(ValuePlace(call: result.call, name: result.name)) ? sum + result.magnitude : sum
    }
  }

  /// The largest error relative to scale that a replay has where this was wrong and it is right.
  ///
  /// - Parameter left: what it does not explain
  func closeness(in replay: Replay, except left: Unexplained) -> Double {
    let places = Set(wrong).subtracting(left.wrong)
    let explained = replay.results.filter {
      $0.verdict != .wrong && places.contains(ValuePlace(call: $0.call, name: $0.name))
    }
    return explained.map(\.relativeError).max() ?? .infinity
  }
}

extension StepResult {
  /// By how many orders of magnitude it is above its budget, at most 12; 0 if it is right.
  fileprivate var magnitude: Double { verdict == .wrong || verdict == .inherited ? min(log10(multiple), 12) : 0 }
}
