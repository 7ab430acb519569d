import Foundation
import GoldenTensors
import Tensors

/// What a comparison says of a tensor.
public enum Verdict: String, Codable, Sendable {
  case pass
  /// A selection with swapped entries that the precision cannot tell apart. It passes.
  case tie
  /// Within the tolerance, but so would be a wrong token: the data is too narrow. It neither passes nor fails.
  case cannotTell = "cannot-tell"
  case fail
}

/// How a tensor of the candidate stands to the expected one.
public struct TensorVerdict: Codable, Sendable {
  public let name: String
  public let shape: [Int]
  /// Element types, as stored.
  public let expectedType: String
  public let candidateType: String
  public internal(set) var verdict: Verdict = .pass
  /// The error in the measure of the tensor; nil where it has none.
  public internal(set) var error: Double?
  /// What it may be; nil where any difference fails.
  public internal(set) var tolerance: Double?
  /// The error as a multiple of the tolerance: at most 1 passes. Infinite for any difference where nothing is tolerated,
  /// NaN where the tensors cannot be compared.
  public internal(set) var multiple = 0.0
  /// What a wrong token would give, as a multiple of the tolerance.
  public internal(set) var discrimination: Double?
  public internal(set) var errors: TensorErrors?
  public internal(set) var bits: BitDifference?
  /// Of a selection: tokens with other entries that count as equal.
  public internal(set) var ties: Int?
  /// Why it does not pass, or what else there is to say, in one sentence.
  public internal(set) var remark: String?

  init(_ name: String, _ expected: TensorSource, _ got: TensorSource) {
    self.name = name
    shape = expected.shape
    expectedType = expected.stored
    candidateType = got.stored
  }

  mutating func fail(_ remark: String, multiple: Double) {
    (verdict, self.remark, self.multiple) = (.fail, remark, multiple)
  }
}

/// How a tensor is judged.
enum TensorMeasure {
  /// The largest error.
  case absolute(tolerance: Double)
  /// The largest error relative to the element.
  case relative(tolerance: Double)
  /// No difference at all.
  case exact
  case rounded(RoundingEvidence)
  case selection(SelectionEvidence, ordered: Bool)
}

extension TensorVerdict {
  /// The error that a wrong token would give must be this many tolerances, or the tensor says nothing.
  public static let leastDiscrimination = 10.0

  /// Compares: type and shape, then NaN and infinity, then the error; then whether a wrong token would have been seen.
  ///
  /// - Parameters:
  ///   - errors: of two tensors of reals of one shape
  ///   - bitwise: whether every bit has to be the same, whatever the measure
  /// - Throws: what reading throws.
  init(
    _ name: String, expected: TensorSource, got: TensorSource, errors: TensorErrors?, by measure: TensorMeasure,
    bitwise: Bool
  ) throws {
    self.init(name, expected, got)
    self.errors = errors
    guard Self.fits(expected, got) else {
      fail("it holds \(got.stored), expected \(expected.stored)", multiple: .nan)
      return
    }
    guard expected.shape == got.shape else {
      fail("it has the shape \(got.shape), expected \(expected.shape)", multiple: .nan)
      return
    }
    if bitwise {
      try judgeBits(expected, got)
    } else if let errors {
      try judge(errors, expected, got, by: measure)
    } else {
      try judgeIntegers(expected, got, by: measure)
    }
  }

  /// Reals with reals, whole numbers with whole numbers, anything else with its own kind.
  private static func fits(_ expected: TensorSource, _ got: TensorSource) -> Bool {
    let integers: Set<ElementType> = [.int32, .int64]
    return expected.elementType == got.elementType || (expected.isReal && got.isReal)
      || (integers.contains(expected.elementType) && integers.contains(got.elementType))
  }

  // MARK: Bits

  private mutating func judgeBits(_ expected: TensorSource, _ got: TensorSource) throws {
    guard expected.elementType == got.elementType else {
      return fail("bit for bit, \(got.stored) is not \(expected.stored)", multiple: .infinity)
    }
    bits = try BitDifference(expected: expected, got: got)
    if let bits {
      fail(
        "\(bits.count) of \(expected.rows * expected.rowLength) elements have other bits, first at \(bits.index): "
          + "expected \(bits.expected), got \(bits.got)", multiple: .infinity)
    } else {
      try judgeDiscrimination(expected)
    }
  }

  // MARK: Reals

