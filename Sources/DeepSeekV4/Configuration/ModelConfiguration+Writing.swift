import Foundation
import Tensors

extension ModelConfiguration {
  /// The configuration as a published file has it, with keys in alphabetical order; `read(_:)` gives it back equal.
  ///
  /// The transformers library reads the Hugging Face form if all HCA layers have one ratio. The inference form can hold
  /// what the released code has no name for: `fp32`.
  ///
  /// - Throws: `InputError` if the configuration is not valid.
  public func json(_ form: ConfigurationForm) throws(InputError) -> Data {
    try validate()
    let object = form == .inference ? inferenceObject : huggingFaceObject
    return Data((JSONValue.object(object).text() + "\n").utf8)
  }

  private var inferenceObject: [String: JSONValue] {
    var object = commonObject(.inference)
    object["original_seq_len"] = .integer(yarn?.originalLength ?? 0)
    if let yarn {
      object["rope_factor"] = .number(yarn.factor)
      object["beta_fast"] = .number(yarn.betaFast)
      object["beta_slow"] = .number(yarn.betaSlow)
    }
    object["dtype"] = .string(denseFormat.rawValue)
    object["expert_dtype"] = expertFormat == .float4 ? .string(expertFormat.rawValue) : .null
    object["scale_fmt"] = .string("ue8m0")
    return object
  }

  private var huggingFaceObject: [String: JSONValue] {
    var object = commonObject(.huggingFace)
    for key in ConfigurationKey.constants {
      if case .only(let value) = key.rule, let name = key.huggingFace, !name.contains(".") { object[name] = value }
    }
    object["architectures"] = .array([.string("DeepseekV4ForCausalLM")])
    if let yarn {
      object["rope_scaling"] = .object([
        "type": .string("yarn"), "original_max_position_embeddings": .integer(yarn.originalLength),
        "factor": .number(yarn.factor), "beta_fast": .number(yarn.betaFast), "beta_slow": .number(yarn.betaSlow),
      ])
    }
    object["torch_dtype"] = .string(denseFormat == .float32 ? "float32" : "bfloat16")
    if denseFormat == .float8 {
      object["quantization_config"] = .object([
        "quant_method": .string("fp8"), "fmt": .string("e4m3"), "scale_fmt": .string("ue8m0"),
        "activation_scheme": .string("dynamic"), "weight_block_size": .array([.integer(128), .integer(128)]),
      ])
    }
    if denseFormat == .float8 || expertFormat == .float4 { object["expert_dtype"] = .string(expertFormat.rawValue) }
    return object.merging(layerTypes) { first, _ in first }
  }

  /// The transformers library takes no other HCA ratio than 128 from `compress_ratios`, but one from these.
  private var layerTypes: [String: JSONValue] {
    let heavy = Set(ratios).subtracting([0, 4])
    guard heavy.count == 1, let ratio = heavy.first, ratio != 128 else { return [:] }
    let names = [0: "sliding_attention", 4: "compressed_sparse_attention", ratio: "heavily_compressed_attention"]
    return [
      "layer_types": .array(ratios.compactMap { names[$0] }.map(JSONValue.string)),
      "compress_rates": .object([
        "compressed_sparse_attention": .integer(4), "heavily_compressed_attention": .integer(ratio),
      ]),
    ]
  }

  /// What both forms say alike, under the names of one.
  private func commonObject(_ form: ConfigurationForm) -> [String: JSONValue] {
    let integers: [(ConfigurationKey, Int)] = [
      (.vocabularySize, vocabularySize), (.width, width), (.layers, layers),
      (.multiTokenPredictionLayers, multiTokenPredictionLayers), (.heads, heads), (.headWidth, headWidth),
      (.ropeDims, ropeDims), (.queryLatentWidth, queryLatentWidth), (.outputGroups, outputGroups),
      (.outputRank, outputRank), (.window, window), (.indexHeads, indexHeads), (.indexWidth, indexWidth),
      (.indexTopK, indexTopK), (.expertWidth, expertWidth), (.experts, experts), (.sharedExperts, sharedExperts),
      (.expertsPerToken, expertsPerToken), (.hashLayers, hashLayers), (.streams, streams),
      (.sinkhornIterations, sinkhornIterations), (.maximumPositions, maximumPositions),
    ]
    let numbers: [(ConfigurationKey, Double)] = [
      (.routeScale, routeScale), (.clampLimit, clampLimit), (.hyperConnectionEpsilon, hyperConnectionEpsilon),
      (.normEpsilon, normEpsilon), (.theta, theta), (.compressTheta, compressTheta),
    ]
    let others: [(ConfigurationKey, JSONValue)] = [
      (.compressRatios, .array(compressRatios.map(JSONValue.integer))), (.scoring, .string("sqrtsoftplus")),
    ]
    let pairs = integers.map { ($0, JSONValue.integer($1)) } + numbers.map { ($0, JSONValue.number($1)) } + others
    return Dictionary(uniqueKeysWithValues: pairs.compactMap { key, value in key.name(in: form).map { ($0, value) } })
  }
}
