import FastKernels
import Tensors

/// What has to hold for kernels of any instruction set. Each check gives a list of failures, one sentence each.
enum PropertyChecks {
  /// Every step on inputs of many shapes, judged by the reference step in Double.
  static let cases = Result { try makeCases().map(JudgedCase.init) }

  private static func makeCases() throws -> [TwinCase] {
    try TwinCase.linearCases() + TwinCase.groupLatentsCases() + TwinCase.streamCases() + TwinCase.sinkhornCases()
      + TwinCase.normCases() + TwinCase.rotationCases() + TwinCase.elementCases() + TwinCase.attentionCases()
      + TwinCase.indexQueriesCases() + TwinCase.indexScoresCases() + TwinCase.poolingCases()
  }

  /// The fast steps give the results of the reference steps within roundoff.
  static func accuracy(_ kernels: KernelSet) throws -> [String] {
    try cases.get().compactMap { try $0.failure(of: kernels) }
  }

  /// All checks; `firstOnly` stops at the first one that fails. Those with fences come first, so that what writes too far
  /// does no harm.
  static func all(_ kernels: KernelSet, firstOnly: Bool = false) throws -> [String] {
    var failures: [String] = []
    for check in [guarded, packed, accuracy, iterations, fusedQueries, selections, nonFinite] {
      failures += try check(kernels)
      if firstOnly && !failures.isEmpty { break }
    }
    return failures
  }
}