  private mutating func judge(
    _ errors: TensorErrors, _ expected: TensorSource, _ got: TensorSource, by measure: TensorMeasure
  ) throws {
    if let place = errors.firstMisplaced {
      return fail(
        "NaN or infinity in the wrong place, at \(errors.misplaced) of \(errors.elements) elements, first at "
          + place.sentence, multiple: .nan)
    }
    switch measure {
    case .absolute(let tolerance):
      judge(errors.largest, at: errors.worst, allowed: tolerance, wrongToken: errors.rotated)
    case .relative(let tolerance):
      judge(
        errors.largestRelative, at: errors.worstRelative, allowed: tolerance, wrongToken: errors.rotatedRelative)
    case .exact, .selection:
      // Zeros of two signs are no difference that could be measured, but one.
      judge(
        errors.isIdentical ? 0 : max(errors.largest, .leastNonzeroMagnitude), at: errors.worst, allowed: 0,
        wrongToken: errors.rotated)
      tolerance = nil
    case .rounded(let evidence): try judge(expected.whole().doubles, got.whole().doubles, evidence)
    }
  }

  private mutating func judge(
    _ error: Double, at place: TensorErrors.Place?, allowed: Double, wrongToken: Double
  ) {
    self.error = error
    tolerance = allowed
    multiple = error == 0 ? 0 : allowed > 0 ? error / allowed : .infinity
    discrimination = wrongToken == 0 ? 0 : allowed > 0 ? wrongToken / allowed : .infinity
    guard multiple <= 1 else {
      return fail(place.map { "at \($0.sentence)" } ?? "zeros have other signs", multiple: multiple)
    }
    judgeDiscrimination()
  }

  private mutating func judge(_ expected: Tensor<Double>, _ got: Tensor<Double>, _ evidence: RoundingEvidence) {
    let error = expected.elements.indices.map { evidence.error(got.elements[$0], expected.elements[$0], $0) }
    let rows = max(expected.shape.first ?? 1, 1)
    let rotated = Array(expected.elements.suffix(rows > 1 ? expected.count / rows : 1) + expected.elements)
    let wrong = expected.elements.indices.map { evidence.error(rotated[$0], expected.elements[$0], $0) }.max() ?? 0
    let worst = error.indices.max { error[$0] < error[$1] }
    judge(
      worst.map { error[$0] } ?? 0,
      at: worst.map {
        .init(index: expected.index(ofOffset: $0), expected: expected.elements[$0], got: got.elements[$0])
      }, allowed: evidence.tolerance, wrongToken: wrong)
  }

  // MARK: Integers

  private mutating func judgeIntegers(
    _ expected: TensorSource, _ got: TensorSource, by measure: TensorMeasure
  ) throws {
    let (x, y) = (try expected.whole(), try got.whole())
    if case .selection(let evidence, let ordered) = measure, let x = x.wholeNumbers, let y = y.wholeNumbers {
      let judgement = try SelectionJudgement(expected: x, got: y, evidence: evidence, ordered: ordered)
      if judgement.ties > 0 { (ties, verdict) = (judgement.ties, .tie) }
      if judgement.reordered > 0 { remark = "\(judgement.reordered) tokens have the same set in another order" }
      if let first = judgement.firstWrong {
        return fail("\(judgement.wrong) tokens select otherwise: \(first)", multiple: .infinity)
      }
      return try judgeDiscrimination(expected)
    }
    let (left, right) = (x.doubles, y.doubles)
    if let first = left.elements.indices.first(where: { left.elements[$0] != right.elements[$0] }) {
      return fail(
        "at \(left.index(ofOffset: first)): expected \(figure(left.elements[first])), got \(figure(right.elements[first]))",
        multiple: .infinity)
    }
    try judgeDiscrimination(expected)
  }

  // MARK: Whether a wrong token would have been seen

  /// For what is compared exactly: some row has to differ from the one before.
  private mutating func judgeDiscrimination(_ expected: TensorSource) throws {
    if let errors {
      discrimination = errors.rotated > 0 ? .infinity : 0
    } else {
      let elements = try expected.whole().doubles.elements
      let step = expected.rows > 1 ? expected.rowLength : 1
      discrimination = Array(elements.suffix(step) + elements.dropLast(step)) == elements ? 0 : .infinity
    }
    judgeDiscrimination()
  }

  private mutating func judgeDiscrimination() {
    guard verdict == .pass, let discrimination, discrimination < Self.leastDiscrimination else { return }
    verdict = .cannotTell
    remark =
      shape.contains(0)
      ? "it has no elements"
      : errors.map { $0.scale == 0 } == true
        ? "all of it is 0"
        : "with its rows moved by one it would be off by \(figure(discrimination)) tolerances only"
  }
}

extension TensorErrors.Place {
  /// Both values, with as many digits as tell them apart.
  fileprivate var sentence: String {
    let short = (figure(expected), figure(got))
    let (expected, got) = short.0 == short.1 ? ("\(expected)", "\(got)") : short
    return "\(index): expected \(expected), got \(got)"
  }
}

/// A number in a sentence.
public func figure(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value > 0 ? "∞" : "−∞" }
  if value == value.rounded(), abs(value) < 1e6 { return value == 0 && value.sign == .minus ? "-0" : "\(Int(value))" }
  return String(format: "%.7g", value)
}
