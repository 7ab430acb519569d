import GoldenTensors
import KnownBugs

/// What every known bug does to every case of its component: the proof that the cases can see it.
///
/// Each variant runs in Double, so that what is measured is the bug and not rounding; the effect is given as a multiple
/// of the **float** tolerance, which is what a float32 engine with this bug would be off by.
public struct KillMatrix: Sendable {
  /// An effect this many times the tolerance kills.
  public static let threshold = 100.0

  /// The bugs that were run, in the order of `KnownBug.all`.
  public let bugs: [KnownBug]
  /// By bug, then by case: the effect as a multiple of tolerance. NaN: NaN, infinity or a refusal where there should be
  /// numbers. Infinity: a difference where nothing is tolerated.
  public let effects: [String: [String: Double]]

  /// Runs every variant on every positive case of its component.
  ///
  /// - Parameters:
  ///   - library: the cases
  ///   - filter: a piece of the ids of the bugs to run; all if nil
  ///   - progress: called before each bug with (bugs done, bugs in all)
  /// - Throws: `GoldenError` if a case cannot be loaded or the filter matches no bug.
  public init(
    _ library: GoldenLibrary, filter: String? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    bugs = KnownBug.all.filter { filter.map($0.id.contains) ?? true }
    guard !bugs.isEmpty else { throw GoldenError("known bugs", "no id has '\(filter ?? "")' in it") }
    let cases = try library.manifest.cases.filter { $0.expectedError == nil }.map(library.load)
    var effects: [String: [String: Double]] = [:]
    for (position, bug) in bugs.enumerated() {
      progress(position, bugs.count)
      guard let steps = bug.steps else { continue }
      for goldenCase in cases where goldenCase.entry.component == bug.component {
        let result = CaseResult(goldenCase, path: .double, steps: steps, judgedAs: .float)
        effects[bug.id, default: [:]][goldenCase.entry.id] = result.problems.isEmpty ? result.worstMultiple ?? 0 : .nan
      }
    }
    self.effects = effects
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

  /// Where the matrix and what a manifest records differ: the freshness check of `kills`.
  public func differences(from manifest: GoldenManifest) -> [String] {
    let recomputed = killsByCase
    let known = Set(bugs.map(\.id))
    return manifest.cases.flatMap { entry in
      let mine = recomputed[entry.id] ?? [:]
      let recorded = entry.kills.filter { known.contains($0.key) || bugs.count == KnownBug.all.count }
      return Set(mine.keys).union(recorded.keys).sorted().compactMap { bug -> String? in
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
