import GoldenTensors

/// A check of the golden folder itself. (That the manifest holds together is checked when it is read.)
public struct GoldenLint: Codable, Sendable {
  public let cases: Int
  public let bytes: Int
  /// Tensors in `expected/` of all cases, those left out that are there to judge others by.
  public let expectedTensors: Int
  /// How many of them a run in Double compared.
  public let comparedTensors: Int
  public let faults: [String]

  public var passed: Bool { faults.isEmpty }

  public init(_ library: GoldenLibrary) {
    var faults = library.inventoryFaults().map(\.description)
    var expected = 0
    var compared = 0
    var budgets: PrecisionBudgets?
    do {
      budgets = try library.budgets()
      if budgets == nil { faults.append("budgets.json: is not there; make golden-budgets measures it") }
    } catch {
      faults.append("\(error)")
    }
    for entry in library.manifest.cases {
      do {
        let goldenCase = try library.load(entry)
        let result = CaseResult(goldenCase, path: .double)
        let judged = goldenCase.judged
        expected += judged.count
        compared += result.comparisons.count
        let unseen = Set(judged.keys).subtracting(result.comparisons.map(\.tensor))
        faults += goldenCase.marginsWithoutUse.map { "\(entry.file): expected/\($0) judges nothing" }
        if let budgets { faults += goldenCase.budgetFaults(budgets) }
        faults += unseen.sorted().map { "\(entry.file): expected/\($0) is never compared" }
      } catch {
        faults.append("\(error)")
      }
    }
    cases = library.manifest.cases.count
    bytes = library.manifest.cases.map(\.bytes).reduce(0, +)
    expectedTensors = expected
    comparedTensors = compared
    self.faults = faults
  }

  /// The report for people.
  public var report: String {
    let summary = """
      \(cases) cases, \(bytes / 1024) KiB; \(comparedTensors) of \(expectedTensors) expected tensors are compared.
      """
    let verdict =
      passed ? "CLEAN  checksums, inventory, evidence and tolerances agree" : "FAILED  \(faults.count) faults"
    return ([summary] + faults.map { "FAULT  \($0)" } + [verdict]).joined(separator: "\n")
  }
}

extension GoldenCase {
  /// Tensors without a budget in a class that needs one.
  fileprivate func budgetFaults(_ budgets: PrecisionBudgets) -> [String] {
    let classes = measuredClasses
    guard !classes.isEmpty else { return [] }
    guard let mine = budgets.cases[entry.id] else { return ["budgets.json: has no budgets for \(entry.id)"] }
    return entry.budgetedTensors.filter { Set((mine.tensors[$0]?.budgets ?? [:]).keys) != Set(classes) }
      .map {
        "budgets.json: \($0) of \(entry.id) has no budgets for \(classes.map(\.rawValue).joined(separator: ", "))"
      }
  }

  /// Margins that belong to no rounded tensor.
  fileprivate var marginsWithoutUse: [String] {
    let useful = entry.tensors.filter { $0.value.judge == .rounded }.map { "\($0.key).margin" }
    return Set(expected.keys).subtracting(judged.keys).subtracting(useful).sorted()
  }
}
