import RotaryEmbedding
import Taps
import Tensors
import TokenCompression

// Axes: T tokens, d model width, h heads, c head width, q query latent width, g output groups, p group rank.

/// What all attention layers share: queries, window entries, the softmax over what a token sees, the output.
///
/// The three kinds of layers differ in what else a token sees: nothing (`SlidingWindowLayer`), all compressed entries
/// (`HeavilyCompressedLayer`), or the ones an indexer selects (`CompressedSparseLayer`).
public struct AttentionCore<Scalar: RealScalar>: Sendable {
  public let weights: AttentionWeights<Scalar>
  public let configuration: AttentionConfiguration<Scalar>
  public let layout: AttentionLayout
  public let steps: any AttentionSteps
  public let rotarySteps: any RotarySteps

  /// - Parameters:
  ///   - width: d
  ///   - ratio: m; 0 for the window alone
  ///   - indexWidth: i; nil without indexer
  ///   - weights: as `AttentionWeights` shapes them: `queryDown` is `[q, d]`, `keyValueNorm` `[c]`
  ///   - configuration: the numbers of the layer
  ///   - steps: correct, or with a known bug
  ///   - rotarySteps: the same for the rotation
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or a number is unusable.
  public init(
    width: Int, ratio: Int, indexWidth: Int?, weights: AttentionWeights<Scalar>,
    configuration: AttentionConfiguration<Scalar>, steps: any AttentionSteps, rotarySteps: any RotarySteps
  ) throws(InputError) {
    let operation = "attention"
    let (heads, groups) = (configuration.heads, configuration.groups)
    guard ratio >= 0 else { throw InputError(operation, "ratio must be 0 or positive, got \(ratio)") }
    guard ratio == 4 || indexWidth == nil else {
      throw InputError(operation, "only a layer of ratio 4 has an indexer, this one has ratio \(ratio)")
    }
    guard configuration.window >= 1 else {
      throw InputError(operation, "window must be at least 1, got \(configuration.window)")
    }
    guard heads >= 1, groups >= 1, heads % groups == 0 else {
      throw InputError(operation, "heads (\(heads)) must be divisible by groups (\(groups))")
    }
    guard configuration.rollBackDepth >= 0 else {
      throw InputError(operation, "the roll-back depth must not be negative, got \(configuration.rollBackDepth)")
    }
    try requireEpsilon(configuration.normEpsilon, "norm_epsilon", in: operation)
    try weights.queryDown.requireAxes(["q", "d"], "query_down", in: operation)
    try weights.keyValueNorm.requireAxes(["c"], "kv_norm", in: operation)
    try weights.outputDown.requireAxes(["g·p", "h·c/g"], "output_down", in: operation)
    let (latent, head) = (weights.queryDown.shape[0], weights.keyValueNorm.count)
    let rank = weights.outputDown.shape[0] / groups
    let expected: [(String, Tensor<Scalar>, [Int])] = [
      ("query_down", weights.queryDown, [latent, width]), ("query_norm", weights.queryNorm, [latent]),
      ("query_up", weights.queryUp, [heads * head, latent]),
      ("kv_projection", weights.keyValueProjection, [head, width]), ("kv_norm", weights.keyValueNorm, [head]),
      ("sinks", weights.sinks, [heads]),
      ("output_down", weights.outputDown, [groups * rank, heads * head / groups]),
      ("output_up", weights.outputUp, [width, groups * rank]),
    ]
    for (name, weight, shape) in expected {
      try weight.requireShape(shape, name, in: operation)
      try weight.requireFinite(name, in: operation)
    }
    self.weights = weights
    self.configuration = configuration
    self.layout = AttentionLayout(
      headWidth: head, window: configuration.window, ratio: ratio, indexWidth: indexWidth,
      rollBackDepth: configuration.rollBackDepth)
    self.steps = steps
    self.rotarySteps = rotarySteps
  }

  /// The rotary embedding of queries and window entries.
  public var tokenRotary: RotaryConfiguration { steps.rotaryForTokens(configuration.rotary, ratio: layout.ratio) }

