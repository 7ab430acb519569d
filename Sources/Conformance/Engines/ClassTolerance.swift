import GoldenTensors

extension PrecisionClass {
  /// The classes that golden cases have tolerances for.
  static let judged: [PrecisionClass] = [.fp64, .fp32]

  /// - Throws: `GoldenError` if nothing says how far an engine of this class may be off.
  func requireTolerances() throws {
    guard Self.judged.contains(self) else {
      let names = Self.judged.map(\.rawValue).joined(separator: " and ")
      throw GoldenError("precision", "there are no measured tolerances of the class \(rawValue), only of \(names)")
    }
  }
}

extension VerificationPath {
  /// The class that a path computes in.
  var precision: PrecisionClass { self == .float ? .fp32 : .fp64 }
}

extension GoldenCase {
  /// What an engine of a class may be off by at one expected tensor; nil where the tensor has no tolerance of its own.
  ///
  /// - Throws: `GoldenError` if nothing is known of the class.
  func tolerance(of tensor: String, as precision: PrecisionClass) throws -> Double? {
    try precision.requireTolerances()
    guard let tolerance = entry.tensors[tensor]?.tolerance else { return nil }
    return precision == .fp64 ? tolerance.double : tolerance.float
  }
}
