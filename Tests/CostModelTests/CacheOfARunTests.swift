import CostModel
import DeepSeekV4
import TestSupport
import Testing

/// The counts of the cost model against the states that the model itself holds after real tokens.
@Suite struct CacheOfARunTests {
  /// A state that can take one token back holds the whole window of the last token; one that cannot holds what the next
  /// token needs, one entry less.
  @Test(arguments: [ModelConfiguration.tiny, .tinyPro, .tinyDeployed], [0, 1])
  func theStatesHoldWhatIsCounted(_ configuration: ModelConfiguration, rollBackDepth: Int) throws {
    let cost = try ModelCost(configuration, name: "tiny")
    let model = try LanguageModel<Float>(
      configuration, weights: GeneratedWeights(seed: 3, configuration: configuration, rounded: false), angles: .exact,
      rollBackDepth: rollBackDepth)
    // The window is 6, ratios are 4 and 8: every length from the first token to one beyond the second block of 8.
    var state = model.emptyState
    for length in 1...17 {
      _ = try model([(7 * length) % configuration.vocabularySize], state: &state)
      let expected = cost.cache(context: length, .bfloat16)
      let forgotten = rollBackDepth == 0 && length >= configuration.window ? configuration.layers : 0
      var (window, main, keys) = (0, 0, 0)
      var elements = 0
      for layer in state.layers {
        window += layer.window.end - layer.window.start
        main += layer.compressor?.entries.end ?? 0
        keys += layer.indexCompressor?.entries.end ?? 0
        elements += (layer.window.end - layer.window.start) * layer.window.width
        elements += (layer.compressor?.entries.end ?? 0) * (layer.compressor?.entries.width ?? 0)
        elements += (layer.indexCompressor?.entries.end ?? 0) * (layer.indexCompressor?.entries.width ?? 0)
      }
      #expect(window == expected.entries.window - forgotten, "window after \(length)")
      #expect(main == expected.entries.main, "compressed entries after \(length)")
      #expect(keys == expected.entries.indexKeys, "index keys after \(length)")
      // In BF16 an element is two bytes, so the bytes say the widths of the entries, too.
      #expect(Double(2 * elements) == expected.bytes - Double(forgotten * expected.entryBytes), "after \(length)")
    }
  }

  /// The MTP block is left out of the count. It would add one window, and nothing that grows.
  @Test func multiTokenPredictionHoldsAWindowAlone() throws {
    let model = try LanguageModel<Float>(
      .tiny, weights: GeneratedWeights(seed: 3, configuration: .tiny, rounded: false), angles: .exact, rollBackDepth: 1)
    var state = model.emptyState
    for length in 1...17 {
      _ = try model([length], state: &state)
      let attention = try #require(state.prediction?.attention)
      #expect(attention.window.end - attention.window.start == min(length - 1, 6))
      #expect(attention.compressor == nil)
      #expect(attention.indexCompressor == nil)
    }
  }
}
