import GoldenTensors
import KnownBugs
import Tensors

/// The proof that budgets are neither tight nor loose: engines that round at random, with other seeds than those
/// measured, all pass, and known bugs still show.
public struct BudgetProof: Sendable {
  /// How one class went.
  public struct Row: Sendable {
    public let precision: PrecisionClass
    /// Runs of engines that round at random.
    public var runs = 0
    /// The ids of those that fail.
    public var falseAlarms: [String] = []
    /// The largest multiple of a budget in any of them.
    public var worstMultiple = 0.0
    /// Runs that select otherwise than expected, and are right.
    public var ties = 0
    /// Visible known bugs, and those of them that no case shows.
    public var bugs = 0
    public var unseenBugs: [String] = []
  }

  public let rows: [Row]

  /// No false alarm, and something ran.
  public var passed: Bool { rows.allSatisfy { $0.falseAlarms.isEmpty } && rows.contains { $0.runs > 0 } }

  /// Runs the engines, and the bugs.
  ///
  /// - Parameters:
  ///   - library: whose cases are run
  ///   - budgets: what is held to account
  ///   - ids: of the cases; all if nil
  ///   - sample: how many of them, evenly over the manifest; all if nil
  ///   - withBugs: whether known bugs are run, too, on all cases that may show them
  ///   - progress: called now and then with (done, in all)
  /// - Throws: `GoldenError` if a case cannot be loaded or judged.
  public init(
    _ library: GoldenLibrary, _ budgets: PrecisionBudgets, cases ids: [String]? = nil, sample: Int? = nil,
    withBugs: Bool = true,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    var rows = Dictionary(
      uniqueKeysWithValues: PrecisionClass.allCases.dropFirst().map { ($0, Row(precision: $0)) })
    let entries = try library.budgetedCases(ids, sample: sample)
    let bugs = withBugs ? KnownBug.all.filter { $0.visibility == .visible && $0.steps != nil } : []
    let all = entries.count + bugs.count
    for (done, part) in entries.chunks(of: 8) {
      progress(done, all)
      let results = concurrentMap(part) { entry in Result { try Self.engines(library.load(entry), budgets) } }
      for result in results {
        for judgement in try result.get() { rows[judgement.precision]?.take(judgement) }
      }
    }
    for (done, part) in bugs.chunks(of: 2) {
      progress(entries.count + done, all)
      let results = concurrentMap(part) { bug in Result { try Self.unseen(bug, library, budgets) } }
      for (bug, result) in zip(part, results) {
        let unseen = try result.get()
        for precision in rows.keys {
          rows[precision]?.bugs += 1
          if unseen.contains(precision) { rows[precision]?.unseenBugs.append(bug.id) }
        }
      }
    }
    self.rows = PrecisionClass.allCases.compactMap { rows[$0] }
  }

  /// An engine of each measured class, on one case.
  private static func engines(_ goldenCase: GoldenCase, _ budgets: PrecisionBudgets) throws -> [CaseJudgement] {
    try goldenCase.measuredClasses.map { precision in
      let seed = BudgetMeasurement.seed(goldenCase.entry.id, run: 1000 + precision.significantBits)
      let disturbance = Disturbance(precision, seed: seed)
      let production = try goldenCase.operation.run(
        goldenCase.request, as: Double.self, recorder: CaseRecorder(disturbance: disturbance), disturbance: disturbance)
      return try CaseJudgement(goldenCase, produced: production.tensors, precision: precision, budgets: budgets)
    }
  }

  /// The classes in which no case shows a bug. Cases are tried in the order in which the manifest says that they do.
  private static func unseen(
    _ bug: KnownBug, _ library: GoldenLibrary, _ budgets: PrecisionBudgets
  ) throws -> Set<PrecisionClass> {
    guard let steps = bug.steps else { return [] }
    var unseen = Set(PrecisionClass.allCases.dropFirst())
    func effect(_ entry: GoldenManifest.CaseEntry) -> Double {
      entry.kills[bug.id].map { $0.value.isNaN ? .infinity : $0.value } ?? 0
    }
    let entries = library.manifest.cases.filter { $0.kills[bug.id] != nil && $0.expectedError == nil }
    for entry in entries.sorted(by: { effect($0) > effect($1) }) where !unseen.isEmpty {
      let goldenCase = try library.load(entry)
      guard let production = try? goldenCase.operation.run(goldenCase.request, as: Double.self, steps: steps) else {
        return []
      }
      for precision in unseen {
        let judgement = try CaseJudgement(
          goldenCase, produced: production.tensors, precision: precision, budgets: budgets)
        if !judgement.passed { unseen.remove(precision) }
      }
    }
    return unseen
  }

  /// The table of `docs/numerics.md`.
  public var report: String {
    var table = TextTable([
      ("class", .left), ("random engines", .right), ("false alarms", .right), ("worst error ÷ budget", .right),
      ("ties", .right), ("bugs caught", .right),
    ])
    for row in rows {
      table.append([
        row.precision.rawValue, "\(row.runs)", "\(row.falseAlarms.count)",
        row.runs > 0 ? brief(row.worstMultiple) : "–",
        "\(row.ties)", row.bugs > 0 ? "\(row.bugs - row.unseenBugs.count) of \(row.bugs)" : "–",
      ])
    }
    let alarms = rows.flatMap { row in row.falseAlarms.map { "FALSE ALARM  \(row.precision.rawValue): \($0)" } }
    let unseen = rows.filter { !$0.unseenBugs.isEmpty }.map { row in
      "Not seen in \(row.precision.rawValue): \(row.unseenBugs.joined(separator: ", "))"
    }
    return ([table.text] + alarms + unseen).joined(separator: "\n\n")
  }
}

extension BudgetProof.Row {
  fileprivate mutating func take(_ judgement: CaseJudgement) {
    runs += 1
    let multiple = judgement.worstMultiple ?? 0
    worstMultiple = multiple.isNaN || worstMultiple.isNaN ? .nan : max(worstMultiple, multiple)
    if !judgement.ties.isEmpty { ties += 1 }
    guard !judgement.passed else { return }
    let failed = judgement.comparisons.filter { !$0.passed }.map { "\($0.tensor) \(brief($0.multiple.value))" }
    falseAlarms.append("\(judgement.id): \((judgement.problems + failed).joined(separator: ", "))")
  }
}

extension GoldenLibrary {
  /// The cases that have budgets.
  ///
  /// - Parameters:
  ///   - ids: of the cases; all if nil
  ///   - sample: how many of them, evenly over the manifest; all if nil
  /// - Throws: `GoldenError` if there is none.
  func budgetedCases(_ ids: [String]?, sample: Int?) throws(GoldenError) -> [GoldenManifest.CaseEntry] {
    let all = manifest.cases.filter { entry in
      entry.expectedError == nil && !entry.budgetedTensors.isEmpty && ids?.contains(entry.id) ?? true
    }
    let count = min(sample ?? all.count, all.count)
    guard count > 0 else { throw GoldenError("budgets.json", "there is no case to measure") }
    return (0..<count).map { all[$0 * all.count / count] }
  }
}

extension Array {
  /// Pieces, each with the number of elements before it.
  func chunks(of length: Int) -> [(Int, [Element])] {
    stride(from: 0, to: count, by: length).map { ($0, Array(self[$0..<Swift.min($0 + length, count)])) }
  }
}
