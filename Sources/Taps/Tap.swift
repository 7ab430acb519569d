/// A named point of the model: what is computed there, by which step, from what.
///
/// The taps are the one registry of names that traces, comparison and notes share. `Tap.all` lists them;
/// `v4-oracle taps` prints them.
public struct Tap: Sendable {
  public let place: Place
  /// Within its place.
  public let name: String
  /// The axes, by the letters of `Tap.axes`.
  public let shape: [String]
  /// An id of `docs/equations.md`.
  public let equation: String
  /// The function that makes it.
  public let step: String
  /// The taps that it is computed from: in the same place, or with a dot in its block, or `model.…`. `streams_in` are
  /// the streams that a site or a head gets, `layer_output` what a site surrounds. Where a value stands beside its
  /// quantized form, what is computed comes from the latter if there is one.
  public let parents: [String]
  public let rounding: Rounding?

  init(
    _ place: Place, _ name: String, _ shape: String, _ equation: String, step: String, from parents: [String],
    rounding: Rounding? = nil
  ) {
    self.place = place
    self.name = name
    self.shape = shape.split(separator: " ").map(String.init)
    self.equation = equation
    self.step = step
    self.parents = parents
    self.rounding = rounding
  }

  /// The letters of the axes.
  public static let axes: KeyValuePairs = [
    "T": "tokens of a call; in an MTP block the pairs that it completes, one fewer in the first call",
    "n": "residual streams", "d": "model width", "M": "mixes, (2 + n)·n", "h": "query heads",
    "c": "head width", "q": "query latent width", "g·p": "output groups × group rank",
    "N": "entries that a call completes",
    "w": "projected width of a compressor", "H": "index heads", "i": "index head width", "S": "entries there are",
    "K": "selected entries, at most", "E": "routed experts", "k": "experts per token; 1 of the shared expert",
    "f": "expert width",
    "V": "vocabulary",
  ]

  /// Where a tap is in the model. A place can occur many times: in each layer, at each site.
  public enum Place: String, CaseIterable, Sendable {
    case model, site, head, block, attention, compressor, indexer, router, experts, mixture, prediction

    /// Where it occurs: `{l}` is a layer, `{k}` an MTP block.
    public var patterns: [String] {
      let blocks = ["layers.{l}", "mtp.{k}"]
      return switch self {
      case .model: [""]
      case .site: blocks.flatMap { ["\($0).hc_attn", "\($0).hc_ffn"] }
      case .head: ["hc_head", "mtp.{k}.hc_head"]
      case .block: blocks
      case .attention: blocks.map { "\($0).attn" }
      case .compressor: ["layers.{l}.attn.compressor", "layers.{l}.attn.indexer.compressor"]
      case .indexer: ["layers.{l}.attn.indexer"]
      case .router: blocks.map { "\($0).ffn.gate" }
      case .experts: blocks.flatMap { ["\($0).ffn.experts", "\($0).ffn.shared_experts"] }
      case .mixture: blocks.map { "\($0).ffn" }
      case .prediction: ["mtp.{k}"]
      }
    }
  }

  /// Every name pattern of this tap, as in `layers.{l}.attn.queries`.
  public var patterns: [String] {
    place.patterns.map { $0.isEmpty ? name : "\($0).\(name)" }.filter { !isCompressed(name, in: $0) }
  }

  /// The axes of a recorded value or of a pattern, by the letters of `Tap.axes`: entries of an indexer have its width.
  public func axes(of recorded: String) -> [String] {
    recorded.contains(".indexer.compressor.") ? shape.map { $0 == "c" ? "i" : $0 } : shape
  }

  /// Every tap, in the order of computation.
  public static let all =
    beginning + siteTaps + headTaps + blockTaps + attentionTaps + compressorTaps + indexerTaps + attentionOutputTaps
    + routerTaps + expertTaps + predictionTaps + ending
}

extension Tap {
  /// Where the deployed model rounds inside the step that makes this value, at points that are no taps.
  public var roundingsInside: [(point: String, rounding: Rounding)] {
    switch (place, name) {
    case (.attention, "query_heads_normalized"):
      ["squares", "mean", "mean + ε", "reciprocal root"].map { ($0, .activation) }
    case (.attention, "attended_rotated"): [("exponentials of a block of 64 slots", .activation)]
    case (.indexer, "scores"): ["each q · k", "each weight × ReLU", "sum over heads"].map { ($0, .activation) }
    case (.experts, "output"): [("activation as the input of w2", .linearInput)]
    default: []
    }
  }

  /// The names in a trace of what a recorded value was computed from, as far as a layer has them.
  ///
  /// - Parameters:
  ///   - recorded: the name of a recorded value of this tap, as in `layers.2.attn.queries`
  ///   - layers: of the model
  public func parentNames(of recorded: String, layers: Int) -> [String] {
    let parts = recorded.split(separator: ".").map(String.init)
    let block = parts.first == "layers" || parts.first == "mtp" ? parts.prefix(2).joined(separator: ".") : ""
    let own = parts.dropLast(name.split(separator: ".").count).joined(separator: ".")
    let names = parents.map { parent in
      switch parent {
      case "streams_in": return streamsIn(own: own, block: block, layers: layers)
      case "layer_output": return own.hasSuffix("hc_attn") ? "\(block).attn.output" : "\(block).ffn.output"
      case _ where parent.hasPrefix("model."): return String(parent.dropFirst("model.".count))
      default:
        let prefix = parent.contains(".") && !block.isEmpty ? block : own
        return prefix.isEmpty ? parent : "\(prefix).\(parent)"
      }
    }
    return names.filter { !isCompressed($0, in: own) && !isRouted($0, in: own) }
  }

  /// Whether the shared expert does without a parent: it takes every token, with weight 1, whatever the router chooses.
  private func isRouted(_ parent: String, in own: String) -> Bool {
    own.hasSuffix(".shared_experts") && parent.contains(".gate.")
  }

  /// Which streams a site or a head gets.
  private func streamsIn(own: String, block: String, layers: Int) -> String {
    let last = "layers.\(layers - 1).hc_ffn.streams"
    if own.hasSuffix("hc_ffn") { return "\(block).hc_attn.streams" }
    if block.hasPrefix("mtp") { return own.hasSuffix("hc_head") ? "\(block).hc_ffn.streams" : "\(block).projected" }
    if own == "hc_head" { return last }
    let layer = block.split(separator: ".").last.flatMap { Int($0) }
    if layer == 0 { return "streams" }
    return "layers.\(layer.map { "\($0 - 1)" } ?? "{l−1}").hc_ffn.streams"
  }
}

/// Whether a name is one that an MTP block lacks, which has no compressor: its ratio is 0.
private func isCompressed(_ name: String, in place: String) -> Bool {
  place.hasPrefix("mtp.") && (name.hasSuffix("compressed_entries") || name.hasSuffix("indexer.selection"))
}

extension Tap {
  /// The tap of a recorded value; nil if no tap has such a name.
  ///
  /// - Parameter recorded: as in `layers.2.attn.queries`
  public static func named(_ recorded: String) -> Tap? {
    var words = recorded.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if words.count > 2, Int(words[1]) != nil { words[1] = words[0] == "mtp" ? "{k}" : "{l}" }
    return byPattern[words.joined(separator: ".")]
  }

  private static let byPattern = Dictionary(
    all.flatMap { tap in tap.patterns.map { ($0, tap) } }, uniquingKeysWith: { first, _ in first })
}
