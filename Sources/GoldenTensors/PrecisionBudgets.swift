/// `golden/budgets.json`: how far an engine of each coarser precision class may be off, measured for every tensor.
public struct PrecisionBudgets: Equatable, Sendable {
  public let rule: BudgetRule
  /// By the ids of the manifest: every positive case that has a tensor with a tolerance.
  public let cases: [String: CaseBudgets]

  /// Measured cases by their ids, and the rule by which their budgets follow.
  public init(rule: BudgetRule = .published, cases: [String: CaseBudgets]) {
    self.rule = rule
    self.cases = cases
  }
}

/// The budgets of one case.
public struct CaseBudgets: Equatable, Sendable {
  /// Of the file of the case that was measured.
  public let sha256: String
  /// The tensors with a tolerance.
  public let tensors: [String: TensorBudgets]
  /// Selections: the budget is the margin by which the gap between two scores may be misjudged.
  public let selections: [String: TensorBudgets]

  /// What was measured on the case whose file has this checksum.
  public init(sha256: String, tensors: [String: TensorBudgets], selections: [String: TensorBudgets]) {
    self.sha256 = sha256
    self.tensors = tensors
    self.selections = selections
  }
}

/// The budgets of one tensor, and what they rest on.
public struct TensorBudgets: Equatable, Sendable {
  /// Its largest finite magnitude; 1 where it is judged relatively. For a selection: of its scores.
  public let scale: Double
  /// The largest spread of all runs, in the measure of the tensor's judge.
  public let spreads: [PrecisionClass: Double]
  /// What follows from that by the rule.
  public let budgets: [PrecisionClass: Double]

  /// - Parameters:
  ///   - scale: its largest finite magnitude; 1 where it is judged relatively
  ///   - spreads: the largest of all runs, in the measure of the tensor's judge
  ///   - float: its float tolerance; nil for a selection
  ///   - rule: by which budgets follow
  public init(
    scale: Double, spreads: [PrecisionClass: Double], float: Double?, rule: BudgetRule = .published
  ) {
    self.scale = threeDigits(scale)
    self.spreads = spreads.mapValues(threeDigits)
    budgets = rule.budgets(spreads: self.spreads, scale: self.scale, float: float)
  }
}

extension GoldenManifest.CaseEntry {
  /// The classes whose budgets are measured for this case.
  ///
  /// float32 is one of them only where the whole model is rounded as deployed: there one rounding that falls the other
  /// way is more than the manifest tolerates, and no fault.
  ///
  /// - Parameter roundsAsDeployed: whether `numerics` is `deployed` in this case
  public func measuredClasses(roundsAsDeployed: Bool) -> [PrecisionClass] {
    (roundsAsDeployed ? [.fp32] : []) + [.tf32, .bf16, .fp8fp4]
  }

  /// The tensors for which a budget is measured.
  public var budgetedTensors: [String] { tensors.filter { $0.value.judge.hasTolerance }.keys.sorted() }
}

/// What one class may be off by in one case.
public struct CaseTolerances: Sendable {
  private let entry: GoldenManifest.CaseEntry
  private let precision: PrecisionClass
  private let budgets: CaseBudgets?

  /// - Parameters:
  ///   - entry: the case
  ///   - precision: the class of the engine
  ///   - budgets: nil if there are none: then the manifest alone decides, which knows fp64 and fp32
  /// - Throws: `GoldenError` if the class needs budgets and there are none for this case.
  public init(
    _ entry: GoldenManifest.CaseEntry, _ precision: PrecisionClass, budgets: PrecisionBudgets?
  ) throws(GoldenError) {
    self.entry = entry
    self.precision = precision
    self.budgets = budgets?.cases[entry.id]
    guard precision != .fp64, precision != .fp32, !entry.budgetedTensors.isEmpty else { return }
    guard budgets != nil else {
      throw GoldenError(
        "budgets.json",
        "is not there, and without measured budgets only fp64 and fp32 can be judged, not "
          + precision.rawValue)
    }
    guard self.budgets != nil else { throw GoldenError("budgets.json", "has no budgets for \(entry.id)") }
  }

  /// As the manifest has them, whatever was measured for coarser classes.
  ///
  /// - Parameters:
  ///   - entry: the case
  ///   - double: whether the path computes in float64; in float32 if not
  public init(_ entry: GoldenManifest.CaseEntry, double: Bool) {
    self.entry = entry
    precision = double ? .fp64 : .fp32
    budgets = nil
  }

  /// What a tensor may be off by; nil where it is exact.
  public func tolerance(_ tensor: String) -> Double? {
    guard let listed = entry.tensors[tensor]?.tolerance else { return nil }
    switch precision {
    case .fp64: return listed.double
    case .fp32: return budgets?.tensors[tensor]?.budgets[.fp32] ?? listed.float
    case .tf32, .bf16, .fp8fp4: return budgets?.tensors[tensor]?.budgets[precision]
    }
  }

  /// By how much the gap between two scores of a selection may be misjudged; nil where the selection is exact.
  public func margin(_ selection: String) -> Double? {
    precision == .fp64 ? nil : budgets?.selections[selection]?.budgets[precision]
  }
}
