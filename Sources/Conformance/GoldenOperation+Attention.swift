import CompressedSparseAttention
import CoreAttention
import DeepSeekV4
import GoldenTensors
import HeavilyCompressedAttention
import KnownBugs
import RotaryEmbedding
import Tensors
import TokenCompression

// Whole attention layers of every kind, fed in pieces.

extension GoldenOperation {
  func attention<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let layer = try attentionLayer(inputs, hidden, steps)
    var state = AttentionState<Scalar>(layer.layout)
    let outputs = try feed(hidden, inputs, to: layer, &state, steps)
    var tensors = try layerTensors(outputs, entriesName: "compressed_entries")
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
    let generator = StateGenerator(seed: try inputs.count("state_seed"))
    var state: AttentionState<Scalar> = try generator.state(layer.layout, position: inputs.count("start"))
    let outputs = try feed(hidden, inputs, to: layer, &state, steps)
    var tensors = try layerTensors(outputs, entriesName: "new_compressed_entries")
    let indexing = outputs.compactMap(\.indexing)
    if !indexing.isEmpty {
      tensors.merge(try selectionTensors(indexing, columns: inputs.count("index_topk"))) { $1 }
    }
    return Production(tensors: tensors)
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

  private func joined<Scalar: RealScalar>(_ parts: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try parts.dropFirst().reduce(parts[0]) { try $0.appending($1) }
  }

  /// Feeds the tokens in the pieces that `chunks` says. A negative piece feeds so many tokens of `drafts` in one call and
  /// takes them back again.
  private func feed<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ inputs: CaseInputs<Scalar>, to layer: any AttentionLayer<Scalar>,
    _ state: inout AttentionState<Scalar>, _ steps: StepSet
  ) throws -> [AttentionOutput<Scalar>] {
    let chunks = try inputs.integerInput("chunks").elements
    let drafts = try inputs.inputIfPresent("drafts")
    let tokens = chunks.filter { $0 > 0 }.reduce(0, +)
    guard !chunks.contains(0) else { throw InputError("attention", "a chunk needs at least one token") }
    guard tokens == hidden.shape[0] else {
      throw InputError("attention", "chunks sum to \(tokens), but there are \(hidden.shape[0]) tokens")
    }
    var outputs: [AttentionOutput<Scalar>] = []
    var (fed, drafted) = (0, 0)
    for chunk in chunks {
      if chunk > 0 {
        outputs.append(try layer(hidden.rows(fed..<fed + chunk), state: &state))
        fed += chunk
      } else {
        guard let drafts, drafted - chunk <= drafts.shape[0] else {
          throw InputError("attention", "chunks take more drafts than there are")
        }
        let position = state.position
        _ = try layer(drafts.rows(drafted..<drafted - chunk), state: &state)
        try steps.state.rollBack(&state, to: position)
        drafted -= chunk
      }
    }
    return outputs
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
