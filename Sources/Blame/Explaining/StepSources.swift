import Foundation

/// Where the steps of the model stand in the sources of this package.
public struct StepSources: Sendable {
  /// The folder that holds `Sources`.
  public let root: URL
  private let files: [(path: String, lines: [Substring])]

  /// A line of a source file.
  public struct Place: Sendable {
    /// Relative to the root.
    public let file: String
    /// From 1 on.
    public let line: Int
  }

  /// The sources that this code was built from; empty if they are gone.
  public init() {
    root = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
    let folder = root.appendingPathComponent("Sources")
    let paths = (FileManager.default.enumerator(atPath: folder.path)?.allObjects as? [String] ?? [])
      .filter { $0.hasSuffix(".swift") && !$0.hasPrefix("KnownBugs") && !$0.hasPrefix("Blame") }.sorted()
    files = paths.compactMap { path in
      guard let text = try? String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8) else { return nil }
      return ("Sources/\(path)", text.split(separator: "\n", omittingEmptySubsequences: false))
    }
  }

  /// Where a step is defined, as in `HyperConnectionSteps.sinkhorn`, `rmsNorm` or `MixtureOfExperts`; nil if the sources
  /// are gone.
  public func place(of step: String) -> Place? {
    let words = step.split(separator: ".")
    guard let last = words.last else { return nil }
    let owner = words.count > 1 ? String(words[0]) : nil
    let file = files.filter { file in
      owner.map { owner in
        file.lines.contains { $0.hasPrefix("extension \(owner)") || $0.hasPrefix("public struct \(owner)") }
      }
        ?? true
    }
    for (path, lines) in file {
      let found = lines.firstIndex { line in
        line.contains("func \(last)<") || line.contains("func \(last)(") || line.hasPrefix("public struct \(last)<")
      }
      if let found { return Place(file: path, line: found + 1) }
    }
    return nil
  }
}
