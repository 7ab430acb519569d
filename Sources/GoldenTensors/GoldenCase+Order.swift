extension GoldenCase {
  /// Every expected tensor, each after those that it is computed from.
  private static let orderOfComputation = [
    "mixes", "pre", "post", "combination_logits", "combination", "gates", "layer_input", "streams_out", "collapsed",
    "logits", "scores", "selection_scores", "indices", "margin", "weights", "gate", "up", "activation", "routed",
    "shared", "scales", "codes", "values", "rounded", "frequencies", "rotated", "query_latent", "queries",
    "window_entries", "pooled", "normalized", "entries",
    "compressed_entries", "new_compressed_entries", "index_queries", "index_keys", "index_weights", "index_scores",
    "projected", "selection", "attended", "output", "streams", "hidden",
  ]

  /// Names in the order of computation, so that the first tensor that differs is the one to look at.
  ///
  /// In a whole model layers come first, by number, then what is after them; `<name>.unrounded` stands before its name.
  public static func inOrderOfComputation(_ names: some Sequence<String>) -> [String] {
    func place(_ name: String) -> [Int] {
      var parts = name.split(separator: ".").map(String.init)
      let unrounded = parts.last == "unrounded"
      if unrounded { parts.removeLast() }
      let layer = parts.first == "layers" ? Int(parts[1]) ?? 0 : Int.max
      let last = parts.last ?? ""
      // The logits of a model come last, those of a router or a site first.
      let local =
        layer == .max && last == "logits" && names.contains { $0.hasSuffix("hidden") } ? .max : localPlace(last)
      return [layer, parts.contains("ffn") ? 1 : parts.contains("attn") ? 0 : 2, local, unrounded ? 0 : 1]
    }
    return names.map { (place($0), $0) }.sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0.lexicographicallyPrecedes($1.0) }
      .map(\.1)
  }

  private static func localPlace(_ name: String) -> Int {
    orderOfComputation.firstIndex(of: name) ?? orderOfComputation.count
  }
}
