import Foundation
import GoldenTensors

/// The cases that an engine is known to fail, each with the reason: a text file with one id or glob on a line.
///
/// ```
/// # Lines that begin with # are comments.
/// */hyper-connections/sinkhorn-scale-10*   # float16 exponentials overflow
/// ```
public struct ExpectedFailures: Sendable {
  public static let none = ExpectedFailures(lines: [])

  private let lines: [Line]

  private struct Line: Sendable {
    let number: Int
    let pattern: String
    let reason: String

    /// `*` matches across the slashes of an id.
    func matches(_ id: String) -> Bool { fnmatch(pattern, id, 0) == 0 }
  }

  private init(lines: [Line]) { self.lines = lines }

  /// - Parameters:
  ///   - text: the lines
  ///   - name: what errors call the file
  /// - Throws: `GoldenError` if a line gives no reason.
  public init(_ text: String, name: String) throws {
    var lines: [Line] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let parts = line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      if parts[0].isEmpty { continue }
      guard parts.count == 2, !parts[1].isEmpty else {
        throw GoldenError(name, "line \(index + 1) gives no reason: '\(plain(parts[0])) # reason'")
      }
      lines.append(Line(number: index + 1, pattern: parts[0], reason: parts[1]))
    }
    self.init(lines: lines)
  }

  /// - Throws: `GoldenError` if the file cannot be read or a line gives no reason.
  public init(contentsOf path: String) throws {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw GoldenError(path, "cannot be read")
    }
    try self.init(text, name: path)
  }

  /// Why a case is known to fail; nil if it is not.
  func reason(for id: String) -> String? { lines.first { $0.matches(id) }?.reason }

  /// Where the file and what happened differ: lines that match no case, and cases that did something else than fail.
  ///
  /// - Parameters:
  ///   - ids: of all cases, run or not
  ///   - results: of those that were run
  func faults(_ ids: [String], _ results: [EngineCaseResult]) -> [String] {
    lines.flatMap { line in
      let place = "line \(line.number) of the expected failures, '\(plain(line.pattern))'"
      guard ids.contains(where: line.matches) else { return ["\(place), matches no case"] }
      return results.filter { line.matches($0.id) }.compactMap { result -> String? in
        switch result.outcome {
        case .failed: nil
        case .passed: "\(result.id) passed; by \(place), it should fail: \(plain(line.reason))"
        case .unsupported: "\(result.id) is unsupported, which is no failure; by \(place), it should fail"
        }
      }
    }
  }
}
