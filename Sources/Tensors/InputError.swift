/// An input that an operation refuses: a wrong shape, a value out of range, a NaN weight.
///
/// The sentence names the operation, then the rule, then the values, as in
/// `site: projection has shape [20, 32], expected [24, 32]`.
public struct InputError: Error, Equatable, CustomStringConvertible {
  /// The operation that refused, in the words of `golden/FORMAT.md`.
  public let operation: String
  /// The rule that was broken and the values that broke it.
  public let problem: String

  /// The operation that refuses, then the broken rule with its values: a sentence without its end.
  public init(_ operation: String, _ problem: String) {
    self.operation = operation
    self.problem = problem
  }

  public var description: String { "\(operation): \(problem)" }
}
