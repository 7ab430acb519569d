import CompressedSparseAttention
import CoreAttention
import DeepSeekV4
import HeavilyCompressedAttention
import KnownBugs
import RotaryEmbedding
import Tensors
import TestSupport
import TokenCompression

/// A small attention layer with random sizes and weights: every property is tried on many of them.
struct RandomLayer<Scalar: RealScalar> {
  let layer: any AttentionLayer<Scalar>
  let width: Int
  let window: Int
  let ratio: Int

  enum Kind: CaseIterable { case sliding, sparse, heavy }

  init(
    _ kind: Kind, _ generator: inout SeededGenerator, topK: Int? = nil, depth: Int = 16, window: Int? = nil,
    steps: StepSet = StepSet()
  ) throws {
    let width = Int.random(in: 3...7, using: &generator)
    let window = window ?? Int.random(in: 1...6, using: &generator)
    let groups = Int.random(in: 1...2, using: &generator)
    let heads = groups * Int.random(in: 1...2, using: &generator)
    let headWidth = 2 * Int.random(in: 1...4, using: &generator)
    let latent = Int.random(in: 2...5, using: &generator)
    let rank = Int.random(in: 1...3, using: &generator)
    let ratio =
      switch kind {
      case .sliding: 0
      case .sparse: 4
      case .heavy: [1, 2, 3, 5, 8].randomElement(using: &generator) ?? 2
      }
    func rotary(_ headWidth: Int) throws -> RotaryConfiguration {
      try RotaryConfiguration(
        ropeDims: 2, headWidth: headWidth, theta: 500,
        yarn: YaRN(factor: 4, originalLength: 16, betaFast: 4, betaSlow: 1), angles: .standard(for: Scalar.self))
    }
    let weights = AttentionWeights<Scalar>(
      queryDown: try generator.normals([latent, width]), queryNorm: try generator.normals([latent]),
      queryUp: try generator.normals([heads * headWidth, latent]),
      keyValueProjection: try generator.normals([headWidth, width]), keyValueNorm: try generator.normals([headWidth]),
      sinks: try generator.normals([heads]),
      outputDown: try generator.normals([groups * rank, heads * headWidth / groups]),
      outputUp: try generator.normals([width, groups * rank]))
    let configuration = AttentionConfiguration<Scalar>(
      heads: heads, window: window, groups: groups, normEpsilon: 1e-3, rotary: try rotary(headWidth),
      maximumPositions: 4096, rollBackDepth: depth)
    self.width = width
    self.window = window
    self.ratio = ratio
    guard ratio > 0 else {
      layer = try SlidingWindowLayer(
        width: width, weights: weights, configuration: configuration, steps: steps.attention,
        rotarySteps: steps.rotary)
      return
    }
    func compressor(_ entryWidth: Int, _ generator: inout SeededGenerator) throws -> Compressor<Scalar> {
      let projected = ratio == 4 ? 2 * entryWidth : entryWidth
      return try Compressor(
        width: width, ratio: ratio, keyValueProjection: generator.normals([projected, width]),
        gateProjection: generator.normals([projected, width]), positionBias: generator.normals([ratio, projected]),
        norm: generator.normals([entryWidth]), normEpsilon: 1e-3, rotary: rotary(entryWidth),
        steps: steps.compression, rotarySteps: steps.rotary)
    }
    let indexWidth = 4
    let core = try AttentionCore(
      width: width, ratio: ratio, indexWidth: ratio == 4 ? indexWidth : nil, weights: weights,
      configuration: configuration, steps: steps.attention, rotarySteps: steps.rotary)
    let main = try compressor(headWidth, &generator)
    guard ratio == 4 else {
      layer = try HeavilyCompressedLayer(core: core, compressor: main)
      return
    }
    let indexHeads = Int.random(in: 1...3, using: &generator)
    layer = try CompressedSparseLayer(
      core: core, compressor: main,
      indexer: LightningIndexer(
        width: width, latentWidth: latent, heads: indexHeads,
        topK: topK ?? Int.random(in: 1...4, using: &generator),
        queryProjection: generator.normals([indexHeads * indexWidth, latent]),
        weightsProjection: generator.normals([indexHeads, width]), compressor: compressor(indexWidth, &generator),
        rotary: rotary(indexWidth), steps: steps.indexer, rotarySteps: steps.indexRotary))
  }

  func empty() -> AttentionState<Scalar> { AttentionState(layer.layout) }

  /// One prefill of everything.
  func prefill(_ hidden: Tensor<Scalar>) throws -> Tensor<Scalar> {
    var state = empty()
    return try layer(hidden, state: &state).output
  }

  /// The tokens in random pieces, from where the state stands.
  func feed(
    _ hidden: Tensor<Scalar>, _ range: Range<Int>, state: inout AttentionState<Scalar>,
    _ generator: inout SeededGenerator, longest: Int = 7
  ) throws -> Tensor<Scalar> {
    var outputs: [Tensor<Scalar>] = []
    var first = range.lowerBound
    while first < range.upperBound {
      let last = min(first + Int.random(in: 1...longest, using: &generator), range.upperBound)
      outputs.append(try layer(hidden.rows(first..<last), state: &state).output)
      first = last
    }
    return try .concatenated(outputs, width: width)
  }
}

extension Tensor {
  /// Some rows of a matrix.
  func rows(_ range: Range<Int>) throws -> Tensor {
    let width = shape[1]
    return try Tensor(
      shape: [range.count, width], elements: Array(elements[range.lowerBound * width..<range.upperBound * width]))
  }
}
