import CoreAttention
import DeepSeekV4
import ExpertRouting
import RotaryEmbedding
import Tensors
import TokenCompression

/// The layers that benchmarks take parts of, at the widths of a released model.
struct BenchmarkModel {
  let configuration: ModelConfiguration
  let steps: StepSet

  /// The ratio of each layer of the model.
  private static let ratios = [0, 4, 128]

  /// - Parameters:
  ///   - setting: widths and steps
  ///   - experts: how many a layer has; a whole model's would not fit into memory
  init(_ setting: Benchmark.Setting, experts: Int = 8) {
    configuration = setting.configuration.with {
      $0.ratios = Self.ratios
      $0.hashLayers = 0
      $0.multiTokenPredictionLayers = 0
      $0.experts = experts
      $0.vocabularySize = 8
    }
    steps = setting.steps
  }

  /// One layer: of ratio 0, 4 or 128.
  func block(ratio: Int) throws -> TransformerBlock<Float> {
    let weights = GeneratedWeights(seed: 1, configuration: configuration, rounded: false)
    let model = try LanguageModel<Float>(
      configuration, weights: weights, steps: steps, angles: .float32, keepsLayers: false)
    guard let index = Self.ratios.firstIndex(of: ratio) else {
      throw InputError("bench", "there is no layer of ratio \(ratio)")
    }
    return try model.layer(index)
  }

  /// The rotary embedding of compressed layers.
  var rotary: RotaryConfiguration {
    get throws(InputError) {
      try RotaryConfiguration(
        ropeDims: configuration.ropeDims, headWidth: configuration.headWidth, theta: configuration.compressTheta,
        yarn: configuration.yarn, angles: .float32)
    }
  }

  /// The experts of a layer, chosen by a table: token t goes to the experts t, t + 1, … modulo their number.
  func mixture(_ block: TransformerBlock<Float>, tokens: Int) throws -> MixtureOfExperts<Float> {
    let (count, chosen) = (configuration.experts, configuration.expertsPerToken)
    let rows = (0..<tokens).flatMap { token in (0..<chosen).map { (token + $0) % count } }
    let router = try Router(
      gate: block.experts.router.gate, width: configuration.width,
      rule: .hash(table: Tensor(shape: [tokens, chosen], elements: rows)), routeScale: Float(configuration.routeScale),
      steps: steps.routing, operation: "mixture")
    let experts = block.experts
    return MixtureOfExperts(
      router: router, shared: experts.sharedExpert, steps: experts.steps, expert: experts.expert)
  }
}

/// Numbers in [−1, 1) that anybody can make again, the same for the same seed.
func randomTensor(_ shape: [Int], seed: UInt64, scale: Float = 1) -> Tensor<Float> {
  let count = shape.reduce(1, *)
  let elements = [Float](unsafeUninitializedCapacity: count) { buffer, written in
    for index in 0..<count {
      buffer.initializeElement(
        at: index, to: scale * unitValue(splitmix64(seed &* 0x9E37_79B9 &+ UInt64(index))))
    }
    written = count
  }
  return Tensor(filling: shape, elements)
}

/// Rows of a decode state.
func randomRows(_ range: Range<Int>, width: Int, seed: UInt64) throws -> RowStore<Float> {
  var rows = RowStore<Float>(width: width, start: range.lowerBound)
  try rows.append(randomTensor([range.count, width], seed: seed))
  return rows
}
