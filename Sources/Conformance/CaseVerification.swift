import DeepSeekV4
import FastKernels
import GoldenTensors
import KnownBugs
import Tensors

/// The precision that a verification runs in.
public enum VerificationPath: String, Codable, CaseIterable, Sendable {
  case float, double
}

/// How one case went on one path.
public struct CaseResult: Codable, Equatable, Sendable {
  public let id: String
  public let component: String
  public let path: VerificationPath
  /// One comparison for each expected tensor, in the order in which they are computed; empty in a negative case.
  public let comparisons: [TensorComparison]
  /// What went wrong beyond the tensors, one sentence each: an error, a missing tensor, an unexpected acceptance.
  public let problems: [String]
  public let warnings: [String]
  public let seconds: Double

  public var passed: Bool { problems.isEmpty && comparisons.allSatisfy(\.passed) }

  /// The largest multiple of a tolerance; NaN if something could not be compared, nil if there was nothing to.
  public var worstMultiple: Double? { comparisons.worstMultiple }
}

extension [TensorComparison] {
  /// The largest multiple of a tolerance; NaN if something could not be compared, nil if there was nothing to.
  var worstMultiple: Double? {
    let multiples = map(\.multiple.value)
    return multiples.contains { $0.isNaN } ? .nan : multiples.max()
  }
}

extension CaseResult {
  /// Runs a case on the slow path and compares everything it produces with everything it expects.
  ///
  /// - Parameters:
  ///   - goldenCase: the case
  ///   - path: in which precision to compute
  ///   - steps: the correct ones, or those of a known bug
  ///   - judgedAs: whose tolerance applies; the path's own if nil
  public init(
    _ goldenCase: GoldenCase, path: VerificationPath, steps: StepSet = StepSet(), judgedAs: VerificationPath? = nil
  ) {
    let start = ContinuousClock.now
    let entry = goldenCase.entry
    var comparisons: [TensorComparison] = []
    var problems: [String] = []
    var warnings: [String] = []
    do {
      let operation = try goldenCase.operation
      let production =
        switch path {
        case .float: try operation.run(goldenCase.request, as: Float.self, steps: steps)
        case .double: try operation.run(goldenCase.request, as: Double.self, steps: steps)
        }
      warnings = production.warnings
      if let expectedError = entry.expectedError {
        problems.append("it was accepted; expected an error that begins with: \(expectedError)")
      } else {
        (comparisons, problems) = try goldenCase.compareAll(
          production.tensors, tolerances: CaseTolerances(entry, double: (judgedAs ?? path) == .double))
      }
    } catch let error as InputError {
      if let expectedError = entry.expectedError, error.description.hasPrefix(expectedError) {
        // Refused, and in the words that were expected.
      } else if let expectedError = entry.expectedError {
        problems.append("it was refused with '\(error)'; expected an error that begins with: \(expectedError)")
      } else {
        problems.append("it was refused: \(error)")
      }
    } catch {
      problems.append("\(error)")
    }
    self.init(
      id: entry.id, component: entry.component, path: path, comparisons: comparisons, problems: problems,
      warnings: warnings, seconds: start.duration(to: .now) / .seconds(1))
  }

  /// A case that could not even be loaded.
  init(unloadable entry: GoldenManifest.CaseEntry, path: VerificationPath, problem: String) {
    self.init(
      id: entry.id, component: entry.component, path: path, comparisons: [], problems: [problem], warnings: [],
      seconds: 0)
  }
}

extension VerificationPath {
  /// Fast kernels compute in Float.
  ///
  /// - Throws: `InputError` for fast kernels on the path in Double.
  func require(_ kernels: KernelSet?) throws(InputError) {
    guard kernels == nil || self == .float else {
      throw InputError("kernels", "fast kernels compute on the float path only")
    }
  }

  /// The class that a path computes in.
  var precision: PrecisionClass { self == .float ? .fp32 : .fp64 }
}
