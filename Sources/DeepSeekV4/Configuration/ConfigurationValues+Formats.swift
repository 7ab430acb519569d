extension ConfigurationValues {
  /// How the large matrices and those of the experts are stored.
  mutating func formats() -> (dense: WeightFormat, experts: WeightFormat) {
    switch form {
    case .inference: inferenceFormats()
    case .huggingFace: huggingFaceFormats()
    }
  }

  private mutating func inferenceFormats() -> (WeightFormat, WeightFormat) {
    let names = ["fp8": WeightFormat.float8, "bf16": .bfloat16, "fp32": .float32]
    if value("dtype") == nil { refuse("missing \"dtype\"") }
    let dense = format("dtype", names) ?? .bfloat16
    let experts = format("expert_dtype", ["fp4": .float4]) ?? dense
    if isQuantized(dense, experts) {
      requireScaleFormat("scale_fmt")
      if let storage = optionalText("scale_dtype"), storage != "fp8" {
        fault("\"scale_dtype\" must be \"fp8\" for quantized matrices, got \(quoted(storage))")
      }
    }
    return (dense, experts)
  }

  private mutating func huggingFaceFormats() -> (WeightFormat, WeightFormat) {
    let names = ["bfloat16": WeightFormat.bfloat16, "float32": .float32]
    let plain = agreed([("torch_dtype", format("torch_dtype", names)), ("dtype", format("dtype", names))])
    let isFP8 = !self.names(startingWith: "quantization_config.").isEmpty
    let dense = isFP8 ? .float8 : plain ?? .bfloat16
    let inner = "quantization_config.expert_dtype"
    let expertNames = ["fp4": WeightFormat.float4, "fp8": .float8]
    let experts = agreed([("expert_dtype", format("expert_dtype", expertNames)), (inner, format(inner, expertNames))])
    if isFP8 {
      if value("quantization_config.quant_method") == nil { refuse("missing \"quantization_config.quant_method\"") }
      requireScaleFormat("quantization_config.scale_fmt")
      if optionalIntegers("quantization_config.weight_block_size") != [128, 128] {
        fault("\"quantization_config.weight_block_size\" must be [128,128]")
      }
      if experts == nil {
        warnings.append("\"expert_dtype\" is missing: the experts are taken to be FP8 like the other matrices")
      }
    }
    return (dense, experts ?? dense)
  }

  private func isQuantized(_ formats: WeightFormat...) -> Bool {
    formats.contains { $0 == .float8 || $0 == .float4 }
  }

  private mutating func requireScaleFormat(_ name: String) {
    guard let text = optionalText(name) else {
      if value(name) == nil { refuse("missing \(quoted(name)), which quantized matrices need") }
      return
    }
    if text != "ue8m0" { fault("\(quoted(name)) must be \"ue8m0\", got \(quoted(text))") }
  }

  private mutating func format(_ name: String, _ known: [String: WeightFormat]) -> WeightFormat? {
    let choices = known.keys.sorted().map(quoted).joined(separator: " or ")
    return optional(name, choices) { $0.text.flatMap { known[$0] } }
  }
}
