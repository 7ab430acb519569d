import RotaryEmbedding

extension ConfigurationValues {
  private static let main = "rope_parameters.main"
  private static let compress = "rope_parameters.compress"

  /// From the number of rotated channels or from the part of a head that they are.
  mutating func ropeDims(headWidth: Int) -> Int {
    guard form == .huggingFace else { return integer(.ropeDims) }
    let parts = ["", Self.main + ".", Self.compress + "."].map { $0 + "partial_rotary_factor" }
    var sources = [("qk_rope_head_dim", optionalInteger("qk_rope_head_dim"))]
    for name in parts {
      guard let part = optionalNumber(name) else { continue }
      guard let dims = JSONValue.number((part * Double(headWidth)).rounded()).wholeNumber,
        abs(part * Double(headWidth) - Double(dims)) < 1e-6
      else {
        fault("\(quoted(name)) must make whole channels of a head of \(headWidth), got \(part)")
        continue
      }
      sources.append((name, dims))
    }
    return agreed(sources) ?? integer(.ropeDims)
  }

  mutating func theta() -> Double { theta(.theta, nested: Self.main) }
  mutating func compressTheta() -> Double { theta(.compressTheta, nested: Self.compress) }

  private mutating func theta(_ key: ConfigurationKey, nested: String) -> Double {
    guard form == .huggingFace, let other = optionalNumber(nested + ".rope_theta"), let name = key.huggingFace else {
      return number(key)
    }
    return agreed([(name, optionalNumber(name)), (nested + ".rope_theta", other)]) ?? other
  }

  /// Nil for no YaRN.
  mutating func yarn() -> YaRN? {
    switch form {
    case .inference: inferenceYaRN()
    case .huggingFace: huggingFaceYaRN()
    }
  }

  private mutating func inferenceYaRN() -> YaRN? {
    let length = integer(.originalLength)
    guard length != 0 else { return nil }
    return YaRN(
      factor: number(.ropeFactor), originalLength: length, betaFast: number(.betaFast), betaSlow: number(.betaSlow))
  }

  private mutating func huggingFaceYaRN() -> YaRN? {
    if let type = type(of: Self.main), type != "default" {
      fault("\"\(Self.main)\" must be of the type \"default\", got \(quoted(type))")
    }
    let scaling = yarn(in: "rope_scaling", types: ["yarn"])
    let nested = yarn(in: Self.compress, types: ["yarn", "default"])
    if nested != nil { checkAttentionFactor() }
    if value("rope_scaling.factor") == nil, names(startingWith: Self.compress).isEmpty {
      warnings.append("there is no \"rope_scaling\": layers with compression go without YaRN")
    }
    return agreed([("rope_scaling", scaling), (Self.compress, nested)])
  }

  /// YaRN as one object describes it, nil if it does not.
  private mutating func yarn(in object: String, types: [String]) -> YaRN? {
    guard !names(startingWith: object + ".").isEmpty else { return nil }
    guard let type = type(of: object), types.contains(type) else {
      let allowed = types.map(quoted).joined(separator: " or ")
      refuse("\(quoted(object)) must be of the type \(allowed), got \(self.type(of: object).map(quoted) ?? "none")")
      return nil
    }
    guard type == "yarn" else { return nil }
    let length = optionalInteger("\(object).original_max_position_embeddings")
    let factor = optionalNumber("\(object).factor")
    let (fast, slow) = (optionalNumber("\(object).beta_fast"), optionalNumber("\(object).beta_slow"))
    for name in ["original_max_position_embeddings", "factor", "beta_fast", "beta_slow"]
    where value("\(object).\(name)") == nil {
      refuse("missing \"\(object).\(name)\"")
    }
    guard let length, length != 0 else { return nil }
    return YaRN(factor: factor ?? 0, originalLength: length, betaFast: fast ?? 0, betaSlow: slow ?? 0)
  }

  private mutating func type(of object: String) -> String? {
    agreed([
      ("\(object).rope_type", optionalText("\(object).rope_type")), ("\(object).type", optionalText("\(object).type")),
    ])
  }

  private mutating func checkAttentionFactor() {
    let name = Self.compress + ".attention_factor"
    if let factor = optionalNumber(name) {
      if factor != 1 { fault("\(quoted(name)) must be 1, got \(factor)") }
    } else if value(name) == nil {
      warnings.append(
        "\(quoted(name)) is missing: the transformers library would scale cos and sin, the model does not")
    }
  }
}