  /// Requires a compressor to fit: its ratio, its width, the model width, and the layer's one rotary embedding.
  ///
  /// - Parameters:
  ///   - compressor: of entries, or of index keys
  ///   - entryWidth: c, or the width of an index key
  /// - Throws: `InputError` if it does not.
  public func require(_ compressor: Compressor<Scalar>, entryWidth: Int?) throws(InputError) {
    let rotary = steps.rotaryForEntries(configuration.rotary, ratio: layout.ratio)
    guard compressor.ratio == layout.ratio, compressor.norm.count == entryWidth,
      compressor.keyValueProjection.shape[1] == weights.queryDown.shape[1], compressor.rotary == rotary
    else {
      throw InputError("attention", "a compressor of ratio \(compressor.ratio) does not fit the layer \(layout)")
    }
  }

  /// Takes tokens into the compressed entries, in the numerics of the cache.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`, not quantized: the projections of a compressor are BF16
  ///   - compressor: of this layer
  ///   - state: of this layer; gets the entries
  ///   - hooks: of this layer
  /// - Throws: `InputError` if this layer has no compression or the shape does not fit.
  public func compress(
    _ hidden: Tensor<Scalar>, with compressor: Compressor<Scalar>, state: inout AttentionState<Scalar>, _ hooks: Hooks
  ) throws(InputError) -> CompressionOutput<Scalar> {
    try state.compress(hidden, with: compressor, hooks: hooks.within("compressor")) { (entries) throws(InputError) in
      try hooks.pass(.compressedEntries, entries, rotaryDims: compressor.rotary.ropeDims)
    }
  }

  /// How many compressed entries a token sees.
  ///
  /// - Parameters:
  ///   - position: of the token, from 0
  ///   - state: of this layer
  ///   - chunkLength: the tokens of the present call
  public func visibleBlocks(at position: Int, in state: AttentionState<Scalar>, chunkLength: Int) -> Int {
    steps.visibleBlocks(
      at: position, ratio: layout.ratio, finished: state.compressor?.entries.end ?? 0, chunkLength: chunkLength)
  }

