extension ConfigurationValues {
  private static let heavyName = "heavily_compressed_attention"

  /// The ratios of the layers, from `compress_ratios` or from `layer_types` with `compress_rates`.
  ///
  /// - Parameters:
  ///   - layers: how many there must be, nil if that is not known
  ///   - blocks: how many entries must follow for multi-token prediction, nil for any number
  mutating func ratios(layers: Int?, blocks: Int?) -> [Int] {
    if value("compress_ratios") == nil, form == .inference || value("layer_types") == nil {
      refuse("missing \"compress_ratios\"")
    }
    guard let layers else { return [] }
    let list = ratioList(layers: layers, blocks: blocks)
    let types = form == .huggingFace ? ratiosFromTypes(layers: layers) : nil
    return agreed([("compress_ratios", list), ("layer_types", types)]) ?? []
  }

  private mutating func ratioList(layers: Int, blocks: Int?) -> [Int]? {
    guard let list = optionalIntegers("compress_ratios") else { return nil }
    guard list.count == layers + (blocks ?? max(0, list.count - layers)) else {
      let expected = blocks.map { " and \($0) MTP blocks" } ?? ""
      refuse("\"compress_ratios\" has \(list.count) entries for \(layers) layers\(expected)")
      return nil
    }
    let tail = list.dropFirst(layers)
    if tail.contains(where: { $0 != 0 }) {
      fault("\"compress_ratios\" ends in \(Array(tail.prefix(8))), but what follows the layers must have ratio 0")
    }
    return Array(list.prefix(layers))
  }

  private mutating func ratiosFromTypes(layers: Int) -> [Int]? {
    guard let types = optionalTexts("layer_types") else { return nil }
    guard types.count == layers else {
      refuse("\"layer_types\" has \(types.count) entries for \(layers) layers")
      return nil
    }
    if let sparse = optionalInteger("compress_rates.compressed_sparse_attention"), sparse != 4 {
      fault("\"compress_rates.compressed_sparse_attention\" must be 4, got \(sparse)")
    }
    let heavy = optionalInteger("compress_rates.\(Self.heavyName)")
    var ratios: [Int] = []
    for type in types {
      switch type {
      case "sliding_attention": ratios.append(0)
      case "compressed_sparse_attention": ratios.append(4)
      case Self.heavyName: ratios.append(heavy ?? 0)
      default:
        refuse("\"layer_types\" has the unknown kind \(quoted(type))")
        return nil
      }
    }
    if heavy == nil, types.contains(Self.heavyName) {
      refuse("missing \"compress_rates.\(Self.heavyName)\"")
      return nil
    }
    return ratios
  }

  /// From `num_hash_layers` or from `mlp_layer_types`.
  ///
  /// - Parameter layers: how many there must be, nil if that is not known
  mutating func hashLayers(layers: Int?) -> Int {
    guard form == .huggingFace, let types = optionalTexts("mlp_layer_types") else { return integer(.hashLayers) }
    let count = types.prefix { $0 == "hash_moe" }.count
    if let layers, types.count != layers {
      refuse("\"mlp_layer_types\" has \(types.count) entries for \(layers) layers")
    }
    if types.dropFirst(count).contains(where: { $0 != "moe" }) {
      refuse("\"mlp_layer_types\" must be some \"hash_moe\", then \"moe\" alone")
    }
    return agreed([("num_hash_layers", optionalInteger("num_hash_layers")), ("mlp_layer_types", count)]) ?? count
  }
}
