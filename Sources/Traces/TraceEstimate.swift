import DeepSeekV4
import Taps

/// How large a trace will be, from the axes of the registry.
public struct TraceEstimate: Sendable {
  public private(set) var tensors = 0
  public private(set) var bytes = 0

  /// What HDF5 and the attributes take for a dataset, about.
  private static let overhead = 700

  /// - Parameters:
  ///   - configuration: of the model
  ///   - calls: how many tokens each call takes, in order
  ///   - selection: which taps are recorded
  ///   - numerics: of the run: rounded values are recorded before and after
  ///   - scalarBytes: 4 for the float path, 8 for the double one
  ///   - predicts: whether the MTP block runs
  public init(
    _ configuration: ModelConfiguration, calls: [Int], selection: TapSelection, numerics: NumericsMode,
    scalarBytes: Int, predicts: Bool
  ) {
    var start = 0
    for tokens in calls {
      for tap in Tap.all {
        for (name, ratio) in Self.names(of: tap, configuration, predicts: predicts) where selection.contains(name) {
          guard Self.isRecorded(tap, name, ratio: ratio, configuration, numerics) else { continue }
          let count = tap.shape.reduce(1) {
            $0 * Self.length(of: $1, name, ratio: ratio, configuration, start: start, tokens: tokens)
          }
          let twice = tap.rounding.map { $0 != .linearInput && $0.modes.contains(numerics) } ?? false
          let isInteger = tap.name == "indices" || tap.name == "selection"
          tensors += twice ? 2 : 1
          bytes += (twice ? 2 : 1) * (count * (isInteger ? 8 : scalarBytes) + Self.overhead)
        }
      }
      start += tokens
    }
  }

  /// The names that a tap has in a model, each with the ratio of its layer.
  private static func names(
    of tap: Tap, _ configuration: ModelConfiguration, predicts: Bool
  ) -> [(name: String, ratio: Int)] {
    tap.patterns.flatMap { pattern -> [(name: String, ratio: Int)] in
      if pattern.contains("{l}") {
        return configuration.ratios.enumerated().map { (pattern.replacing("{l}", with: "\($0)"), $1) }
      }
      if pattern.contains("{k}") { return predicts ? [(pattern.replacing("{k}", with: "0"), 0)] : [] }
      return [(pattern, 0)]
    }
  }

  /// Whether a layer of this ratio has the tap, and these numerics pass it.
  private static func isRecorded(
    _ tap: Tap, _ name: String, ratio: Int, _ configuration: ModelConfiguration, _ numerics: NumericsMode
  ) -> Bool {
    if tap.rounding == .linearInput && !Rounding.linearInput.modes.contains(numerics) { return false }
    if name.contains(".attn.indexer.") { return LayerKind(ratio: ratio) == .compressedSparse }
    if tap.place == .compressor || name.hasSuffix("compressed_entries") { return ratio > 0 }
    if name.hasSuffix("gate.selection_scores") {
      let parts = name.split(separator: ".")
      return parts[0] == "mtp" || (Int(parts[1]) ?? 0) >= configuration.hashLayers
    }
    return true
  }

  private static func length(
    of axis: String, _ name: String, ratio: Int, _ model: ModelConfiguration, start: Int, tokens: Int
  ) -> Int {
    let entries = ratio > 0 ? (start + tokens) / ratio : 0
    let ofIndexer = name.contains(".indexer.")
    let width = ofIndexer ? model.indexWidth : model.headWidth
    return switch axis {
    case "T": tokens
    case "n": model.streams
    case "d": model.width
    case "M": (2 + model.streams) * model.streams
    case "h": model.heads
    case "c": width
    case "q": model.queryLatentWidth
    case "g·p": model.outputGroups * model.outputRank
    case "N": ratio > 0 ? entries - start / ratio : 0
    case "w": LayerKind(ratio: ratio) == .compressedSparse ? 2 * width : width
    case "H": model.indexHeads
    case "i": model.indexWidth
    case "S": entries
    case "K": min(model.indexTopK, entries)
    case "E": model.experts
    case "k": name.contains("shared_experts") ? 1 : model.expertsPerToken
    case "f": model.expertWidth
    case "V": model.vocabularySize
    default: 1
    }
  }
}
