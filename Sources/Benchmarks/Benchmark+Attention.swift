import CompressedSparseAttention
import CoreAttention
import HeavilyCompressedAttention
import Tensors
import TokenCompression

// Axes: T tokens, d model width, h heads, c head width, H index heads, i index width, N entries.

extension Benchmark {
  static let sparseCompressor = compressor("csa-compressor", "CSA compressor", ratio: 4)
  static let heavyCompressor = compressor("hca-compressor", "HCA compressor", ratio: 128)

  private static func compressor(_ id: String, _ title: String, ratio: Int) -> Benchmark {
    Benchmark(id, title) { setting in
      let layer = try BenchmarkModel(setting).block(ratio: ratio).attention
      guard
        let compressor = (layer as? CompressedSparseLayer<Float>)?.compressor
          ?? (layer as? HeavilyCompressedLayer<Float>)?.compressor
      else { throw InputError("bench", "a layer of ratio \(ratio) has no compressor") }
      let hidden = randomTensor([setting.size, setting.configuration.width], seed: 4)
      let weights = 2 * compressor.keyValueProjection.count
      let work = Work(
        flops: 2 * Double(setting.size * weights), bytes: 4 * Double(weights + hidden.count), bound: bound(setting))
      return Preparation(work: work) {
        var state = compressor.emptyState
        _ = try compressor(hidden, state: &state)
      }
    }
  }

  static let indexer = Benchmark("indexer", "lightning indexer") { setting in
    guard let layer = try BenchmarkModel(setting).block(ratio: 4).attention as? CompressedSparseLayer<Float> else {
      throw InputError("bench", "a layer of ratio 4 has no indexer")
    }
    let (indexer, numbers, tokens) = (layer.indexer, setting.configuration, setting.size)
    let hidden = randomTensor([tokens, numbers.width], seed: 5)
    let latent = randomTensor([tokens, numbers.queryLatentWidth], seed: 6)
    let positions = Array(0..<tokens)
    let weights =
      indexer.queryProjection.count + indexer.weightsProjection.count + 2 * indexer.compressor.keyValueProjection.count
    let visible = positions.reduce(0) { $0 + ($1 + 1) / 4 }
    let flops = 2 * Double(tokens * weights) + 2 * Double(visible * numbers.indexHeads * numbers.indexWidth)
    let work = Work(flops: flops, bytes: 4 * Double(weights + hidden.count + latent.count), bound: bound(setting))
    return Preparation(work: work) {
      var state = AttentionState<Float>(layer.layout)
      _ = try indexer(hidden, latent: latent, positions: positions, state: &state) { position, _ in
        (position + 1) / 4
      }
    }
  }

  static let sparseCore = core("csa-core", "core attention, CSA", ratio: 4)
  static let heavyCore = core("hca-core", "core attention, HCA", ratio: 128)
  static let slidingCore = core("sliding-core", "core attention, sliding", ratio: 0)

  private static func core(_ id: String, _ title: String, ratio: Int) -> Benchmark {
    Benchmark(id, title) { setting in
      let (numbers, tokens) = (setting.configuration, setting.size)
      let queries = randomTensor([tokens, numbers.heads, numbers.headWidth], seed: 7)
      let sinks = randomTensor([numbers.heads], seed: 8)
      let entries = ratio == 0 ? nil : try randomRows(0..<tokens / ratio, width: numbers.headWidth, seed: 9)
      let chosen = (0..<tokens).map { token in
        let seen = ratio == 0 ? 0 : (token + 1) / ratio
        return Array((ratio == 4 ? max(seen - numbers.indexTopK, 0) : 0)..<seen)
      }
      let visible = VisibleEntries(
        window: try randomRows(0..<tokens, width: numbers.headWidth, seed: 10),
        windows: (0..<tokens).map { max(0, $0 - numbers.window + 1)..<$0 + 1 }, windowLength: numbers.window,
        compressed: entries, chosen: chosen)
      let rotary = try BenchmarkModel(setting).rotary
      let steps = setting.steps.attention
      let seen = visible.windows.map(\.count).reduce(0, +) + chosen.map(\.count).reduce(0, +)
      let work = Work(
        flops: 4 * Double(seen * numbers.heads * numbers.headWidth),
        bytes: 4 * Double(2 * queries.count + tokens * numbers.headWidth))
      return Preparation(work: work) {
        _ = try steps.attended(queries, over: visible, sinks: sinks, rotary: rotary, hooks: .none)
      }
    }
  }

  /// One token has to wait for the weights, many for the arithmetic.
  static func bound(_ setting: Setting) -> Work.Bound { setting.size < 16 ? .memory : .compute }
}
