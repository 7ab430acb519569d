import Tensors

/// A golden case in memory: what goes into an operation and what has to come out.
public struct GoldenCase: Sendable {
  public let entry: GoldenManifest.CaseEntry
  public let parameters: [String: StoredAttribute]
  public let inputs: [String: StoredTensor]
  public let weights: [String: StoredTensor]
  /// Empty in a negative case.
  public let expected: [String: StoredTensor]
}

/// What the file of a case says about how well an expected tensor is known.
struct Evidence {
  let judge: Judge
  let scale: Double
  let confirmedBy: [String]
  /// Disagreements of other float64 generators, by the name of the attribute.
  let agreements: [String: Double]
  /// Deviations of float32 runs, by the name of the attribute.
  let spreads: [String: Double]

  init(_ attributes: [String: StoredAttribute], _ what: String, _ file: String) throws {
    guard case .text(let judgeName)? = attributes["judge"], let judge = Judge(rawValue: judgeName),
      case .text(let names)? = attributes["confirmed_by"]
    else { throw GoldenError(file, "\(what) does not say how it is judged and who confirmed it") }
    self.judge = judge
    self.confirmedBy = names.split(separator: ",").map(String.init)
    var reals: [String: Double] = [:]
    for case (let name, .real(let value)) in attributes {
      guard value.isFinite, value >= 0 else { throw GoldenError(file, "\(what): \(name) is \(value)") }
      reals[name] = value
    }
    agreements = reals.filter { $0.key.hasPrefix("agreement_") }
    spreads = reals.filter { $0.key.hasPrefix("spread_") }
    guard !judge.hasTolerance || (reals["scale"] != nil && !spreads.isEmpty) else {
      throw GoldenError(file, "\(what) has no scale or no spread")
    }
    scale = reals["scale"] ?? 0
  }

  /// Holds what the manifest says against what the file says.
  func check(_ entry: GoldenManifest.TensorEntry, _ what: String, _ file: String, rule: ToleranceRule) throws {
    guard entry.judge == judge, entry.confirmedBy == confirmedBy else {
      throw GoldenError(file, "\(what): judge or confirmed_by differs from the manifest")
    }
    guard !confirmedBy.isEmpty else { throw GoldenError(file, "\(what) is confirmed by nobody") }
    if let (name, value) = agreements.first(where: { $0.value > rule.agreementLimit }) {
      throw GoldenError(file, "\(what): \(name) is \(value), above the limit \(rule.agreementLimit)")
    }
    guard judge.hasTolerance else {
      guard entry.tolerance == nil else {
        throw GoldenError(file, "\(what) is judged as \(judge.rawValue), but the manifest tolerates errors")
      }
      return
    }
    guard let tolerance = entry.tolerance else { throw GoldenError(file, "\(what) has no tolerance") }
    let float = rule.float(spreads: Array(spreads.values), scale: scale)
    let double = rule.double(scale: scale)
    guard isSame(tolerance.float, float), isSame(tolerance.double, double) else {
      throw GoldenError(
        file,
        "\(what): the manifest tolerates \(tolerance.float) and \(tolerance.double), "
          + "but what was measured allows \(float) and \(double)")
    }
  }

  /// Equal but for the last digits, which two languages may compute differently.
  private func isSame(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(abs(a), abs(b)) }
}
