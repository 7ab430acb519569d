import GoldenTensors
import Traces

/// What a comparison found. It passes only if everything was compared and something was told.
public struct ComparisonReport: Codable, Sendable {
  public let expected: String
  public let candidate: String
  public let precision: PrecisionClass
  /// How tolerances came about.
  public let basis: String
  /// In the order of computation.
  public internal(set) var tensors: [TensorVerdict] = []
  /// Expected, and not in the candidate.
  public internal(set) var missing: [String] = []
  /// In the candidate, and not expected.
  public internal(set) var extra: [String] = []
  /// Those of both that were allowed.
  public internal(set) var allowedMissing: [String] = []
  public internal(set) var allowedExtra: [String] = []
  /// What else is wrong, one sentence each: an unused rule of a map, calls that are not the same run.
  public internal(set) var problems: [String] = []
  /// What one should know, and what is no fault.
  public internal(set) var notes: [String] = []
  public internal(set) var logits: LogitsComparison?

  init(_ expected: ExpectedTensors, candidate: String, precision: PrecisionClass) {
    self.expected = expected.name
    self.candidate = candidate
    self.precision = precision
    basis = expected.basis
  }

  /// Tokens are what a run was given, and prove nothing about what it computed.
  private var computed: [TensorVerdict] { tensors.filter { !$0.name.hasSuffix("token_ids") } }

  public var passed: Bool {
    problems.isEmpty && missing.isEmpty && extra.isEmpty && !tensors.contains { $0.verdict == .fail }
      && computed.contains { $0.verdict == .pass || $0.verdict == .tie }
  }

  /// The worst thing first, in one line.
  public var headline: String {
    if let first = tensors.first(where: { $0.verdict == .fail }) {
      let rest = tensors.count { $0.verdict == .fail } - 1
      let others = rest > 0 ? "; \(rest) more fail\(rest == 1 ? "s" : "") after it" : ""
      return "first tensor above tolerance: \(first.name), \(first.remark ?? "")\(others)"
    }
    if let problem = problems.first { return problem }
    if let name = missing.first { return "missing in the candidate: \(missing.count), first \(name)" }
    if let name = extra.first { return "left over in the candidate: \(extra.count), first \(name)" }
    if computed.isEmpty { return "no tensor was compared" }
    guard passed else { return "the data of every tensor (\(computed.count)) is too narrow to tell right from wrong" }
    let unclear = computed.count { $0.verdict == .cannotTell }
    let but = unclear > 0 ? ", but \(unclear) of them cannot tell" : ""
    return computed.count == 1 ? "1 tensor agrees" : "\(computed.count) tensors agree\(but)"
  }
}
