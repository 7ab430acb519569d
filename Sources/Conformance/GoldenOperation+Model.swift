import CoreAttention
import DeepSeekV4
import ExpertRouting
import Foundation
import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors

// Whole models of generated weights, fed in pieces.

extension GoldenOperation {
  func model<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let (_, outputs) = try feed(inputs, steps, predicts: false)
    var tensors: [String: ProducedTensor] = [
      "hidden": ProducedTensor(try joined(outputs.map(\.hidden))),
      "logits": ProducedTensor(try joined(outputs.map(\.logits))),
    ]
    for layer in outputs[0].blocks.indices {
      tensors.merge(try blockTensors(outputs.map { $0.blocks[layer] }, prefix: "layers.\(layer).")) { $1 }
    }
    return Production(tensors: tensors)
  }

  func mtp<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let tokens = try inputs.integerInput("token_ids").count
    guard tokens >= 2 else { throw InputError("mtp", "needs at least two tokens, got \(tokens)") }
    let (model, outputs) = try feed(inputs, steps, predicts: true)
    guard model.prediction != nil else { throw InputError("mtp", "num_nextn_predict_layers must be 1, got 0") }
    let predictions = outputs.compactMap(\.prediction)
    guard !predictions.isEmpty else { throw InputError("mtp", "no pair of tokens was complete") }
    var tensors = try blockTensors(predictions.map(\.block), prefix: "mtp.0.")
    tensors["mtp.0.projected"] = ProducedTensor(try joined(predictions.map(\.projected)))
    tensors["mtp.0.hidden"] = ProducedTensor(try joined(predictions.map(\.hidden)))
    tensors["mtp.0.logits"] = ProducedTensor(try joined(predictions.map(\.logits)))
    return Production(tensors: tensors)
  }

  private func blockTensors<Scalar: RealScalar>(
    _ calls: [BlockOutput<Scalar>], prefix: String
  ) throws -> [String: ProducedTensor] {
    var tensors: [String: ProducedTensor] = [
      prefix + "streams": ProducedTensor(try joined(calls.map(\.streams))),
      prefix + "ffn.indices": .integers(try joined(calls.map(\.routing.indices))),
    ]
    let margins = calls.compactMap(\.routing.margin)
    if !margins.isEmpty { tensors[prefix + "ffn.margin"] = ProducedTensor(try joined(margins)) }
    let indexing = calls.compactMap(\.indexing)
    if !indexing.isEmpty {
      let columns = indexing.flatMap(\.selection).map(\.count).max() ?? 0
      for (name, tensor) in try selectionTensors(indexing, columns: columns) {
        tensors["\(prefix)attn.\(name)"] = tensor
      }
    }
    return tensors
  }

  /// Builds the model of a case and feeds it the pieces that `chunks` says. A negative piece feeds so many of
  /// `draft_ids` in one call and takes them back again.
  private func feed<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, _ steps: StepSet, predicts: Bool
  ) throws -> (LanguageModel<Scalar>, [ModelOutput<Scalar>]) {
    let mode = try numericsMode(inputs)
    let model = try languageModel(inputs, steps, predicts: predicts)
    let hooks = inputs.hooks(mode, steps: steps.quantization)
    let tokenIDs = try inputs.integerInput("token_ids").elements
    let drafts = try inputs.integerInputIfPresent("draft_ids")?.elements ?? []
    var state = model.emptyState
    var outputs: [ModelOutput<Scalar>] = []
    try feedPieces(inputs, tokens: tokenIDs.count, drafts: drafts.count) { range in
      outputs.append(try model(Array(tokenIDs[range]), state: &state, hooks: hooks))
    } speculate: { range in
      let position = state.position
      _ = try model(Array(drafts[range]), state: &state, hooks: hooks.silent)
      try state.rollBack(to: position, steps: steps.state)
    }
    guard !outputs.isEmpty else { throw InputError("model", "needs at least one token") }
    return (model, outputs)
  }

  private func languageModel<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, _ steps: StepSet, predicts: Bool
  ) throws -> LanguageModel<Scalar> {
    let configuration = try ModelConfiguration.read(Data(inputs.choice("config").utf8)).configuration.with {
      // The official formats, whatever the text says of them: weight_format decides whether they act.
      ($0.denseFormat, $0.expertFormat) = (.float8, .float4)
    }
    let rounded: Bool
    switch try inputs.choice("weight_format") {
    case "float32": rounded = false
    case "official": rounded = true
    case let other: throw InputError(rawValue, "weight_format must be float32 or official, got \(other)")
    }
    let choice = try inputs.choice("angles")
    guard let angles = AnglePolicy(rawValue: choice) else {
      throw InputError(rawValue, "angles must be exact or float32, got \(choice)")
    }
    let weights = GeneratedWeights(
      seed: try inputs.count("weights_seed"), configuration: configuration, rounded: rounded,
      steps: steps.quantization)
    guard let disturbance = inputs.disturbance else {
      return try LanguageModel(configuration, weights: weights, steps: steps, angles: angles, predicts: predicts)
    }
    return try LanguageModel(
      configuration, weights: DisturbedWeights(source: weights, disturbance: disturbance), steps: steps, angles: angles,
      predicts: predicts)
  }
}
