import Comparison
import GoldenTensors
import Tensors

/// The comparison of one produced tensor with what a case expects.
public struct TensorComparison: Codable, Equatable, Sendable {
  public let tensor: String
  /// The largest error, in the measure of the tensor's judge; nil where the tensors cannot be compared.
  public let error: Double?
  /// What the path may be off by; nil where the tensor is exact.
  public let tolerance: Double?
  /// The error as a multiple of the tolerance: at most 1 passes. `.infinity` for any difference of an exact tensor,
  /// NaN for NaN or infinity in the wrong place.
  public let multiple: GoldenManifest.Figure
  /// The worst element, in a comparison that failed.
  public let mismatch: Mismatch?

  public var passed: Bool { mismatch == nil }

  /// Where two tensors part.
  public struct Mismatch: Codable, Equatable, Sendable {
    /// What is wrong, in one sentence.
    public let problem: String
    /// The multi-dimensional index of the element; empty if the tensors as wholes do not fit.
    public let index: [Int]
    public let expected: GoldenManifest.Figure?
    public let got: GoldenManifest.Figure?
  }
}

extension TensorComparison {
  /// Compares in the order of `golden/FORMAT.md`: type and shape, then NaN and infinity positions, then the error.
  ///
  /// - Parameters:
  ///   - tolerance: of the path; nil for an exact tensor
  ///   - rounding: what a rounded tensor was before, for the judge `rounded`
  static func compare(
    _ name: String, got: ProducedTensor, expected: StoredTensor, judge: Judge, tolerance: Double?,
    rounding: RoundingEvidence? = nil
  ) -> TensorComparison {
    let gotValues: Tensor<Double>
    switch (got, expected) {
    case (.reals(let reals), .float64): gotValues = reals
    case (.integers(let integers), .int64): gotValues = integers.map { Double($0) }
    default: return unfit(name, tolerance, "it should hold \(expected.elementType), and does not")
    }
    let expectedValues = expected.doubles
    guard gotValues.shape == expectedValues.shape else {
      return unfit(name, tolerance, "it has shape \(gotValues.shape), expected \(expectedValues.shape)")
    }

    func mismatch(_ offset: Int, _ problem: String) -> Mismatch {
      Mismatch(
        problem: problem, index: expectedValues.index(ofOffset: offset),
        expected: .init(expectedValues.elements[offset]), got: .init(gotValues.elements[offset]))
    }
    let pairs = Array(zip(gotValues.elements, expectedValues.elements))
    let misplaced = pairs.indices.filter { !isSameClass(pairs[$0].0, pairs[$0].1) }
    if let first = misplaced.first {
      let problem = "NaN or infinity in the wrong place, at \(misplaced.count) of \(pairs.count) elements; the first:"
      return TensorComparison(
        tensor: name, error: nil, tolerance: tolerance, multiple: .init(.nan), mismatch: mismatch(first, problem))
    }

    let errors = pairs.indices.map { offset in
      let (got, expected) = pairs[offset]
      return rounding?.error(got, expected, offset) ?? error(got, expected, judge)
    }
    let worst = errors.indices.max { errors[$0] < errors[$1] }
    let largest = worst.map { errors[$0] } ?? 0
    let allowed = rounding?.tolerance ?? tolerance ?? 0
    let multiple = largest == 0 ? 0 : allowed > 0 ? largest / allowed : .infinity
    let count = errors.count { $0 > allowed }
    return TensorComparison(
      tensor: name, error: largest, tolerance: tolerance, multiple: .init(multiple),
      mismatch: worst.flatMap { worst in
        multiple <= 1 ? nil : mismatch(worst, "\(count) of \(errors.count) elements are off by too much; the worst:")
      })
  }

  /// The error of one element; both values are finite, or the same infinity, or NaN.
  private static func error(_ got: Double, _ expected: Double, _ judge: Judge) -> Double {
    if judge == .exact, got == expected, got.sign != expected.sign { return .leastNonzeroMagnitude }
    guard expected.isFinite, got != expected else { return 0 }
    return abs(got - expected) / (judge == .relative ? abs(expected) : 1)
  }

  private static func unfit(_ name: String, _ tolerance: Double?, _ problem: String) -> TensorComparison {
    TensorComparison(
      tensor: name, error: nil, tolerance: tolerance, multiple: .init(.nan),
      mismatch: Mismatch(problem: problem, index: [], expected: nil, got: nil))
  }
}

/// Both finite, both NaN, or the same infinity.
private func isSameClass(_ a: Double, _ b: Double) -> Bool {
  if a.isFinite && b.isFinite { return true }
  return a == b || (a.isNaN && b.isNaN)
}

extension GoldenCase {
  /// Compares all tensors of an answer with what this case expects, in the order in which they are computed.
  ///
  /// - Parameters:
  ///   - answer: by name
  ///   - replayed: what is expected in place of what the case holds
  ///   - tolerances: which apply
  /// - Returns: the comparisons, and a sentence for each tensor that is missing or that nobody asked for
  /// - Throws: `GoldenError` if the case lacks what a judge needs.
  func compareAll(
    _ answer: [String: ProducedTensor], replayed: [String: StoredTensor] = [:], tolerances: CaseTolerances
  ) throws -> (comparisons: [TensorComparison], problems: [String]) {
    let missing = Set(judged.keys).subtracting(answer.keys).sorted()
    let extra = Set(answer.keys).subtracting(judged.keys).sorted()
    let comparisons = try GoldenCase.inOrderOfComputation(judged.keys).compactMap { name in
      try answer[name].map { try comparison(name, $0, expected: replayed[name], tolerances: tolerances) }
    }
    return (
      comparisons,
      missing.map { "the expected tensor \($0) was not produced" }
        + extra.map { "the tensor \(plain($0)) was produced, but nothing is known about it" }
    )
  }

  /// Compares one tensor with what this case expects.
  ///
  /// - Parameters:
  ///   - expected: in place of what the case holds; nil for that
  ///   - tolerances: which apply
  /// - Throws: `GoldenError` if the case says nothing of the tensor, or lacks what its judge needs.
  func comparison(
    _ name: String, _ got: ProducedTensor, expected replayed: StoredTensor? = nil, tolerances: CaseTolerances
  ) throws -> TensorComparison {
    guard let stored = replayed ?? judged[name], let listed = entry.tensors[name] else {
      throw GoldenError(entry.file, "expects no tensor \(name), only \(judged.keys.sorted())")
    }
    let tolerance = tolerances.tolerance(name)
    guard (tolerance != nil) == listed.judge.hasTolerance else {
      throw GoldenError("budgets.json", "has no budget for \(name) of \(entry.id)")
    }
    let rounding =
      try listed.judge == .rounded
      ? roundingEvidence(of: name) { _ in tolerances.tolerance("\(name).unrounded") } : nil
    return .compare(
      name, got: got, expected: stored, judge: listed.judge, tolerance: tolerance, rounding: rounding)
  }
}
