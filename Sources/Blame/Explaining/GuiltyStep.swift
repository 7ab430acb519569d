import GoldenTensors
import Taps

/// A step of the model that a trace shows to be wrong, wherever in the model it is.
public struct GuiltyStep: Codable, Sendable {
  /// In the registry, `site/combination`.
  public let tap: String
  public let step: String
  /// An id of `docs/equations.md`.
  public let equation: String
  /// The first place where it is wrong, in the order of computation.
  public let first: StepResult
  /// How many places it is wrong at, and how many it was judged at.
  public let wrong, judged: Int
  public let worstMultiple: GoldenManifest.Figure
  /// The nearest values before it that are recorded: the fault lies after them.
  public let after: [String]
  /// What lies between, and is not recorded: to be dumped next. Empty if the step itself is the fault.
  public let between: [Unrecorded]

  /// A value that a trace lacks.
  public struct Unrecorded: Codable, Sendable {
    public let name: String
    public let step: String
    public let equation: String
  }

  /// The guilty steps of a replay, in the order of computation.
  static func all(in replay: Replay, layers: Int) -> [GuiltyStep] {
    var taps: [String] = []
    for result in replay.wrong where !taps.contains(result.tap) { taps.append(result.tap) }
    return taps.compactMap { tap in
      let judged = replay.results.filter { $0.tap == tap }
      let wrong = judged.filter { $0.verdict == .wrong }
      guard let first = wrong.first else { return nil }
      let (after, between) = surroundings(of: first, in: replay, layers: layers)
      return GuiltyStep(
        tap: tap, step: first.step, equation: first.equation, first: first, wrong: wrong.count, judged: judged.count,
        worstMultiple: .init(wrong.map(\.multiple).max() ?? 0), after: after, between: between)
    }
  }

  /// What a value is computed from, back to what is recorded.
  private static func surroundings(
    of result: StepResult, in replay: Replay, layers: Int
  ) -> (after: [String], between: [Unrecorded]) {
    let missing = replay.missing[result.call]
    let recorded = Set(replay.results.filter { $0.call == result.call }.map(\.name))
    let ran = Set(recorded.union(missing).map { ModelPart(ofName: $0) })
    var (after, between): ([String], [Unrecorded]) = ([], [])
    var open = [result.name]
    var seen: Set<String> = []
    while let name = open.popLast() {
      guard let tap = Tap.named(name) else { continue }
      for parent in tap.parentNames(of: name, layers: layers) where seen.insert(parent).inserted {
        if missing.contains(parent), let tap = Tap.named(parent) {
          between.append(Unrecorded(name: parent, step: tap.step, equation: tap.equation))
          open.append(parent)
        } else if recorded.contains(parent) || !ran.contains(ModelPart(ofName: parent)) {
          // Others are not there in this kind of layer, or in these numerics.
          after.append(parent)
        }
      }
    }
    return (after.sorted(), between.sorted { $0.name < $1.name })
  }
}
