/// A golden file, a manifest or a folder of them that cannot be trusted or read.
public struct GoldenError: Error, Equatable, CustomStringConvertible {
  /// Which file, as a person would name it.
  public let file: String
  /// What is wrong with it: the rule, then the values.
  public let problem: String

  /// The file, then what is wrong with it.
  public init(_ file: String, _ problem: String) {
    self.file = file
    self.problem = problem
  }

  public var description: String { "\(file): \(problem)" }
}
