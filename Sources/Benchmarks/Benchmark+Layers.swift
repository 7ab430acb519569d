import CoreAttention
import DeepSeekV4
import Taps
import Tensors
import TokenCompression

// Axes: T tokens, n residual streams, d model width, c head width, i index width, m compression ratio.

extension Benchmark {
  /// Tokens before the decoded one, unless somebody asks for others.
  public static let decodePosition = 1_000_000
  /// The positions at which the time of a decoded token is shown to be linear.
  public static let decodePositions = [62_500, 125_000, 250_000, 500_000, 1_000_000]
  /// How many tokens a benchmark may decode.
  static let decodeRoom = 10_000

  static let sparseLayer = layer("csa-layer", "whole CSA layer", ratio: 4)
  static let heavyLayer = layer("hca-layer", "whole HCA layer", ratio: 128)

  private static func layer(_ id: String, _ title: String, ratio: Int) -> Benchmark {
    Benchmark(id, title, sizes: [512, 2048]) { setting in
      let model = BenchmarkModel(setting)
      let block = try model.block(ratio: ratio).keepingExperts()
      let (tokens, numbers) = (setting.size, setting.configuration)
      let streams = randomTensor([tokens, numbers.streams, numbers.width], seed: 15)
      let ids = Tensor(repeating: 0, shape: [tokens])
      return Preparation(work: model.layerWork(block, setting, start: 0)) {
        var state = AttentionState<Float>(block.attention.layout)
        _ = try block(streams, tokenIDs: ids, state: &state, hooks: .none)
      }
    }
  }

  static let sparseDecode = Benchmark("csa-decode", "one token through a CSA layer", sizes: [1]) { setting in
    let model = BenchmarkModel(setting)
    let block = try model.block(ratio: 4).keepingExperts()
    let numbers = setting.configuration
    let streams = randomTensor([1, numbers.streams, numbers.width], seed: 16)
    let ids = Tensor(repeating: 0, shape: [1])
    func after(_ position: Int) throws -> Preparation {
      var state = try model.filledState(block.attention.layout, position: position)
      // The first tokens let the state grow to where it has room for the next ones.
      for _ in 0..<8 { _ = try block(streams, tokenIDs: ids, state: &state, hooks: .none) }
      return Preparation(work: model.layerWork(block, setting, start: position), moved: after) {
        _ = try block(streams, tokenIDs: ids, state: &state, hooks: .none)
      }
    }
    return try after(setting.position)
  }
}

extension BenchmarkModel {
  /// The state of a layer of ratio 4 after many tokens, filled with random entries.
  func filledState(_ layout: AttentionLayout, position: Int) throws -> AttentionState<Float> {
    func compressor(width: Int, seed: UInt64) throws -> CompressorState<Float> {
      let recent = max(position / layout.ratio - 1, 0) * layout.ratio..<position
      return try CompressorState(
        ratio: layout.ratio, overlaps: true, entries: randomRows(0..<position / layout.ratio, width: width, seed: seed),
        keyValues: randomRows(recent, width: 2 * width, seed: seed + 1),
        scores: randomRows(recent, width: 2 * width, seed: seed + 2))
    }
    return try AttentionState(
      layout, window: randomRows(max(position - layout.window, 0)..<position, width: layout.headWidth, seed: 17),
      compressor: compressor(width: layout.headWidth, seed: 18),
      indexCompressor: compressor(width: configuration.indexWidth, seed: 21))
  }

  /// The work of a layer from a position on: its matrices, its index scores, its core attention.
  func layerWork(_ block: TransformerBlock<Float>, _ setting: Benchmark.Setting, start: Int) -> Work {
    let (tokens, layout) = (setting.size, block.attention.layout)
    let prefix = "layers.\(layout.ratio == 4 ? 1 : 2)."
    let attentionWeights = configuration.inventory
      .filter { $0.name.hasPrefix(prefix) && $0.shape.count == 2 && !$0.name.contains("experts") }
      .filter { !$0.name.hasSuffix("ape") }.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let experts = Benchmark.expertWork(setting)
    var (seen, scored) = (0, 0)
    for position in start..<start + tokens {
      let blocks = (position + 1) / layout.ratio
      seen += min(position + 1, layout.window) + (layout.ratio == 4 ? min(blocks, configuration.indexTopK) : blocks)
      scored += layout.ratio == 4 ? blocks : 0
    }
    let (heads, width) = (configuration.heads, configuration.headWidth)
    let scores = Double(scored * configuration.indexHeads * configuration.indexWidth)
    // The grouped output projection meets each of its first matrices with one group of heads only, as its shape says.
    let flops =
      2 * Double(tokens * attentionWeights) + experts.flops + 2 * scores + 4 * Double(seen * heads * width)
    let state = start > 0 ? Double(scored * configuration.indexWidth + seen * width) : 0
    return Work(
      flops: flops, bytes: 4 * (Double(attentionWeights) + state) + experts.bytes, bound: Benchmark.bound(setting))
  }
}
