import CompressedSparseAttention
import CoreAttention
import DeepSeekV4
import FastKernels
import RotaryEmbedding
import Taps
import Tensors
import TokenCompression

/// Core attention: queries `[T, h, c]`, window entries `[·, c]`, sinks `[h]`, and compressed entries `[N, c]` or none.
struct AttentionTwin: StepTwin {
  let name = "attended"
  /// The number of the first window entry.
  let start: Int
  let windows: [Range<Int>]
  /// Without compressed entries of no meaning.
  let chosen: [[Int]]

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceAttentionSteps().attended(
      inputs[0], over: visible(inputs), sinks: inputs[2], rotary: rotary(inputs[0].shape[2]), hooks: .none)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try StepSet.fast(kernels).attention.attended(
      inputs[0], over: visible(inputs), sinks: inputs[2], rotary: rotary(inputs[0].shape[2]), hooks: .none)
  }

  /// A score has c + 2 roundings on its way, its distance from the largest one more, an exponential 2 units in the last
  /// place: an error of e in each of them is one of 2 e in a probability. The sums over n entries have 2 n + 4 roundings.
  /// Probabilities add up to at most 1, so the largest entry bounds what they weigh.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let entries = inputs.count > 3 ? try inputs[1].appending(inputs[3]) : inputs[1]
    let width = inputs[0].shape[2]
    guard entries.shape[0] > 0 else { return Tensor(repeating: 0, shape: exact.shape) }
    let score =
      try linear(inputs[0].magnitudes, entries.magnitudes).largestMagnitude / Double(width).squareRoot()
    let largest = score + inputs[2].largestMagnitude
    let perScore = Double(width + 3) * score + 2 * largest + 4
    let count = zip(windows, chosen).map { $0.count + $1.count }.max() ?? 0
    let factor = (2 * perScore + Double(2 * count + 4)) * unitRoundoff
    return Tensor(repeating: factor * entries.largestMagnitude, shape: exact.shape)
  }

  private func visible<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> VisibleEntries<Scalar> {
    var window = RowStore<Scalar>(width: inputs[1].shape[1], start: start)
    try window.append(inputs[1])
    var compressed: RowStore<Scalar>?
    if inputs.count > 3 {
      var store = RowStore<Scalar>(width: inputs[3].shape[1])
      try store.append(inputs[3])
      compressed = store
    }
    return VisibleEntries(window: window, windows: windows, windowLength: 128, compressed: compressed, chosen: chosen)
  }

  /// Only the head width matters: it gives the scale.
  private func rotary(_ width: Int) throws -> RotaryConfiguration {
    try RotaryConfiguration(ropeDims: 2, headWidth: max(width, 2), theta: 10000, angles: .exact)
  }
}

/// Queries of the indexer in one pass: latent `[T, q]` and projection `[H·i, q]`.
struct IndexQueriesTwin: StepTwin {
  let name = "fusedQueries"
  let heads: Int
  let positions: [Int]
  let configuration: RotaryConfiguration

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try hadamard(rotation.reference([product(inputs)]))
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    let steps = StepSet.fast(kernels)
    let fused = try steps.indexer.fusedQueries(
      inputs[0], projection: inputs[1], heads: heads, positions: positions, rotary: configuration,
      rotarySteps: steps.indexRotary)
    guard let fused else { throw InputError(name, "the fast steps have none") }
    return fused
  }

  /// What the three steps add. A rotation carries the error of either channel of a pair into both.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let product = try product(inputs)
    let productErrors = try LinearTwin().bound(inputs, exact: product).elements
    let rotated = try rotation.reference([product])
    let rotationErrors = try rotation.bound([product], exact: rotated).elements
    let width = product.shape[2]
    let errors = productErrors.indices.map { index in
      let channel = index % width - (width - configuration.ropeDims)
      let partner = channel < 0 ? 0 : productErrors[channel % 2 == 0 ? index + 1 : index - 1]
      return productErrors[index] + partner + rotationErrors[index]
    }
    let sums = try Tensor(shape: product.shape, elements: errors).sum(over: .rows) * (1 / Double(width).squareRoot())
    return try HadamardTwin().bound([rotated], exact: exact) + sums
  }

  private var rotation: RotationTwin {
    RotationTwin(positions: positions, configuration: configuration, inverse: false)
  }

  private func product<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceIndexerSteps().queries(inputs[0], projection: inputs[1], heads: heads)
  }
}

/// Scores of the indexer: queries `[T, H, i]`, keys `[N, i]` and weights `[T, H]`.
struct IndexScoresTwin: StepTwin {
  let name = "allScores"
  let visible: [Int]

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try scores(ReferenceIndexerSteps(), inputs)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try scores(StepSet.fast(kernels).indexer, inputs)
  }

  /// i products and sums, then H of them.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let roundings = Double(inputs[0].shape[2] + inputs[0].shape[1] + 3)
    return try reference(inputs.map(\.magnitudes)).map { $0.isFinite ? $0 * roundings * unitRoundoff : 0 }
  }

  private func scores<Scalar: RealScalar>(
    _ steps: some IndexerSteps, _ inputs: [Tensor<Scalar>]
  ) throws -> Tensor<Scalar> {
    var keys = RowStore<Scalar>(width: inputs[1].shape[1])
    try keys.append(inputs[1])
    let scores = try steps.allScores(
      queries: inputs[0], keys: keys, weights: inputs[2], visible: visible, hooks: .none)
    return try Tensor(shape: [visible.count, inputs[1].shape[0]], elements: scores.flatMap { $0 })
  }
}

/// Entries of compression: contents `[·, w]`, scores `[·, w]` and position bias `[m, w]`.
struct PoolingTwin: StepTwin {
  let name = "pooledBlocks"
  let ratio: Int
  let overlaps: Bool
  /// The block of the first row.
  let firstBlock: Int
  let blocks: Range<Int>

  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar> {
    try ReferenceCompressionSteps().pooledBlocks(blocks, of: state(inputs), positionBias: inputs[2], chunkStart: 0)
  }

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float> {
    try StepSet.fast(kernels).compression.pooledBlocks(
      blocks, of: state(inputs), positionBias: inputs[2], chunkStart: 0)
  }

  /// As for attention: a score is one sum, and 2 m rows are summed at most.
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double> {
    let largest = inputs[1].largestMagnitude + inputs[2].largestMagnitude
    let factor = (2 * (3 * largest + 4) + Double(4 * ratio + 4)) * unitRoundoff
    return try reference([inputs[0].magnitudes, inputs[1], inputs[2]]) * factor
  }

  private func state<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> CompressorState<Scalar> {
    let projected = inputs[0].shape[1]
    var values = RowStore<Scalar>(width: projected, start: firstBlock * ratio)
    var scores = values
    try values.append(inputs[0])
    try scores.append(inputs[1])
    let width = overlaps ? projected / 2 : projected
    var entries = RowStore<Scalar>(width: width)
    try entries.append(Tensor(repeating: 0, shape: [values.end / ratio, width]))
    return try CompressorState(ratio: ratio, overlaps: overlaps, entries: entries, keyValues: values, scores: scores)
  }
}