  /// A whole call of a layer: the parts that all kinds share around the one that they do not.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - state: of this layer; it moves on by T tokens, or stays as it was if something throws
  ///   - hooks: where it rounds, and who listens; of this layer
  ///   - choose: takes the tokens into the compressed entries and says which of them each token attends to
  /// - Throws: `InputError` for another shape, no tokens, a state of another layout, a position beyond the maximum, and
  ///   what `choose` throws.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, hooks: Hooks,
    choose: (AttentionBeginning<Scalar>, inout AttentionState<Scalar>) throws(InputError) -> AttentionChoice<Scalar>
  ) throws(InputError) -> AttentionOutput<Scalar> {
    let beginning = try begin(hidden, state: &state, hooks)
    do {
      let choice = try choose(beginning, &state)
      return try finish(beginning, state: &state, choice: choice, hooks)
    } catch {
      try state.rollBack(to: beginning.positions[0])  // nothing of these tokens may stay
      throw error
    }
  }

  /// The first part: checks the call, makes the queries, and puts the window entries into the state.
  private func begin(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, _ hooks: Hooks
  ) throws(InputError) -> AttentionBeginning<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "attention")
    let tokens = hidden.shape[0]
    try hidden.requireShape([tokens, weights.queryDown.shape[1]], "hidden", in: "attention")
    guard state.layout == layout else {
      throw InputError("attention", "the state has the layout \(state.layout), the layer \(layout)")
    }
    let start = state.position
    guard start + tokens <= configuration.maximumPositions else {
      throw InputError(
        "attention",
        "position \(start + tokens - 1) is beyond the maximum of \(configuration.maximumPositions) positions")
    }
    let positions = Array(start..<start + tokens)
    let linearInput = try hooks.linearInput(.hiddenQuantized, hidden)
    let (latent, linearLatent) = try queryLatent(linearInput, hooks)
    let queries = try queries(linearLatent, positions, hooks)
    let windowEntries = try windowEntries(linearInput, positions, hooks)
    try state.window.append(windowEntries)
    return AttentionBeginning(
      positions: positions, queryLatent: latent, linearQueryLatent: linearLatent, queries: queries,
      windowEntries: windowEntries)
  }

  /// Eqs. (13) and (24): the latent, and the latent as the input of the linear maps that follow.
  private func queryLatent(
    _ hidden: Tensor<Scalar>, _ hooks: Hooks
  ) throws(InputError) -> (Tensor<Scalar>, Tensor<Scalar>) {
    let projected = try hooks.pass(.queryLatentProjected, steps.projected(hidden, by: weights.queryDown))
    let latent = try hooks.pass(
      .queryLatent,
      steps.normalizedLatent(projected, norm: weights.queryNorm, epsilon: configuration.normEpsilon))
    return (latent, try hooks.linearInput(.queryLatentQuantized, latent))
  }

  /// Eqs. (18) and (25), normalised and rotated.
  private func queries(
    _ latent: Tensor<Scalar>, _ positions: [Int], _ hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let heads = try hooks.pass(
      .queryHeads, steps.queryHeads(latent, up: weights.queryUp, heads: configuration.heads))
    let normalized = try steps.normalizedHeads(heads, epsilon: configuration.normEpsilon, hooks: hooks)
    return try hooks.pass(
      .queries,
      rotarySteps.rotated(normalized, positions: positions, configuration: tokenRotary, inverse: false))
  }

  /// The uncompressed entries of the tokens, normalised, rotated, and in the numerics of the cache.
  private func windowEntries(
    _ hidden: Tensor<Scalar>, _ positions: [Int], _ hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let shape = [positions.count, layout.headWidth]
    let projected = try hooks.pass(.windowProjected, steps.projected(hidden, by: weights.keyValueProjection))
    let normalized = try hooks.pass(
      .windowNormalized,
      steps.normalizedEntry(projected, norm: weights.keyValueNorm, epsilon: configuration.normEpsilon))
    let rotated = try rotarySteps.rotated(
      normalized.reshaped([shape[0], 1, shape[1]]), positions: positions, configuration: tokenRotary, inverse: false)
    return try hooks.pass(
      .windowEntries, hooks.pass(.windowRotated, rotated.reshaped(shape)), rotaryDims: tokenRotary.ropeDims)
  }

  /// The last part: each token attends to its window and to the compressed entries chosen for it.
  private func finish(
    _ beginning: AttentionBeginning<Scalar>, state: inout AttentionState<Scalar>, choice: AttentionChoice<Scalar>,
    _ hooks: Hooks
  ) throws(InputError) -> AttentionOutput<Scalar> {
    let visible = VisibleEntries(
      window: state.window,
      windows: beginning.positions.map { steps.visibleWindow(at: $0, window: layout.window) },
      windowLength: layout.window, compressed: state.compressor?.entries, chosen: choice.chosen)
    let rotated = try hooks.pass(
      .attendedRotated,
      steps.attended(beginning.queries, over: visible, sinks: weights.sinks, rotary: tokenRotary, hooks: hooks))
    let attended = try hooks.pass(
      .attended,
      steps.derotated(rotated, positions: beginning.positions, rotary: tokenRotary, rotarySteps: rotarySteps))
    let output = try steps.groupedOutput(
      attended, groups: configuration.groups, down: weights.outputDown, up: weights.outputUp, hooks: hooks)
    state.forgetWhatIsNoLongerNeeded()
    return AttentionOutput(
      queryLatent: beginning.queryLatent, queries: beginning.queries, windowEntries: beginning.windowEntries,
      compressedEntries: choice.newEntries, indexing: choice.indexing, attended: attended, output: output)
  }
}

/// What the first part of a layer makes.
public struct AttentionBeginning<Scalar: RealScalar>: Sendable {
  public let positions: [Int]
  /// `[T, q]`
  public let queryLatent: Tensor<Scalar>
  /// `[T, q]`: the same as the input of a linear map, which `deployed` quantizes.
  public let linearQueryLatent: Tensor<Scalar>
  /// `[T, h, c]`, rotated
  public let queries: Tensor<Scalar>
  /// `[T, c]`, rotated, in the numerics of the cache
  public let windowEntries: Tensor<Scalar>
}

/// What a kind of layer decides between the parts that all kinds share.
public struct AttentionChoice<Scalar: RealScalar>: Sendable {
  /// For each token the numbers of the compressed entries that it attends to.
  public let chosen: [[Int]]
  /// `[N, c]`: the entries that these tokens completed; nil in a layer without compression.
  public let newEntries: Tensor<Scalar>?
  /// What the indexer did; nil in a layer without one.
  public let indexing: Indexing<Scalar>?

  /// `newEntries`, `[N, c]`, and `indexing` only where the layer has a compressor and an indexer.
  public init(chosen: [[Int]], newEntries: Tensor<Scalar>? = nil, indexing: Indexing<Scalar>? = nil) {
    self.chosen = chosen
    self.newEntries = newEntries
    self.indexing = indexing
  }
}
