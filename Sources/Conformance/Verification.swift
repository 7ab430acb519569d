import DeepSeekV4
import FastKernels
import Foundation
import GoldenTensors
import Tensors

/// A verification of a whole library of golden cases: every case, on every path asked for.
public struct Verification: Codable, Sendable {
  public let goldenDirectory: String
  public let paths: [VerificationPath]
  public let filter: String?
  /// What it ran on: `reference`, or `fast (avx512, 2 threads)`.
  public let kernels: String
  public let results: [CaseResult]
  /// What is wrong with the folder itself: files missing, files nobody knows.
  public let inventoryFaults: [String]
  public let coverage: Coverage
  public let seconds: Double

  /// What the cases that passed cover.
  public struct Coverage: Codable, Equatable, Sendable {
    public let equationsCovered: Int
    public let equations: Int
    public let cases: Int
    /// Known bugs that at least one case that passed would show.
    public let bugsKilled: Int
    public let visibleBugs: Int
  }

  private static func results(
    of entry: GoldenManifest.CaseEntry, in library: GoldenLibrary, paths: [VerificationPath], steps: StepSet
  ) -> [CaseResult] {
    let loaded = Result { try library.load(entry) }
    return paths.map { path in
      switch loaded {
      case .success(let goldenCase): CaseResult(goldenCase, path: path, steps: steps)
      case .failure(let error): CaseResult(unloadable: entry, path: path, problem: "\(error)")
      }
    }
  }

  /// Nothing is missing, nothing is left over, something ran, and everything passed.
  public var passed: Bool { inventoryFaults.isEmpty && !results.isEmpty && results.allSatisfy(\.passed) }

  public var failures: [CaseResult] { results.filter { !$0.passed } }

  /// Verifies.
  ///
  /// - Parameters:
  ///   - library: the cases
  ///   - paths: the precisions to run, at least one
  ///   - filter: a piece of the ids to run; all if nil
  ///   - kernels: what the fast twins of the steps run on; nil for the slow path
  ///   - progress: called now and then with (runs done, runs in all)
  /// - Throws: `GoldenError` if the filter matches no case, `InputError` for fast kernels on the path in Double.
  public init(
    _ library: GoldenLibrary, paths: [VerificationPath] = VerificationPath.allCases, filter: String? = nil,
    kernels: KernelSet? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    for path in paths { try path.require(kernels) }
    let steps = kernels.map(StepSet.fast) ?? StepSet()
    let start = ContinuousClock.now
    let entries = try library.entries(filter)
    var results: [CaseResult] = []
    let batch = 16
    for first in stride(from: 0, to: entries.count, by: batch) {
      progress(results.count, entries.count * paths.count)
      let part = Array(entries[first..<min(first + batch, entries.count)])
      results += concurrentMap(part) { Self.results(of: $0, in: library, paths: paths, steps: steps) }.joined()
    }
    self.goldenDirectory = library.directory.path
    self.paths = paths
    self.filter = filter
    self.kernels = kernels.map { "fast \($0)" } ?? "reference"
    self.results = results
    self.inventoryFaults = library.inventoryFaults().map(\.description)
    self.coverage = Coverage(library.manifest, results)
    self.seconds = start.duration(to: .now) / .seconds(1)
  }
}
