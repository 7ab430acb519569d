import Tensors

/// How many parameters a model has, and how many of them a token uses.
///
/// ```
/// total = Σ values of all tensors − multi-token prediction          scales and hash tables are no parameters
/// activated = total − embedding − routed experts · (1 − k/E)         a token looks one row of the embedding up
/// ```
public struct ParameterCount: Sendable {
  /// Parameters by group, in the order of `TensorGroup`; none that a model has not.
  public let groups: [(group: TensorGroup, count: Int)]
  /// All without multi-token prediction.
  public let total: Int
  /// Those of multi-token prediction.
  public let multiTokenPrediction: Int
  /// Those that one token is computed with: the LM head in, the embedding out, k of E routed experts.
  public let activated: Int
  /// The same with the embedding in.
  public let activatedWithEmbedding: Int

  /// - Parameters:
  ///   - tensors: of the whole model
  ///   - experts: E, routed experts of a layer
  ///   - expertsPerToken: k
  /// - Throws: `InputError` if the counts overflow.
  public init(_ tensors: [CostedTensor], experts: Int, expertsPerToken: Int) throws(InputError) {
    var groups: [(group: TensorGroup, count: Int)] = []
    for group in TensorGroup.allCases {
      let count = try checkedSum(tensors.lazy.filter { $0.group == group }.map(\.count))
      if count > 0 { groups.append((group, count)) }
    }
    func count(_ group: TensorGroup) -> Int { groups.first { $0.group == group }?.count ?? 0 }
    self.groups = groups
    multiTokenPrediction = count(.multiTokenPrediction)
    total = try checkedSum(groups.map(\.count)) - multiTokenPrediction
    // All experts of all layers are alike, so the division leaves no rest.
    let idle = count(.routedExperts) / experts * (experts - expertsPerToken)
    activatedWithEmbedding = total - idle
    activated = activatedWithEmbedding - count(.embedding)
  }
}
