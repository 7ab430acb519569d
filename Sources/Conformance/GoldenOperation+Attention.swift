import CompressedSparseAttention
import CoreAttention
import DeepSeekV4
import GoldenTensors
import HeavilyCompressedAttention
import KnownBugs
import RotaryEmbedding
import Taps
import Tensors
import TokenCompression

// Whole attention layers of every kind, fed in pieces.

extension GoldenOperation {
  func attention<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let layer = try attentionLayer(inputs, hidden, steps)
    var state = AttentionState<Scalar>(layer.layout)
    let mode = try numericsMode(inputs)
    let collector = mode == .exact ? nil : TapCollector()
    let hooks = inputs.hooks(mode, steps: steps.quantization, collector: collector)
    let outputs = try feed(hidden, inputs, to: layer, &state, steps, hooks: hooks)
    var tensors = try layerTensors(outputs, entriesName: "compressed_entries")
    if let collector {
      tensors.merge(
        try unroundedTensors(
          collector,
          [
            "window_entries": "window_entries", "compressed_entries": "compressed_entries",
            "index_queries": "indexer.queries", "index_keys": "indexer.keys",
          ])
      ) { $1 }
    }
    tensors["query_latent"] = ProducedTensor(try joined(outputs.map(\.queryLatent)))
    let indexing = outputs.compactMap(\.indexing)
    if let entries = indexing.last?.scores.last?.count {
      tensors["index_scores"] = try indexScores(indexing)
      tensors.merge(try selectionTensors(indexing, columns: min(inputs.count("index_topk"), entries))) { $1 }
    }
    return Production(tensors: tensors)
  }

  func attentionFromState<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let layer = try attentionLayer(inputs, hidden, steps)
    let generator = StateGenerator(seed: try inputs.count("state_seed"), disturbance: inputs.disturbance)
    var state: AttentionState<Scalar> = try generator.state(layer.layout, position: inputs.count("start"))
    let outputs = try feed(hidden, inputs, to: layer, &state, steps, hooks: inputs.hooks())
    var tensors = try layerTensors(outputs, entriesName: "new_compressed_entries")
    let indexing = outputs.compactMap(\.indexing)
    if !indexing.isEmpty {
      tensors.merge(try selectionTensors(indexing, columns: inputs.count("index_topk"))) { $1 }
    }
    return Production(tensors: tensors)
  }

  /// How a case rounds: nowhere, unless it says otherwise.
  func numericsMode<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>) throws -> NumericsMode {
    let name = try inputs.choiceIfPresent("numerics") ?? NumericsMode.exact.rawValue
    guard let mode = NumericsMode(rawValue: name) else {
      let modes = NumericsMode.allCases.map(\.rawValue).joined(separator: ", ")
      throw InputError(rawValue, "numerics must be one of \(modes), got \(name)")
    }
    return mode
  }

  /// The tensors that numerics round, before and after, as far as a layer has them.
  ///
  /// - Parameter names: of the golden format, and of the taps
  func unroundedTensors(_ collector: TapCollector, _ names: [String: String]) throws -> [String: ProducedTensor] {
    var tensors: [String: ProducedTensor] = [:]
    for (name, tap) in names {
      tensors[name] = try collector.joined(tap)
      tensors["\(name).unrounded"] = try collector.joined("\(tap).unrounded")
    }
    return tensors
  }

  private func layerTensors<Scalar: RealScalar>(
    _ outputs: [AttentionOutput<Scalar>], entriesName: String
  ) throws -> [String: ProducedTensor] {
    var tensors = [
      "queries": ProducedTensor(try joined(outputs.map(\.queries))),
      "window_entries": ProducedTensor(try joined(outputs.map(\.windowEntries))),
      "attended": ProducedTensor(try joined(outputs.map(\.attended))),
      "output": ProducedTensor(try joined(outputs.map(\.output))),
    ]
    let entries = outputs.compactMap(\.compressedEntries)
    if !entries.isEmpty { tensors[entriesName] = ProducedTensor(try joined(entries)) }
    return tensors
  }

  func joined<Element>(_ parts: [Tensor<Element>]) throws -> Tensor<Element> {
    try parts.dropFirst().reduce(parts[0]) { try $0.appending($1) }
  }

  /// Feeds the tokens of `hidden` to a layer, in pieces.
  private func feed<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ inputs: CaseInputs<Scalar>, to layer: any AttentionLayer<Scalar>,
    _ state: inout AttentionState<Scalar>, _ steps: StepSet, hooks: Hooks
  ) throws -> [AttentionOutput<Scalar>] {
    let drafts = try inputs.inputIfPresent("drafts")
    var outputs: [AttentionOutput<Scalar>] = []
    try feedPieces(inputs, tokens: hidden.shape[0], drafts: drafts?.shape[0] ?? 0) { range in
      outputs.append(try layer(hidden.rows(range), state: &state, hooks: hooks))
    } speculate: { range in
      guard let drafts else { return }
      let position = state.position
      _ = try layer(drafts.rows(range), state: &state, hooks: hooks.silent)
      try steps.state.rollBack(&state, to: position)
    }
    return outputs
  }

  /// Goes through the pieces that `chunks` says. A negative one stands for so many drafts, which are fed in one call and
  /// taken back again.
  func feedPieces<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, tokens: Int, drafts: Int, feed: (Range<Int>) throws -> Void,
    speculate: (Range<Int>) throws -> Void
  ) throws {
    let chunks = try inputs.integerInput("chunks").elements
    let sum = chunks.filter { $0 > 0 }.reduce(0, +)
    guard !chunks.contains(0) else { throw InputError(rawValue, "a chunk needs at least one token") }
    guard sum == tokens else {
      throw InputError(rawValue, "chunks sum to \(sum), but there are \(tokens) tokens")
    }
    var (fed, drafted) = (0, 0)
    for chunk in chunks {
      if chunk > 0 {
        try feed(fed..<fed + chunk)
        fed += chunk
      } else {
        guard drafted - chunk <= drafts else { throw InputError(rawValue, "chunks take more drafts than there are") }
        try speculate(drafted..<drafted - chunk)
        drafted -= chunk
      }
    }
  }

  private func attentionLayer<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, _ hidden: Tensor<Scalar>, _ steps: StepSet
  ) throws -> any AttentionLayer<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: "attention")
    let width = hidden.shape[1]
    let ratio = try inputs.count("ratio")
    let weights = AttentionWeights(
      queryDown: try inputs.weight("query_down"), queryNorm: try inputs.weight("query_norm"),
      queryUp: try inputs.weight("query_up"), keyValueProjection: try inputs.weight("kv_projection"),
      keyValueNorm: try inputs.weight("kv_norm"), sinks: try inputs.weight("sinks"),
      outputDown: try inputs.weight("output_down"), outputUp: try inputs.weight("output_up"))
    let rotary = try rotaryConfiguration(inputs, headWidth: weights.keyValueNorm.count)
    let configuration = AttentionConfiguration<Scalar>(
      heads: try inputs.count("heads"), window: try inputs.count("window"), groups: try inputs.count("groups"),
      normEpsilon: try inputs.number("norm_epsilon"), rotary: rotary,
      maximumPositions: try inputs.count("maximum_positions"))
    guard ratio != 0 else {
      return try SlidingWindowLayer(
        width: width, weights: weights, configuration: configuration, steps: steps.attention,
        rotarySteps: steps.rotary)
    }
    let core = try AttentionCore(
      width: width, ratio: ratio, indexWidth: ratio == 4 ? inputs.weight("index_norm").count : nil, weights: weights,
      configuration: configuration, steps: steps.attention, rotarySteps: steps.rotary)
    let compressor = try Compressor(
      width: width, ratio: ratio, keyValueProjection: inputs.weight("compressor_kv_projection"),
      gateProjection: inputs.weight("compressor_gate_projection"),
      positionBias: inputs.weight("compressor_position_bias"), norm: inputs.weight("compressor_norm"),
      normEpsilon: configuration.normEpsilon, rotary: steps.attention.rotaryForEntries(rotary, ratio: ratio),
      steps: steps.compression, rotarySteps: steps.rotary, prefix: "compressor_", operation: "attention")
    guard ratio == 4 else { return try HeavilyCompressedLayer(core: core, compressor: compressor) }
    return try CompressedSparseLayer(
      core: core, compressor: compressor,
      indexer: lightningIndexer(
        inputs, width: width, latentWidth: weights.queryDown.shape[0], ratio: ratio, steps))
  }
}
