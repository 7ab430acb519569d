import CompressedSparseAttention
import CoreAttention
import DeepSeekV4
import GoldenTensors
import KnownBugs
import RotaryEmbedding
import Taps
import Tensors
import TokenCompression

// Rotary embedding, compression, indexer and the softmax of core attention, each alone.

extension GoldenOperation {
  func rotary<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let x = try inputs.input("x")
    try x.requireAxes(["T", "h", "c"], "x", in: "rotary")
    let configuration = try rotaryConfiguration(inputs, headWidth: x.shape[2])
    let inverse: Bool
    switch try inputs.choice("direction") {
    case "forward": inverse = false
    case "inverse": inverse = true
    case let other: throw InputError("rotary", "direction must be forward or inverse, got \(other)")
    }
    let rotated = try steps.rotary.rotated(
      x, positions: inputs.integerInput("positions").elements, configuration: configuration, inverse: inverse)
    let frequencies = steps.rotary.frequencies(configuration)
    return Production(tensors: [
      "frequencies": .reals(try Tensor(shape: [frequencies.count], elements: frequencies)),
      "rotated": ProducedTensor(rotated),
    ])
  }

  func compress<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    try hidden.requireAxes(["T", "d"], "hidden", in: "compress")
    let norm = try inputs.weight("norm")
    let compressor = try Compressor(
      width: hidden.shape[1], ratio: inputs.count("ratio"), keyValueProjection: inputs.weight("kv_projection"),
      gateProjection: inputs.weight("gate_projection"), positionBias: inputs.weight("position_bias"), norm: norm,
      normEpsilon: inputs.number("norm_epsilon"), rotary: rotaryConfiguration(inputs, headWidth: norm.count),
      steps: steps.compression, rotarySteps: steps.rotary)
    var state = compressor.emptyState
    let output = try compressor(hidden, state: &state, hooks: inputs.hooks())
    return Production(tensors: [
      "pooled": ProducedTensor(output.pooled),
      "normalized": ProducedTensor(output.normalized),
      "entries": ProducedTensor(output.entries),
    ])
  }

  func indexer<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let latent = try inputs.input("query_latent")
    try hidden.requireAxes(["T", "d"], "hidden", in: "indexer")
    try latent.requireAxes(["T", "q"], "query_latent", in: "indexer")
    let indexer = try lightningIndexer(
      inputs, width: hidden.shape[1], latentWidth: latent.shape[1], ratio: inputs.count("ratio"), steps)
    let indexWidth = indexer.compressor.norm.count
    var state = AttentionState<Scalar>(
      AttentionLayout(headWidth: indexWidth, window: 1, ratio: indexer.compressor.ratio, indexWidth: indexWidth))
    let mode = try numericsMode(inputs)
    let collector = mode == .exact ? nil : TapCollector()
    let indexing = try indexer(
      hidden, latent: latent, positions: Array(0..<hidden.shape[0]), state: &state,
      hooks: inputs.hooks(mode, steps: steps.quantization, collector: collector)
    ) { position, finished in
      steps.attention.visibleBlocks(
        at: position, ratio: indexer.compressor.ratio, finished: finished, chunkLength: hidden.shape[0])
    }
    var tensors = try selectionTensors([indexing], columns: min(indexer.topK, indexing.scores[0].count))
    tensors["index_scores"] = try indexScores([indexing])
    tensors["index_queries"] = ProducedTensor(indexing.queries)
    tensors["index_keys"] = ProducedTensor(indexing.newKeys)
    tensors["index_weights"] = ProducedTensor(indexing.weights)
    if let collector {
      tensors.merge(try unroundedTensors(collector, ["index_queries": "queries", "index_keys": "keys"])) { $1 }
    }
    return Production(tensors: tensors)
  }

  func coreAttention<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let queries = try inputs.input("queries")
    let windowEntries = try inputs.input("window_entries")
    let compressedEntries = try inputs.input("compressed_entries")
    let selection = try inputs.integerInput("selection")
    let window = try inputs.count("window")
    let sinks = try inputs.weight("sinks")
    try queries.requireAxes(["T", "h", "c"], "queries", in: rawValue)
    let (tokens, width) = (queries.shape[0], queries.shape[2])
    try windowEntries.requireShape([tokens, width], "window_entries", in: rawValue)
    guard compressedEntries.rank == 2, compressedEntries.shape[1] == width, selection.rank == 2,
      selection.shape[0] == tokens, selection.elements.allSatisfy({ $0 < compressedEntries.shape[0] })
    else { throw InputError(rawValue, "selection and compressed_entries do not fit the queries") }

    var (recent, compressed) = (RowStore<Scalar>(width: width), RowStore<Scalar>(width: width))
    try recent.append(windowEntries)
    try compressed.append(compressedEntries)
    // The operation has no rotation, but the scale is asked for the rotary embedding: a known bug looks at it.
    let rotary = try RotaryConfiguration(ropeDims: 2, headWidth: max(width, 2), theta: 10_000, angles: .exact)
    var rows: [Tensor<Scalar>] = []
    for token in 0..<tokens {
      let visible = steps.attention.visibleWindow(at: token, window: window)
      let chosen = try selection.shape[1] == 0 ? [] : selection.slice(token).elements.filter { $0 >= 0 }
      rows.append(
        try steps.attention.attend(
          queries.slice(token), entries: recent.rows(visible).appending(compressed.rows(chosen)), sinks: sinks,
          rotary: rotary, window: window, visibleWindow: visible.count, hooks: inputs.hooks()))
    }
    return Production(tensors: ["attended": ProducedTensor(try Tensor.stacked(rows))])
  }

  // MARK: Shared with the whole layers

  func rotaryConfiguration<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, headWidth: Int
  ) throws -> RotaryConfiguration {
    let yarn = YaRN(
      factor: try inputs.double("yarn_factor"), originalLength: try inputs.count("yarn_original_length"),
      betaFast: try inputs.double("yarn_beta_fast"), betaSlow: try inputs.double("yarn_beta_slow"))
    let choice = try inputs.choice("angles")
    guard let angles = AnglePolicy(rawValue: choice) else {
      throw InputError(rawValue, "angles must be exact or float32, got \(choice)")
    }
    return try RotaryConfiguration(
      ropeDims: inputs.count("rope_dims"), headWidth: headWidth, theta: inputs.double("theta"),
      yarn: yarn.originalLength > 0 ? yarn : nil, angles: angles,
      frequencyTable: inputs.weightIfPresent("frequency_table")?.elements.map { Float($0) }, operation: rawValue)
  }

  func lightningIndexer<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, width: Int, latentWidth: Int, ratio: Int, _ steps: StepSet
  ) throws -> LightningIndexer<Scalar> {
    let norm = try inputs.weight("index_norm")
    let rotary = try steps.attention.rotaryForEntries(
      rotaryConfiguration(inputs, headWidth: norm.count), ratio: ratio)
    let compressor = try Compressor(
      width: width, ratio: ratio, keyValueProjection: inputs.weight("index_kv_projection"),
      gateProjection: inputs.weight("index_gate_projection"), positionBias: inputs.weight("index_position_bias"),
      norm: norm, normEpsilon: inputs.number("norm_epsilon"), rotary: rotary, steps: steps.compression,
      rotarySteps: steps.indexRotary, prefix: "index_", operation: rawValue)
    return try LightningIndexer(
      width: width, latentWidth: latentWidth, heads: inputs.count("index_heads"), topK: inputs.count("index_topk"),
      queryProjection: inputs.weight("index_query_projection"),
      weightsProjection: inputs.weight("index_weights_projection"), compressor: compressor, rotary: rotary,
      steps: steps.indexer, rotarySteps: steps.indexRotary, operation: rawValue)
  }

  /// The scores of all tokens, padded to the entries there are in the end.
  func indexScores<Scalar: RealScalar>(_ calls: [Indexing<Scalar>]) throws -> ProducedTensor {
    let scores = calls.flatMap(\.scores)
    let entries = scores.last?.count ?? 0
    return ProducedTensor(
      try Tensor(
        shape: [scores.count, entries],
        elements: scores.flatMap { $0 + Array(repeating: -.infinity, count: entries - $0.count) }))
  }

  /// The selections of all tokens, padded with −1, and their margins.
  func selectionTensors<Scalar: RealScalar>(
    _ calls: [Indexing<Scalar>], columns: Int
  ) throws -> [String: ProducedTensor] {
    let selection = calls.flatMap(\.selection)
    // A known bug may select more than there is room for: that is another shape, and no refusal.
    let columns = max(columns, selection.map(\.count).max() ?? 0)
    return [
      "selection": .integers(
        try Tensor(
          shape: [selection.count, columns],
          elements: selection.flatMap { $0 + Array(repeating: -1, count: columns - $0.count) })),
      "margin": ProducedTensor(try Tensor(shape: [selection.count], elements: calls.flatMap(\.margin))),
    ]
  }
}
