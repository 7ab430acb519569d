import GoldenTensors
import Taps
import Tensors

/// The measurement of one case: how far runs of the slow path that are rounded at random come to be from the one that is
/// not rounded.
struct BudgetMeasurement {
  private let goldenCase: GoldenCase
  private let operation: GoldenOperation
  private let base: Production
  /// The selections that the case expects, call by call, at which every run is held: one that goes another way is judged
  /// by its margin, not by a budget. Selections that it does not expect are left free: nobody could judge them.
  private let selections: [String: [Tensor<Int>]]
  /// The scores behind them.
  private let scores: [String: [Tensor<Double>]]

  /// Runs the case as it is.
  ///
  /// - Throws: `GoldenError` if its operation is unknown, and what the operation throws.
  init(_ goldenCase: GoldenCase) throws {
    self.goldenCase = goldenCase
    operation = try goldenCase.operation
    let recorder = CaseRecorder()
    base = try operation.run(goldenCase.request, as: Double.self, recorder: recorder)
    selections = recorder.selections.filter { goldenCase.judged[$0.key] != nil }
    scores = recorder.scores.filter { goldenCase.judged[$0.key] != nil }
  }

  /// The budgets in all classes that are measured for this case.
  ///
  /// - Throws: `GoldenError` if a run refuses its input, or has NaN or infinity where the case has none.
  func budgets(rule: BudgetRule = .published) throws -> CaseBudgets {
    let entry = goldenCase.entry
    var spreads: [String: [PrecisionClass: Double]] = [:]
    for precision in entry.measuredClasses(roundsAsDeployed: goldenCase.roundsAsDeployed) {
      if precision == .fp8fp4, goldenCase.roundsAsDeployed {
        // Its noise is that of bf16, and the formats are those of the case.
        spreads = spreads.mapValues { $0.merging([.fp8fp4: $0[.bf16] ?? 0]) { $1 } }
        continue
      }
      for (name, spread) in try largestSpreads(precision, rule) { spreads[name, default: [:]][precision] = spread }
    }
    var tensors: [String: TensorBudgets] = [:]
    for name in entry.budgetedTensors {
      guard let tolerance = entry.tensors[name]?.tolerance else { continue }
      let scale = tolerance.double / ToleranceRule.published.doubleRelative
      tensors[name] = TensorBudgets(scale: scale, spreads: spreads[name] ?? [:], float: tolerance.float, rule: rule)
    }
    var selections: [String: TensorBudgets] = [:]
    for (name, scores) in scores {
      let largest = scores.joined().map { $0.isFinite ? $0.magnitude : 0 }.max() ?? 0
      selections[name] = TensorBudgets(
        scale: largest > 0 ? largest : 1, spreads: spreads["\(name) scores"] ?? [:], float: nil, rule: rule)
    }
    return CaseBudgets(sha256: entry.sha256, tensors: tensors, selections: selections)
  }

  private func largestSpreads(_ precision: PrecisionClass, _ rule: BudgetRule) throws -> [String: Double] {
    let seeds = (0..<rule.randomRuns).map { Optional(Self.seed(goldenCase.entry.id, run: $0)) }
    var largest: [String: Double] = [:]
    for seed in seeds + Array(repeating: nil, count: rule.nearestRuns) {
      let disturbance = Disturbance(precision, seed: seed, rule: rule)
      let listener = CaseRecorder(holding: selections, disturbance: disturbance)
      let production = try operation.run(
        goldenCase.request, as: Double.self, recorder: listener, disturbance: disturbance)
      for name in goldenCase.entry.budgetedTensors {
        guard case .reals(let got)? = production.tensors[name], case .reals(let right)? = base.tensors[name] else {
          throw GoldenError(goldenCase.entry.file, "the tensor \(name) was not computed")
        }
        let relative = goldenCase.entry.tensors[name]?.judge == .relative
        let spread = try spread(got.elements, right.elements, relative: relative, name)
        largest[name] = max(largest[name] ?? 0, spread)
      }
      for (name, scores) in scores {
        let spread = try spread(
          (listener.scores[name] ?? []).flatMap(\.elements), scores.flatMap(\.elements), relative: false, name)
        largest["\(name) scores"] = max(largest["\(name) scores"] ?? 0, spread)
      }
    }
    return largest
  }

  private func spread(_ got: [Double], _ right: [Double], relative: Bool, _ name: String) throws -> Double {
    guard got.count == right.count else { throw GoldenError(goldenCase.entry.file, "\(name) changed its shape") }
    var largest = 0.0
    for (got, right) in zip(got, right) where got != right && !(got.isNaN && right.isNaN) {
      let error = abs(got - right) / (relative ? abs(right) : 1)
      guard error.isFinite else {
        throw GoldenError(goldenCase.entry.file, "\(name) has \(got) in place of \(right) in a run rounded at random")
      }
      largest = max(largest, error)
    }
    return largest
  }

  /// The seed of a run: of the case and nothing else. Runs from 1000 on are for tests, which must not use those measured.
  static func seed(_ id: String, run: Int) -> UInt64 { splitmix64(nameHash(id) &+ UInt64(run)) }
}

extension Sequence where Element == Tensor<Double> {
  /// The elements of all.
  fileprivate func joined() -> [Double] { flatMap(\.elements) }
}

extension GoldenCase {
  /// - Throws: `GoldenError` if it is none that this package knows.
  var operation: GoldenOperation {
    get throws {
      guard let operation = GoldenOperation(rawValue: entry.operation) else {
        throw GoldenError(entry.file, "the operation \(entry.operation) is unknown")
      }
      return operation
    }
  }

  /// Whether the whole model is rounded as deployed.
  var roundsAsDeployed: Bool { parameters["numerics"] == .text(NumericsMode.deployed.rawValue) }

  /// The classes whose budgets are measured; none if no tensor has a tolerance.
  var measuredClasses: [PrecisionClass] {
    entry.budgetedTensors.isEmpty ? [] : entry.measuredClasses(roundsAsDeployed: roundsAsDeployed)
  }
}
