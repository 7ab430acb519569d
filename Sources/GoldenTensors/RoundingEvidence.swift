import Tensors

/// What is known of a rounded tensor before its rounding (`golden/FORMAT.md`, "Judge rounded").
public struct RoundingEvidence: Sendable {
  /// The expected values before rounding.
  let unrounded: [Double]
  /// The distance of each to the nearest boundary between two codes; infinite where nothing is rounded.
  let margin: [Double]
  /// Of the values before rounding.
  public let tolerance: Double

  /// The error of one element: 0 if it is the expected code, or the neighbouring one across a boundary that is too near
  /// to tell; infinite for any other code. Elements that are not rounded err as they are.
  public func error(_ got: Double, _ expected: Double, _ offset: Int) -> Double {
    guard margin[offset].isFinite else { return abs(got - expected) }
    guard got != expected else { return 0 }
    let reach = abs(expected - unrounded[offset]) + 2 * margin[offset] + tolerance
    return margin[offset] <= tolerance && abs(got - unrounded[offset]) <= reach ? 0 : .infinity
  }
}

extension GoldenCase {
  /// The expected tensors that an engine is asked for.
  public var judged: [String: StoredTensor] { expected.filter { entry.tensors[$0.key]?.judge != .notJudged } }

  /// What the judge `rounded` needs.
  ///
  /// - Parameters:
  ///   - name: of the tensor
  ///   - tolerance: what the class of the engine may be off by in a tensor, here the values before rounding
  /// - Throws: `GoldenError` if the case lacks it.
  public func roundingEvidence(
    of name: String, tolerance: (GoldenManifest.TensorEntry) -> Double?
  ) throws -> RoundingEvidence {
    let shape = expected[name]?.shape
    guard let unrounded = expected["\(name).unrounded"], let margin = expected["\(name).margin"],
      let allowed = entry.tensors["\(name).unrounded"].flatMap(tolerance), unrounded.shape == shape,
      margin.shape == shape
    else { throw GoldenError(entry.file, "the tensor \(name) has no values before its rounding, or no margins") }
    return RoundingEvidence(
      unrounded: unrounded.doubles.elements, margin: margin.doubles.elements, tolerance: allowed)
  }
}
