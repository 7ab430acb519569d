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
  /// The taps that it is computed from: in the same place, or after a dot or more from its block, or `model.…`.
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
    "T": "tokens of a call", "n": "residual streams", "d": "model width", "M": "mixes, (2 + n)·n", "h": "query heads",
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
  public var patterns: [String] { place.patterns.map { $0.isEmpty ? name : "\($0).\(name)" } }

  /// Every tap, in the order of computation.
  public static let all =
    beginning + siteTaps + headTaps + blockTaps + attentionTaps + compressorTaps + indexerTaps + attentionOutputTaps
    + routerTaps + expertTaps + predictionTaps + ending
}

extension Tap {
  /// The names in a trace of what a recorded value was computed from.
  ///
  /// - Parameter recorded: the name of a recorded value of this tap, as in `layers.2.attn.queries`
  public func parentNames(of recorded: String) -> [String] {
    let parts = recorded.split(separator: ".").map(String.init)
    let inBlock = parts.first == "layers" || parts.first == "mtp"
    let own = parts.dropLast(name.split(separator: ".").count)
    return parents.map { parent in
      if parent.hasPrefix("model.") { return String(parent.dropFirst("model.".count)) }
      let prefix = parent.contains(".") && inBlock ? Array(parts.prefix(2)) : Array(own)
      return (prefix + [parent]).joined(separator: ".")
    }
  }
}
