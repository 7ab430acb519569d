import DeepSeekV4
import RotaryEmbedding

extension Scenario {
  /// The models in which known bugs are planted, in the order in which they are tried.
  public static let all: [Scenario] = [
    Scenario("odd", odd, pieces: [14, 1, 1, 3, 1, 1]),
    Scenario("tiny", .tiny, pieces: [13, 1, 1, 4, 1]),
    Scenario("tiny, speculating", .tiny, pieces: [9, -6, 3, -2, 1, 1, -5, 4, 1, 1, 1]),
    Scenario("odd, long", odd.with { $0.maximumPositions = 512 }, pieces: [70, 1, 3]),
    Scenario("tiny-pro", .tinyPro, pieces: [26, 1, 1]),
    Scenario("tiny, simulated", rounded, pieces: [13, 1, 1], numerics: .simulated),
    Scenario("tiny-deployed", .tinyDeployed, pieces: [11, 1], numerics: .deployed, roundsWeights: true),
    Scenario(
      "large gates", .tiny.with { $0.hashLayers = 1 }, pieces: [13, 1],
      changes: WeightChanges(factors: ["ffn.gate.weight": 40])),
    Scenario("no clamp", .tiny.with { $0.clampLimit = 0 }, pieces: [13, 1]),
    Scenario("repeated experts", .tiny, pieces: [13, 1], changes: WeightChanges(repeatsExperts: true)),
    Scenario(
      "small entries", rounded, pieces: [13, 1], numerics: .simulated,
      changes: WeightChanges(factors: ["attn.kv_norm.weight": 1e-8, "indexer.compressor.norm.weight": 1e-8])),
    Scenario(
      "small scales", .tinyDeployed, pieces: [9, 1], roundsWeights: true,
      changes: WeightChanges(factors: ["w1.weight": 0x1p-10, "w3.weight": 0x1p-10])),
    Scenario(
      "blocks of slots", .tinyDeployed.with { ($0.window, $0.ratios, $0.hashLayers) = (62, [4, 3, 2], 1) },
      pieces: [9, 1, 1], numerics: .deployed, roundsWeights: true),
  ]

  /// Every axis of another size, large epsilons, few iterations, a low clamp limit.
  private static let odd = ModelConfiguration.tiny.with {
    $0.vocabularySize = 29
    $0.width = 10
    $0.ratios = [4, 5, 0, 4]
    $0.heads = 3
    $0.headWidth = 14
    $0.ropeDims = 6
    $0.queryLatentWidth = 7
    $0.outputGroups = 3
    $0.outputRank = 5
    $0.indexHeads = 5
    $0.indexWidth = 16
    $0.expertWidth = 9
    $0.experts = 7
    $0.expertsPerToken = 3
    $0.hashLayers = 1
    $0.routeScale = 2.5
    $0.clampLimit = 0.5
    $0.streams = 3
    $0.sinkhornIterations = 3
    $0.hyperConnectionEpsilon = 1e-2
    $0.normEpsilon = 1e-3
    $0.theta = 500
    $0.compressTheta = 900
    $0.yarn = YaRN(factor: 5.5, originalLength: 40, betaFast: 4, betaSlow: 0.5)
  }

  private static let rounded = ModelConfiguration.tiny.with {
    $0.headWidth = 72
    $0.ropeDims = 8
    $0.indexWidth = 32
  }
}
