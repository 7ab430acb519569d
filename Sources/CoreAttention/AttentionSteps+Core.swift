import RotaryEmbedding
import Taps
import Tensors

// Axes: h heads, c head width, n entries that a query sees.

extension AttentionSteps {
  /// The positions whose uncompressed entries a token sees: itself and the window − 1 before it.
  public func visibleWindow(at position: Int, window: Int) -> Range<Int> {
    max(0, position - window + 1)..<position + 1
  }

  /// How many compressed entries a token sees: `⌊(t + 1) / m⌋`. The last token of a block sees its own block.
  ///
  /// - Parameters:
  ///   - position: t, from 0
  ///   - ratio: m
  ///   - finished: the entries there are; not used here: a known bug shows them all
  ///   - chunkLength: the tokens of the present call; not used here: a known bug looks at it
  public func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int {
    ratio > 0 ? (position + 1) / ratio : 0
  }

  /// What scores are multiplied by: `c^(−1/2)`. YaRN changes nothing about it.
  public func scale<Scalar: RealScalar>(headWidth: Int, rotary: RotaryConfiguration) -> Scalar {
    1 / Scalar(headWidth).squareRoot()
  }

  /// Eq. (27): one softmax over everything that a query sees, with the sink in the denominator only.
  ///
  /// ```
  /// s_j = exp(z_j) / (Σ_k exp(z_k) + exp(sink))
  /// ```
  ///
  /// The largest of scores and sink is subtracted first, so nothing overflows. A query that sees nothing gives zeros.
  ///
  /// - Parameters:
  ///   - scores: z, `[h, n]`, window first
  ///   - sinks: `[h]`
  ///   - window: W; not used here: a known bug pads the window to it
  ///   - visibleWindow: how many of the n stand in the window; not used here, as W
  /// - Returns: `[h, n]`
  public func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    let sink = try sinks.reshaped([sinks.count, 1])
    let largest = try scores.maximum(over: .rows).largerOf(sink)
    let exponentials = try (scores - largest).map(Scalar.exponential)
    let denominator = try exponentials.sum(over: .rows) + (sink - largest).map(Scalar.exponential)
    return try exponentials / denominator
  }

  /// Core attention of one query, eqs. (19) and (26): entries are keys and values of all heads.
  ///
  /// The deployed model sums block by block, and rounds in between: `onlineAttention`.
  ///
  /// - Parameters:
  ///   - query: `[h, c]`
  ///   - entries: `[n, c]`, window first
  ///   - sinks: `[h]`
  ///   - rotary: of the layer, for `scale`
  ///   - window: W
  ///   - visibleWindow: how many of the n stand in the window
  ///   - hooks: where it rounds, and who listens
  /// - Returns: `[h, c]`
  public func attend<Scalar: RealScalar>(
    _ query: Tensor<Scalar>, entries: Tensor<Scalar>, sinks: Tensor<Scalar>, rotary: RotaryConfiguration,
    window: Int, visibleWindow: Int, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let scores = try linear(query, entries) * scale(headWidth: query.shape[1], rotary: rotary)
    if hooks.numerics.rounds(.activation) {
      let slots = Array(0..<visibleWindow) + (window..<window + entries.shape[0] - visibleWindow)
      return try onlineAttention(scores, slots: slots, entries: entries, sinks: sinks, hooks: hooks)
    }
    let probabilities = try probabilities(scores, sinks: sinks, window: window, visibleWindow: visibleWindow)
    return try matrixProduct(probabilities, entries)
  }

  /// Core attention of all tokens of a call, one after another.
  ///
  /// - Parameters:
  ///   - queries: `[T, h, c]`
  ///   - visible: what each of them sees
  ///   - sinks: `[h]`
  ///   - rotary: of the layer, for `scale`
  ///   - hooks: where it rounds, and who listens
  /// - Returns: `[T, h, c]`
  public func attended<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, over visible: VisibleEntries<Scalar>, sinks: Tensor<Scalar>,
    rotary: RotaryConfiguration, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    var rows: [Tensor<Scalar>] = []
    for (token, positions) in visible.windows.enumerated() {
      var entries = try visible.window.rows(positions)
      if let compressed = visible.compressed {
        entries = try entries.appending(compressed.rows(visible.chosen[token]))
      }
      rows.append(
        try attend(
          queries.slice(token), entries: entries, sinks: sinks, rotary: rotary, window: visible.windowLength,
          visibleWindow: positions.count, hooks: hooks))
    }
    return try Tensor.stacked(rows)
  }
}
