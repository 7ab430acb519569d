import CoreAttention
import RotaryEmbedding
import Taps
import Tensors
import TokenCompression

// Axes: T tokens, d model width, q query latent width, H index heads, i index width, N entries.

/// The lightning indexer (report 2.3.1): scores every visible compressed entry for every token and keeps the best k.
public struct LightningIndexer<Scalar: RealScalar>: Sendable {
  /// W^IUQ, `[H·i, q]`
  public let queryProjection: Tensor<Scalar>
  /// W^w, `[H, d]`
  public let weightsProjection: Tensor<Scalar>
  /// The compressor that makes the keys, of width i.
  public let compressor: Compressor<Scalar>
  /// k: compressed entries, not tokens; 512 in Flash, 1024 in Pro.
  public let topK: Int
  public let rotary: RotaryConfiguration
  public let steps: any IndexerSteps
  public let rotarySteps: any RotarySteps

  /// - Parameters:
  ///   - width: d
  ///   - latentWidth: q
  ///   - heads: H
  ///   - topK: k, in compressed entries
  ///   - queryProjection: W^IUQ, `[H·i, q]`
  ///   - weightsProjection: W^w, `[H, d]`
  ///   - compressor: makes the keys; its entries are i wide
  ///   - rotary: of the layer
  ///   - steps: correct, or with a known bug
  ///   - rotarySteps: the same for the rotation
  ///   - operation: what an error names
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, k < 1, or i is not a power of two.
  public init(
    width: Int, latentWidth: Int, heads: Int, topK: Int, queryProjection: Tensor<Scalar>,
    weightsProjection: Tensor<Scalar>, compressor: Compressor<Scalar>, rotary: RotaryConfiguration,
    steps: any IndexerSteps = .reference, rotarySteps: any RotarySteps = .reference, operation: String = "indexer"
  ) throws(InputError) {
    let indexWidth = compressor.norm.count
    guard topK >= 1 else { throw InputError(operation, "index_topk must be at least 1, got \(topK)") }
    guard heads >= 1 else { throw InputError(operation, "index_heads must be at least 1, got \(heads)") }
    try requireTransformable(indexWidth, in: operation)
    try queryProjection.requireShape([heads * indexWidth, latentWidth], "index_query_projection", in: operation)
    try weightsProjection.requireShape([heads, width], "index_weights_projection", in: operation)
    try queryProjection.requireFinite("index_query_projection", in: operation)
    try weightsProjection.requireFinite("index_weights_projection", in: operation)
    self.queryProjection = queryProjection
    self.weightsProjection = weightsProjection
    self.compressor = compressor
    self.topK = topK
    self.rotary = rotary
    self.steps = steps
    self.rotarySteps = rotarySteps
  }

  /// Scores and selects for the tokens that the state has just begun to take in.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - latent: `[T, q]`, as the input of a linear map
  ///   - positions: of the T tokens
  ///   - visible: how many entries each of them sees, given how many there are
  ///   - state: gets the new keys
  ///   - hooks: where it rounds, and who listens; of this indexer
  /// - Throws: `InputError` if a shape does not fit or a visible score is NaN.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, latent: Tensor<Scalar>, positions: [Int], state: inout AttentionState<Scalar>,
    hooks: Hooks = .none, visible: (_ position: Int, _ finished: Int) -> Int
  ) throws(InputError) -> Indexing<Scalar> {
    let newKeys = try state.compressKeys(
      hidden, with: compressor, hooks: hooks.within("compressor")
    ) { (keys) throws(InputError) in
      try hooks.pass(.indexKeys, hooks.pass(.indexKeysTransformed, steps.transformed(keys, isKey: true)))
    }.entries
    let queries = try queries(latent, positions, hooks)
    let projected = try hooks.pass(
      .indexWeightsProjected, steps.projectedWeights(hidden, projection: weightsProjection))
    let weights = try hooks.pass(.indexWeights, steps.weights(projected, indexWidth: compressor.norm.count))

    guard let keys = state.indexCompressor?.entries else { throw InputError("indexer", "the state has no keys") }
    let visibleCounts = positions.map { visible($0, keys.end) }
    for (token, visible) in visibleCounts.enumerated() where visible > keys.end {
      throw InputError("indexer", "token \(token) should see \(visible) entries, but there are \(keys.end)")
    }
    var scores = try steps.allScores(
      queries: queries, keys: keys, weights: weights, visible: visibleCounts, hooks: hooks)
    if hooks.isRecording { scores = try recorded(scores, hooks) }
    var (selection, margin) = try steps.select(scores, visible: visibleCounts, topK: topK)
    if hooks.isRecording { selection = try recorded(selection, hooks) }
    return Indexing(
      queries: queries, newKeys: newKeys, weights: weights, scores: scores, selection: selection, margin: margin)
  }

  /// Eq. (14), rotated, transformed, and in the numerics of the index path.
  private func queries(
    _ latent: Tensor<Scalar>, _ positions: [Int], _ hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let count = weightsProjection.shape[0]
    if hooks.pass(untouched: [.indexQueryHeads, .indexQueriesRotated, .indexQueriesTransformed, .indexQueries]),
      let fused = try steps.fusedQueries(
        latent, projection: queryProjection, heads: count, positions: positions, rotary: rotary,
        rotarySteps: rotarySteps)
    {
      return fused
    }
    let heads = try hooks.pass(
      .indexQueryHeads, steps.queries(latent, projection: queryProjection, heads: count))
    let rotated = try hooks.pass(
      .indexQueriesRotated,
      rotarySteps.rotated(heads, positions: positions, configuration: rotary, inverse: false))
    return try hooks.pass(
      .indexQueries, hooks.pass(.indexQueriesTransformed, steps.transformed(rotated, isKey: false)))
  }

  /// Scores, recorded as `[T, S]`.
  private func recorded(_ scores: [[Scalar]], _ hooks: Hooks) throws(InputError) -> [[Scalar]] {
    let shape = [scores.count, scores.first?.count ?? 0]
    let used = hooks.recorded(.indexScores, try Tensor(shape: shape, elements: scores.flatMap { $0 }))
    return (0..<shape[0]).map { Array(used.elements[$0 * shape[1]..<($0 + 1) * shape[1]]) }
  }

  /// Selected entries, recorded as `[T, K]`, −1 where fewer are visible.
  private func recorded(_ selection: [[Int]], _ hooks: Hooks) throws(InputError) -> [[Int]] {
    let slots = selection.map(\.count).max() ?? 0
    let padded = selection.flatMap { $0 + Array(repeating: -1, count: slots - $0.count) }
    let used = hooks.recorded(.selection, integers: try Tensor(shape: [selection.count, slots], elements: padded))
    var rows: [[Int]] = []
    for token in selection.indices { rows.append(try used.slice(token).elements.filter { $0 >= 0 }) }
    return rows
  }
}
