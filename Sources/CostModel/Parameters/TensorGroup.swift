/// The part of a model that a tensor belongs to.
public enum TensorGroup: String, CaseIterable, Codable, Sendable {
  case embedding
  case languageModelHead = "LM head"
  /// Projections of queries, key-values and outputs, the norms between them, and the sinks.
  case attention
  /// What makes compressed entries: projections, position bias, norm.
  case compressors
  /// Everything under `attn.indexer`, its own compressor included.
  case indexer
  /// mHC: the mixes of each sub-layer, and the head that ends the streams.
  case hyperConnections = "hyper-connections"
  /// The gate of the routed experts.
  case router
  case sharedExperts = "shared experts"
  case routedExperts = "routed experts"
  /// The feed-forward layers without experts, which V3.2 has and V4 has not.
  case denseFeedForward = "dense feed-forward"
  /// The norms before each sub-layer and before the LM head.
  case norms
  /// Expert ids by token id: numbers, but no parameters.
  case hashTables = "hash tables"
  /// Everything in the blocks for multi-token prediction.
  case multiTokenPrediction = "MTP"

  /// The group of a tensor, by its official name; nil for a name that no tensor of V4 has.
  public init?(officialName name: String) {
    let parts = name.split(separator: ".")
    switch parts.first {
    case "embed": self = .embedding
    case "head": self = .languageModelHead
    case "norm": self = .norms
    case "mtp": self = .multiTokenPrediction
    case "layers" where parts.count > 2: self.init(insideLayer: parts.dropFirst(2))
    case let first? where first.hasPrefix("hc_head_"): self = .hyperConnections
    default: return nil
    }
  }

  private init?(insideLayer parts: ArraySlice<Substring>) {
    switch (parts.first, parts.dropFirst().first) {
    case ("attn", "indexer"): self = .indexer
    case ("attn", "compressor"): self = .compressors
    case ("attn", _): self = .attention
    case ("ffn", "experts"): self = .routedExperts
    case ("ffn", "shared_experts"): self = .sharedExperts
    case ("ffn", "gate"): self = parts.last == "tid2eid" ? .hashTables : .router
    case ("attn_norm", _), ("ffn_norm", _): self = .norms
    case (let first?, _) where first.hasPrefix("hc_"): self = .hyperConnections
    default: return nil
    }
  }
}
