import GoldenTensors
import Tensors
import Traces

/// Compares a file of tensors with what is expected of it.
public struct FileComparison {
  /// What a comparison is told beside the two files.
  public struct Options: Sendable {
    public var map: TensorMap = .none
    /// Names with `*` for any text.
    public var allowedMissing: [String] = []
    public var allowedExtra: [String] = []
    public var isBitwise = false
    /// Leave out everything but logits.
    public var isLogitsOnly = false

    public init() {}
  }

  private let expected: ExpectedTensors
  private let candidate: TensorFile
  private let options: Options
  private var report: ComparisonReport
  /// By expected name: where it comes from.
  private var sources: [String: Origin] = [:]
  /// By name of a candidate's tensor: what was made of it.
  private var uses: [String: [String]] = [:]
  private var usedRules: Set<Int> = []
  private let laidOut = LastTensor()

  private enum Origin {
    case sameName
    case rule(TensorMap.Finding)
  }

  /// Matches names; nothing is read yet.
  ///
  /// - Throws: `GoldenError` or `CheckpointError` if the candidate has calls and they are no trace.
  public init(
    _ expected: ExpectedTensors, _ candidate: TensorFile, class precision: PrecisionClass, _ options: Options = .init()
  ) throws {
    self.expected = expected
    self.candidate = candidate
    self.options = options
    report = ComparisonReport(expected, candidate: candidate.name, precision: precision)
    match()
    try compareStarts()
  }

  /// Reads and compares.
  ///
  /// - Parameter progress: hears how many tensors are read, of how many
  /// - Throws: what reading throws.
  public consuming func run(progress: (Int, Int) -> Void = { _, _ in }) throws -> ComparisonReport {
    var pairs: [Pair] = []
    for name in expected.names { if let pair = try pair(name) { pairs.append(pair) } }
    var errors: [String: TensorErrors] = [:]
    var scales: ExpectedTensors.Scales = [:]
    for (index, pair) in pairs.enumerated() {
      if pair.areReals {
        let found = try TensorErrors(expected: pair.expected, got: pair.got)
        errors[pair.name] = found
        scales[ExpectedTensors.tap(pair.name), default: 0] =
          max(scales[ExpectedTensors.tap(pair.name)] ?? 0, found.scale)
      }
      progress(index + 1, pairs.count)
    }
    for pair in pairs {
      let measure = pair.isInput ? .exact : try expected.measure(pair.name, scales)
      report.tensors.append(
        try TensorVerdict(
          pair.name, expected: pair.expected, got: pair.got, errors: errors[pair.name], by: measure,
          bitwise: options.isBitwise))
    }
    if !pairs.contains(where: { !$0.isInput && !isLogits($0.name) }) { try compareLogits(pairs) }
    return report
  }

  /// An expected tensor and the one that stands for it.
  private struct Pair {
    let name: String
    let expected: TensorSource
    let got: TensorSource

    var isInput: Bool { name.hasSuffix("token_ids") }
    var areReals: Bool { expected.isReal && got.isReal && expected.shape == got.shape }
  }

  private func isLogits(_ name: String) -> Bool { (name.split(separator: "/").last ?? "") == "logits" }

  // MARK: Matching

  private mutating func match() {
    let candidates = Set(candidate.names)
    for name in expected.names where !options.isLogitsOnly || isLogits(name) || name.hasSuffix("token_ids") {
      let findings = options.map.findings(for: name, among: candidates)
      if findings.count > 1 {
        report.problems.append("two rules of the map find something for \(name): \(findings.flatMap(\.names))")
      }
      if let finding = findings.first {
        usedRules.formUnion(findings.map(\.rule))
        sources[name] = .rule(finding)
        for theirs in finding.names { uses[theirs, default: []].append(name) }
      } else if candidates.contains(name) {
        sources[name] = .sameName
        uses[name, default: []].append(name)
      } else if fits(name, options.allowedMissing) {
        report.allowedMissing.append(name)
      } else if !options.isLogitsOnly || isLogits(name) {
        report.missing.append(name)
      }
    }
    leaveOver()
    checkRules()
  }

  private mutating func leaveOver() {
    for name in candidate.names where uses[name] == nil && !fits(name, options.map.ignored) {
      if options.isLogitsOnly && !isLogits(name) { continue }
      if fits(name, options.allowedExtra) { report.allowedExtra.append(name) } else { report.extra.append(name) }
    }
  }

  private mutating func checkRules() {
    for (theirs, names) in uses.sorted(by: { $0.key < $1.key }) where names.count > 1 {
      let parts = names.allSatisfy { name in
        if case .rule(let finding)? = sources[name] { options.map.rules[finding.rule].takesAPart } else { false }
      }
      if !parts { report.problems.append("\(theirs) is taken for \(names.joined(separator: " and for "))") }
    }
    guard !options.isLogitsOnly else { return }
    for (index, rule) in options.map.rules.enumerated() where !usedRules.contains(index) {
      report.problems.append("the map's rule \(rule.theirs.text) → \(rule.ours.text) finds nothing: is it misspelt?")
    }
    for glob in options.map.ignored where !candidate.names.contains(where: { fits($0, [glob]) }) {
      report.problems.append("the map ignores \(glob), and no tensor is called so: is it misspelt?")
    }
  }

  private func fits(_ name: String, _ globs: [String]) -> Bool {
    !globs.isEmpty && TapSelection(globs: globs, layers: nil).contains(name)
  }

  private mutating func compareStarts() throws {
    guard let starts = expected.starts, options.map.rules.isEmpty,
      let others = try ExpectedTensors.starts(of: candidate)
    else { return }
    for (call, start) in starts.sorted(by: { $0.key < $1.key }) {
      guard let other = others[call], other != start else { continue }
      report.problems.append("\(call) starts at \(other), expected \(start): this is another run")
    }
  }

  // MARK: Comparing

  /// Nil if there is nothing to compare; if that is because a rule does not fit, the report says so.
  private mutating func pair(_ name: String) throws -> Pair? {
    guard let origin = sources[name] else { return nil }
    let wanted = try expected.source(name)
    switch origin {
    case .sameName: return Pair(name: name, expected: wanted, got: try TensorSource(name, in: candidate))
    case .rule(let finding):
      do {
        let got = try options.map.source(
          finding, for: name, shape: wanted.shape, in: candidate, keeping: laidOut)
        return Pair(name: name, expected: wanted, got: got)
      } catch let error as GoldenError {
        report.problems.append(error.problem)
        return nil
      }
    }
  }

  /// What the logits of all calls say about the tokens that would be chosen.
  private mutating func compareLogits(_ pairs: [Pair]) throws {
    for pair in pairs where pair.areReals && isLogits(pair.name) && pair.expected.shape.count == 2 {
      var comparison = report.logits ?? LogitsComparison()
      let start = expected.starts?[String(pair.name.dropLast("/logits".count))] ?? comparison.positions
      let verdict = report.tensors.first { $0.name == pair.name }
      try comparison.add(
        expected: pair.expected, got: pair.got, start: start, tolerance: verdict?.tolerance ?? 0)
      report.logits = comparison
    }
  }
}
