import Tensors

/// A checkpoint, or one of its files, that cannot be trusted, read or written.
public struct CheckpointError: Error, Equatable, CustomStringConvertible {
  /// Which file or folder, as a person would name it.
  public let file: String
  /// What is wrong with it, in one sentence: the rule, then the values.
  public let problem: String

  /// The file or folder, then what is wrong with it.
  public init(_ file: String, _ problem: String) {
    self.file = file
    self.problem = problem
  }

  public var description: String { "\(file): \(problem)" }
}

/// What `body` returns; what it refuses becomes the fault of a tensor in a file.
func explaining<Result>(
  _ tensor: String, in file: String, _ body: () throws(InputError) -> Result
) throws(CheckpointError) -> Result {
  do { return try body() } catch { throw CheckpointError(file, "\(quoted(tensor)): \(error)") }
}

/// The faults of one file: how many, and the first of them in words.
public struct Faults: Sendable {
  private let told: Int
  private var first: [String] = []
  private var count = 0

  /// - Parameter told: how many are told in words: ten of what a hostile file may have any number of
  public init(telling told: Int = 10) { self.told = told }

  public var isEmpty: Bool { count == 0 }

  /// Counts a fault, and puts it into words while there is room.
  public mutating func add(_ fault: @autoclosure () -> String) {
    if count < told { first.append(fault()) }
    count += 1
  }

  /// - Throws: `CheckpointError` with all faults, if there are any.
  public func throwIfAny(in file: String) throws(CheckpointError) {
    guard count > 0 else { return }
    let rest = count > first.count ? "; and \(count - first.count) more (\(count) faults)" : ""
    throw CheckpointError(file, first.joined(separator: "; ") + rest)
  }
}

/// A name from a file for use in a sentence: in quotes, not longer than a line, control characters as `?`.
func quoted(_ name: String) -> String {
  let shown = name.unicodeScalars.prefix(100).map { $0.properties.generalCategory == .control ? "?" : String($0) }
  return "'\(shown.joined())\(name.unicodeScalars.count > 100 ? "…" : "")'"
}
