import LowPrecision
import RotaryEmbedding
import Tensors
import TokenCompression

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+Compression.swift.

private let correct = ReferenceCompressionSteps()

struct BiasInContent: CompressionSteps {
  func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar> {
    var rows = try correct.blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)
    let width = state.entries.width
    let first = try positionBias.lastAxis(0..<width)
    let bias = state.overlaps ? try first.appending(positionBias.lastAxis(width..<2 * width)) : first
    rows.keyValues = try rows.keyValues + bias
    return rows
  }
}

struct BiasDropped: CompressionSteps {
  func biased<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, positionBias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    scores
  }
}

/// The float32 table is read with the stride of BF16: see `misreadAsBFloat16`.
struct BiasMisread: CompressionSteps {
  func biased<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, positionBias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.biased(scores, positionBias: misreadAsBFloat16(positionBias))
  }
}

struct BiasOfTheLastRow: CompressionSteps {
  func biased<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, positionBias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try scores + positionBias.slice(positionBias.shape[0] - 1)
  }
}

struct FirstWindowScoresZero: CompressionSteps {
  func rowsBeforeTheFirstBlock<Scalar: RealScalar>(ratio: Int, width: Int) -> CompressionRows<Scalar> {
    let zeros = Tensor<Scalar>(repeating: 0, shape: [ratio, width])
    return CompressionRows(keyValues: zeros, scores: zeros)
  }
}

struct NoOverlap: CompressionSteps {
  func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar> {
    let rows = try correct.blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)
    return state.overlaps ? try rows.without(previousBlock: state.ratio) : rows
  }
}

struct OverlapLostInDecode: CompressionSteps {
  func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar> {
    let rows = try correct.blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)
    let previousIsOld = block * state.ratio <= chunkStart
    return state.overlaps && previousIsOld ? try rows.without(previousBlock: state.ratio) : rows
  }
}

struct OverlapHalvesSwapped: CompressionSteps {
  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let rows = try correct.projected(hidden, projection)
    let half = rows.shape[1] / 2
    guard rows.shape[1] % 2 == 0 else { return rows }
    return try rows.lastAxis(half..<2 * half).transposed().appending(rows.lastAxis(0..<half).transposed()).transposed()
  }
}

/// The projections take their input as FP8 matrices do, here with one scale for a token.
struct ProjectionsTakeFP8: CompressionSteps {
  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let quantized = try BlockQuantization(.float8E4M3, columns: hidden.shape[1]).rounded(hidden)
    return try correct.projected(quantized, projection)
  }
}

struct DeadInDecode: CompressionSteps {
  func blockRows<Scalar: RealScalar>(
    _ block: Int, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> CompressionRows<Scalar> {
    var rows = try correct.blockRows(block, of: state, positionBias: positionBias, chunkStart: chunkStart)
    if chunkStart > 0 { rows.keyValues = rows.keyValues * 0 }
    return rows
  }
}

struct PooledOverChannels: CompressionSteps {
  func pooled<Scalar: RealScalar>(_ rows: CompressionRows<Scalar>) throws(InputError) -> Tensor<Scalar> {
    let channels = Scalar(rows.scores.shape[1])
    let mean = try rows.scores.sum(over: .rows) / channels
    let scores = try mean + Tensor(repeating: 0, shape: rows.scores.shape)
    return try correct.pooled(CompressionRows(keyValues: rows.keyValues, scores: scores))
  }
}

struct EntryNormOffset: CompressionSteps {
  func normalized<Scalar: RealScalar>(
    _ pooled: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.normalized(pooled, weight: weight + 1, epsilon: epsilon)
  }
}

struct EntryNotRotated: CompressionSteps {
  func rotatedEntry<Scalar: RealScalar>(
    _ entry: Tensor<Scalar>, position: Int, rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    entry
  }
}

struct EntryRotatedAtItsIndex: CompressionSteps {
  func entryPosition(block: Int, ratio: Int) -> Int { block }
}

struct EntryRotatedAtItsLastToken: CompressionSteps {
  func entryPosition(block: Int, ratio: Int) -> Int { (block + 1) * ratio - 1 }
}

extension CompressionRows {
  /// The previous block's rows take no weight, as before the first block.
  fileprivate func without(previousBlock ratio: Int) throws(InputError) -> CompressionRows {
    let width = keyValues.shape[1]
    let nothing: CompressionRows = correct.rowsBeforeTheFirstBlock(ratio: ratio, width: width)
    func current(_ rows: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
      try Tensor(shape: [ratio, width], elements: Array(rows.elements[(ratio * width)...]))
    }
    return CompressionRows(
      keyValues: try nothing.keyValues.appending(current(keyValues)),
      scores: try nothing.scores.appending(current(scores)))
  }
}
