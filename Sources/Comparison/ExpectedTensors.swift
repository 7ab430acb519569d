import GoldenTensors
import Tensors
import Traces

/// What a candidate is held to: a golden case, or a file that another run wrote.
public struct ExpectedTensors {
  /// Of the case or the file.
  public let name: String
  /// In the order of computation.
  public let names: [String]
  /// Where each call starts, by its name; nil if this is no trace.
  let starts: [String: Int]?
  /// How tolerances came about, in a few words.
  public let basis: String
  let source: (String) throws -> TensorSource
  let measure: (String, Scales) throws -> TensorMeasure

  /// The largest magnitude of each tap, by name, over all calls: a decoded token is judged as it would be among the
  /// tokens of a prefill.
  typealias Scales = [String: Double]

  /// Everything that a case asks of an engine, at the root of the candidate.
  ///
  /// - Parameters:
  ///   - goldenCase: loaded
  ///   - precision: the class of the candidate
  ///   - budgets: of the library, for the classes coarser than float32
  /// - Throws: `GoldenError` if the case has to be refused, so that there is nothing to compare, or the class has no
  ///   measured tolerances.
  public init(
    _ goldenCase: GoldenCase, class precision: PrecisionClass, budgets: PrecisionBudgets? = nil
  ) throws {
    let entry = goldenCase.entry
    guard entry.expectedError == nil else {
      throw GoldenError(entry.file, "the case has to be refused, so there are no tensors to compare")
    }
    let judged = goldenCase.judged
    let tolerances = try CaseTolerances(entry, precision, budgets: budgets)
    name = entry.id
    names = GoldenCase.inOrderOfComputation(judged.keys)
    starts = nil
    basis = "measured, \(precision.rawValue)"
    source = { TensorSource(judged[$0]!) }
    measure = { name, _ in try goldenCase.measure(of: name, tolerances) }
  }

  /// Every tensor of a file.
  ///
  /// - Throws: `GoldenError` or `CheckpointError` if it has calls and they are no trace.
  public init(_ file: TensorFile, class precision: PrecisionClass) throws {
    name = file.name
    names = inOrderOfTaps(file.names)
    starts = try Self.starts(of: file)
    let rounds = try starts != nil && TraceFile(file).numerics != .exact
    basis = TraceDrift.basis(precision, rounds: rounds)
    source = { try TensorSource($0, in: file) }
    measure = { name, scales in
      try Self.measure(of: name, in: file, scales) { TraceDrift.tolerance(scale: $0, precision, rounds: rounds) }
    }
  }

  /// Where each call of a trace starts; nil if the file has no calls.
  static func starts(of file: TensorFile) throws -> [String: Int]? {
    guard file.groups.contains("calls") else { return nil }
    return Dictionary(uniqueKeysWithValues: try TraceFile(file).calls.map { ($0.name, $0.start) })
  }

  /// The name of a tap without its call.
  static func tap(_ name: String) -> String {
    String(name[(name.lastIndex(of: "/").map(name.index(after:)) ?? name.startIndex)...])
  }

  private static func measure(
    of name: String, in file: TensorFile, _ scales: Scales, tolerance: (_ scale: Double) -> Double
  ) throws -> TensorMeasure {
    guard let scores = scores(of: name) else {
      return .absolute(tolerance: tolerance(scales[tap(name)] ?? 0))
    }
    guard file.names.contains(scores) else { return .selection(.none, ordered: false) }
    let source = try TensorSource(scores, in: file)
    guard source.isReal else { return .selection(.none, ordered: false) }
    let scale = try scales[tap(scores)] ?? TensorErrors(expected: source, got: source).scale
    return .selection(.scores(source, tolerance: tolerance(scale)), ordered: false)
  }

  /// The scores that a selection was made from, by name; nil if the name is not that of a selection.
  private static func scores(of name: String) -> String? {
    for (selection, scores) in [("indexer.selection", "indexer.scores"), ("gate.indices", "gate.selection_scores")]
    where name.hasSuffix(selection) { return name.dropLast(selection.count) + scores }
    return nil
  }
}

extension GoldenCase {
  /// How an expected tensor is judged.
  ///
  /// - Throws: `GoldenError` if the class has no tolerance for it, or the case lacks what its judge needs.
  func measure(of name: String, _ tolerances: CaseTolerances) throws -> TensorMeasure {
    guard let listed = entry.tensors[name] else { throw GoldenError(entry.file, "expects no tensor \(name)") }
    let allowed = tolerances.tolerance(name)
    switch listed.judge {
    case .absolute: return .absolute(tolerance: allowed ?? 0)
    case .relative: return .relative(tolerance: allowed ?? 0)
    case .rounded:
      return .rounded(try roundingEvidence(of: name) { _ in tolerances.tolerance("\(name).unrounded") })
    case .exact, .notJudged:
      guard listed.dtype == .int64 else { return .exact }
      return .selection(try selectionEvidence(of: name, tolerances), ordered: true)
    }
  }

  /// The scores beside a selection, or its margin: `index_scores` or `selection_scores` of the same operation, or
  /// `<…>margin`.
  private func selectionEvidence(of name: String, _ tolerances: CaseTolerances) throws -> SelectionEvidence {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    let place = String(name.dropLast(last.count))
    guard let scores = ["selection": "index_scores", "indices": "selection_scores"][last] else { return .none }
    for (other, isMargin) in [(place + scores, false), (place + "margin", true)] {
      guard let tensor = expected[other], let allowed = tolerances.tolerance(other) else {
        continue
      }
      let source = TensorSource(tensor)
      return isMargin ? .margins(source, tolerance: allowed) : .scores(source, tolerance: allowed)
    }
    return .none
  }
}
