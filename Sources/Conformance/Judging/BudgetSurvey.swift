import GoldenTensors
import Tensors

/// The measurement of all budgets, or of a sample of them (`docs/numerics.md`).
public struct BudgetSurvey: Sendable {
  /// The cases that were measured.
  public let measured: PrecisionBudgets

  /// Measures.
  ///
  /// - Parameters:
  ///   - library: whose cases are measured
  ///   - ids: of the cases; all if nil
  ///   - sample: how many of all, evenly over the manifest
  ///   - progress: called now and then with (cases done, cases in all)
  /// - Throws: `GoldenError` if a case cannot be loaded or measured, or there is none.
  public init(
    _ library: GoldenLibrary, cases ids: [String]? = nil, sample: Int? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let entries = try library.budgetedCases(ids, sample: sample)
    var cases: [String: CaseBudgets] = [:]
    for (done, part) in entries.chunks(of: 8) {
      progress(done, entries.count)
      let results = concurrentMap(part) { entry in
        Result { try BudgetMeasurement(library.load(entry)).budgets() }
      }
      for (entry, result) in zip(part, results) { cases[entry.id] = try result.get() }
    }
    measured = PrecisionBudgets(cases: cases)
  }

  /// Where the file differs from what was measured, by more than the last digits.
  ///
  /// - Parameter file: what is stored; nil if nothing is
  public func differences(from file: PrecisionBudgets?) -> [String] {
    guard let file else { return ["there is no budgets.json"] }
    return measured.cases.sorted { $0.key < $1.key }.flatMap { id, mine -> [String] in
      guard let stored = file.cases[id] else { return ["\(id) has no budgets"] }
      return Self.differences(id, mine.tensors, stored.tensors)
        + Self.differences(id, mine.selections, stored.selections)
    }
  }

  private static func differences(
    _ id: String, _ mine: [String: TensorBudgets], _ stored: [String: TensorBudgets]
  ) -> [String] {
    Set(mine.keys).union(stored.keys).sorted().compactMap { name in
      let (a, b) = (mine[name]?.spreads ?? [:], stored[name]?.spreads ?? [:])
      let stale = Set(a.keys).union(b.keys).first { precision in
        guard let a = a[precision], let b = b[precision] else { return true }
        return abs(a - b) > 0.02 * max(a, b)
      }
      return stale.map { precision in
        let (a, b) = (a[precision].map(brief) ?? "none", b[precision].map(brief) ?? "none")
        return "\(id): the spread of \(name) in \(precision.rawValue) is \(a), the file has \(b)"
      }
    }
  }
}
