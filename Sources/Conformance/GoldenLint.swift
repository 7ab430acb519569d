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

  /// Loads every case, runs it in Double, and looks at budgets and inventory.
  public init(_ library: GoldenLibrary) {
    var faults = library.inventoryFaults().map(\.description) + Self.budgetFaults(library)
    var expected = 0
    var compared = 0
    for entry in library.manifest.cases {
      do {
        let goldenCase = try library.load(entry)
        let result = CaseResult(goldenCase, path: .double)
        let judged = goldenCase.judged
        expected += judged.count
        compared += result.comparisons.count
        let unseen = Set(judged.keys).subtracting(result.comparisons.map(\.tensor))
        faults += goldenCase.marginsWithoutUse.map { "\(entry.file): expected/\($0) judges nothing" }
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

  /// What `budgets.json` lacks: every tensor with a tolerance needs a budget in every measured class.
  public static func budgetFaults(_ library: GoldenLibrary) -> [String] {
    do {
      guard let budgets = try library.budgets() else {
        return ["budgets.json: is not there; make golden-budgets measures it"]
      }
      // A case that cannot be loaded is a fault of its own.
      return library.manifest.cases.flatMap { entry in
        (try? library.load(entry)).map { $0.budgetFaults(budgets) } ?? []
      }
    } catch {
      return ["\(error)"]
    }
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
    let wanted = Set(classes)
    func lacks(_ budgets: TensorBudgets?) -> Bool { Set((budgets?.budgets ?? [:]).keys) != wanted }
    let names =
      entry.budgetedTensors.filter { lacks(mine.tensors[$0]) } + scoredSelections.filter { lacks(mine.selections[$0]) }
    return names.map {
      "budgets.json: \($0) of \(entry.id) has no budgets for \(classes.map(\.rawValue).joined(separator: ", "))"
    }
  }

  /// Selections that are made by scores, not by a table.
  private var scoredSelections: [String] {
    entry.tensors.keys.sorted().filter { name in
      let last = name.split(separator: ".").last ?? ""
      let margin = name.dropLast(last.count) + "margin"
      return last == "selection"
        || (last == "indices" && (expected[String(margin)] != nil || parameters["routing"] == .text("learned")))
    }
  }

  /// Margins that belong to no rounded tensor.
  fileprivate var marginsWithoutUse: [String] {
    let useful = entry.tensors.filter { $0.value.judge == .rounded }.map { "\($0.key).margin" }
    return Set(expected.keys).subtracting(judged.keys).subtracting(useful).sorted()
  }
}
