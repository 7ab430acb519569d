import RotaryEmbedding
import Tensors

extension ModelConfiguration {
  /// DeepSeek-V4-Flash: 284 billion parameters, 13 billion of them for a token.
  public static let flash = ModelConfiguration(
    vocabularySize: 129280, width: 4096, ratios: [0, 0] + alternating(4, 128, pairs: 20) + [4],
    multiTokenPredictionLayers: 1,
    heads: 64, headWidth: 512, ropeDims: 64, queryLatentWidth: 1024, outputGroups: 8, outputRank: 1024, window: 128,
    indexHeads: 64, indexWidth: 128, indexTopK: 512,
    expertWidth: 2048, experts: 256, sharedExperts: 1, expertsPerToken: 6, hashLayers: 3, routeScale: 1.5,
    clampLimit: 10,
    streams: 4, sinkhornIterations: 20, hyperConnectionEpsilon: 1e-6, normEpsilon: 1e-6,
    theta: 10000, compressTheta: 160000,
    yarn: YaRN(factor: 16, originalLength: 65536, betaFast: 32, betaSlow: 1), maximumPositions: 1_048_576,
    denseFormat: .float8, expertFormat: .float4)

  /// DeepSeek-V4-Pro: 1.6 trillion parameters, 49 billion of them for a token.
  public static let pro = flash.with {
    $0.width = 7168
    $0.ratios = [128, 128] + alternating(4, 128, pairs: 29) + [4]
    $0.heads = 128
    $0.queryLatentWidth = 1536
    $0.outputGroups = 16
    $0.indexTopK = 1024
    $0.expertWidth = 3072
    $0.experts = 384
    $0.routeScale = 2.5
  }

  /// All three kinds of layers and both kinds of routing, in sizes that a reader can print.
  public static let tiny = ModelConfiguration(
    vocabularySize: 48, width: 16, ratios: [0, 4, 8, 4], multiTokenPredictionLayers: 1,
    heads: 4, headWidth: 8, ropeDims: 4, queryLatentWidth: 12, outputGroups: 2, outputRank: 6, window: 6,
    indexHeads: 2, indexWidth: 8, indexTopK: 3,
    expertWidth: 12, experts: 4, sharedExperts: 1, expertsPerToken: 2, hashLayers: 2, routeScale: 1.5, clampLimit: 10,
    streams: 4, sinkhornIterations: 20, hyperConnectionEpsilon: 1e-6, normEpsilon: 1e-6,
    theta: 10000, compressTheta: 160000,
    yarn: YaRN(factor: 16, originalLength: 64, betaFast: 32, betaSlow: 1), maximumPositions: 4096,
    denseFormat: .float32, expertFormat: .float32)

  /// What Pro has otherwise than Flash, in tiny sizes: no layer without compression, a longer selection, another scale.
  public static let tinyPro = tiny.with {
    $0.width = 24
    $0.ratios = [8, 8, 4, 8, 4]
    $0.heads = 8
    $0.queryLatentWidth = 18
    $0.outputGroups = 4
    $0.indexTopK = 5
    $0.expertWidth = 16
    $0.experts = 6
    $0.hashLayers = 3
    $0.routeScale = 2.5
  }

  /// The smallest sizes that the block sizes of the deployed formats divide: 128 channels for FP8 matrices, 64 for FP8
  /// key-value entries (the head width less the rotated channels), 32 for FP4 experts and indexer entries.
  public static let tinyDeployed = tiny.with {
    $0.vocabularySize = 64
    $0.width = 128
    $0.heads = 8
    $0.headWidth = 96
    $0.ropeDims = 32
    $0.queryLatentWidth = 128
    $0.outputRank = 64
    $0.indexHeads = 4
    $0.indexWidth = 32
    $0.expertWidth = 128
    $0.denseFormat = .float8
    $0.expertFormat = .float4
  }

  /// The widths of Flash with other layers, for one layer of each kind at its true size.
  ///
  /// - Parameters:
  ///   - ratios: one for each layer
  ///   - hashLayers: 1 leaves both kinds of routing among three layers
  ///   - multiTokenPredictionLayers: 0 or 1
  public static func flashWidth(
    ratios: [Int] = [0, 4, 128], hashLayers: Int = 1, multiTokenPredictionLayers: Int = 0
  ) -> ModelConfiguration {
    flash.with {
      $0.ratios = ratios
      $0.hashLayers = hashLayers
      $0.multiTokenPredictionLayers = multiTokenPredictionLayers
    }
  }

  /// The presets by name, in the order of their size.
  public static let presets: [(name: String, configuration: ModelConfiguration)] = [
    ("tiny", tiny), ("tiny-pro", tinyPro), ("tiny-deployed", tinyDeployed), ("flash-3-layers", flashWidth()),
    ("flash", flash), ("pro", pro),
  ]

  /// - Throws: `InputError` with all names if there is no such preset.
  public static func preset(_ name: String) throws(InputError) -> ModelConfiguration {
    guard let preset = presets.first(where: { $0.name == name }) else {
      let names = presets.map(\.name).joined(separator: ", ")
      throw InputError("config", "there is no preset \"\(name)\"; the presets are \(names)")
    }
    return preset.configuration
  }

  /// The same with some numbers changed.
  public func with(_ change: (inout ModelConfiguration) -> Void) -> ModelConfiguration {
    var copy = self
    change(&copy)
    return copy
  }

  private static func alternating(_ first: Int, _ second: Int, pairs: Int) -> [Int] {
    (0..<pairs).flatMap { _ in [first, second] }
  }
}
