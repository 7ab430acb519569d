import DeepSeekV4
import GoldenTensors
import KnownBugs
import Taps
import Tensors

/// What every known bug does to every case of its components: the proof that the cases can see it.
///
/// Each variant runs in Double, so that what is measured is the bug and not rounding; the effect is given as a multiple
/// of the **float** tolerance, which is what a float32 engine with this bug would be off by.
public struct KillMatrix: Sendable {
  /// An effect this many times the tolerance kills.
  public static let threshold = 100.0

  private let isSample: Bool
  /// The bugs that were run, in the order of `KnownBug.all`.
  public let bugs: [KnownBug]
  /// By bug, then by case: the effect as a multiple of tolerance. NaN: NaN, infinity or a refusal where there should be
  /// numbers. Infinity: a difference where nothing is tolerated.
  public let effects: [String: [String: Double]]
  /// Bugs that no case tells apart: on every case each tensor is off by the same amount at the same place.
  public let classes: [[String]]

  /// Runs every variant on every positive case of its components; wrong rounding only where anything is rounded.
  ///
  /// - Parameters:
  ///   - library: the cases
  ///   - filter: a piece of the ids of the bugs to run; all if nil
  ///   - casesPerBug: how many cases to run for each bug, those that show it best by the manifest; all if nil
  ///   - progress: called now and then with (runs done, runs in all)
  /// - Throws: `GoldenError` if a case cannot be loaded or the filter matches no bug.
  public init(
    _ library: GoldenLibrary, filter: String? = nil, casesPerBug: Int? = nil,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    isSample = casesPerBug != nil
    bugs = KnownBug.all.filter { filter.map($0.id.contains) ?? true }
    guard !bugs.isEmpty else { throw GoldenError("known bugs", "no id has '\(filter ?? "")' in it") }
    let cases = try library.manifest.cases.filter { $0.expectedError == nil }.map(library.load)
    let runs = bugs.flatMap { bug in
      guard let steps = bug.steps else { return [Run]() }
      let concerned = cases.filter {
        bug.components.contains($0.entry.component) && ($0.rounds || !bug.isAboutRounding)
      }
      let best = concerned.sorted { $0.recordedEffect(of: bug) > $1.recordedEffect(of: bug) }
      return best.prefix(casesPerBug ?? .max).map { Run(bug: bug.id, steps: steps, goldenCase: $0) }
    }
    var effects: [String: [String: Double]] = [:]
    var comparisons: [String: [String: [TensorComparison]]] = [:]
    let batch = 64
    for first in stride(from: 0, to: runs.count, by: batch) {
      progress(first, runs.count)
      let part = Array(runs[first..<min(first + batch, runs.count)])
      for (run, result) in zip(part, concurrentMap(part, { $0.result() })) {
        let effect = result.problems.isEmpty ? result.worstMultiple ?? 0 : .nan
        effects[run.bug, default: [:]][run.goldenCase.entry.id] = effect
        comparisons[run.bug, default: [:]][run.goldenCase.entry.id] = result.comparisons.filter { !$0.passed }
      }
    }
    self.effects = effects
    classes = Self.classes(bugs.filter { $0.visibility == .visible }.map(\.id), comparisons)
  }

  /// One bug on one case.
  private struct Run: Sendable {
    let bug: String
    let steps: StepSet
    let goldenCase: GoldenCase

    func result() -> CaseResult { CaseResult(goldenCase, path: .double, steps: steps, judgedAs: .float) }
  }

  private static func classes(
    _ bugs: [String], _ comparisons: [String: [String: [TensorComparison]]]
  ) -> [[String]] {
    var classes: [[String]] = []
    for bug in bugs {
      if let position = classes.firstIndex(where: { comparisons[$0[0]] == comparisons[bug] }) {
        classes[position].append(bug)
      } else {
        classes.append([bug])
      }
    }
    return classes.filter { $0.count > 1 }
  }

  /// The cases that kill a bug, with the effect.
  public func kills(of bug: KnownBug) -> [String: Double] {
    (effects[bug.id] ?? [:]).filter { $0.value.isNaN || $0.value >= Self.threshold }
  }

  /// The kills of each case, by bug: what the manifest records. Three significant digits.
  public var killsByCase: [String: [String: GoldenManifest.Figure]] {
    var result: [String: [String: GoldenManifest.Figure]] = [:]
    for bug in bugs {
      for (id, effect) in kills(of: bug) { result[id, default: [:]][bug.id] = .init(roundedToThreeDigits(effect)) }
    }
    return result
  }

  /// The largest effect that a bug has on any case; NaN counts as the largest, nil if it was not run.
  public func largestEffect(of bug: KnownBug) -> Double? {
    guard let values = effects[bug.id]?.values else { return nil }
    return values.contains { $0.isNaN } ? .nan : values.max()
  }

  /// What is wrong with the matrix: a visible bug that survives, an invisible one that can be seen.
  public var faults: [String] {
    bugs.compactMap { bug in
      switch bug.visibility {
      case .visible where kills(of: bug).isEmpty:
        "\(bug.id) survives: its largest effect is \(brief(largestEffect(of: bug) ?? 0)) times the tolerance"
      case .invisible where !((largestEffect(of: bug) ?? .nan) <= 1):
        "\(bug.id) is called invisible, but its effect is \(brief(largestEffect(of: bug) ?? .nan)) times the tolerance"
      default: nil
      }
    }
  }

  /// Where the matrix and what a manifest records differ: the freshness check of `kills`. Of a sample, what was run.
  public func differences(from manifest: GoldenManifest) -> [String] {
    let recomputed = killsByCase
    let known = Set(bugs.map(\.id))
    return manifest.cases.flatMap { entry in
      let mine = recomputed[entry.id] ?? [:]
      let recorded = entry.kills.filter { known.contains($0.key) || bugs.count == KnownBug.all.count }
      return Set(mine.keys).union(recorded.keys).sorted().compactMap { bug -> String? in
        if isSample, effects[bug]?[entry.id] == nil { return nil }
        let (a, b) = (mine[bug]?.value, recorded[bug]?.value)
        if let a, let b, isClose(a, b) { return nil }
        return "\(entry.id): \(bug) has \(a.map(brief) ?? "no kill"), the manifest \(b.map(brief) ?? "no kill")"
      }
    }
  }

  /// Effects are far above tolerance, but a rounding that falls the other way may move them a little.
  private func isClose(_ a: Double, _ b: Double) -> Bool {
    a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 0.02 * max(abs(a), abs(b))
  }
}

private func roundedToThreeDigits(_ value: Double) -> Double {
  value.isFinite ? Double(brief(value)) ?? value : value
}

extension KnownBug {
  /// Whether it changes nothing in exact arithmetic on float32 weights.
  fileprivate var isAboutRounding: Bool { component == "low-precision" }
}

extension GoldenCase {
  /// How well the manifest says that this case shows a bug; NaN counts as most, 0 stands for not at all.
  fileprivate func recordedEffect(of bug: KnownBug) -> Double {
    guard let effect = entry.kills[bug.id]?.value else { return 0 }
    return effect.isNaN ? .infinity : effect
  }

  /// Whether anything is rounded to a deployed format in this case.
  fileprivate var rounds: Bool {
    func choice(_ name: String, otherThan usual: String) -> Bool {
      parameters[name].map { $0 != .text(usual) } ?? false
    }
    return entry.component == "low-precision" || choice("numerics", otherThan: NumericsMode.exact.rawValue)
      || choice("weight_format", otherThan: "float32")
  }
}
