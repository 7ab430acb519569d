import RotaryEmbedding
import Tensors
import TokenCompression

/// The steps of token compression on fast kernels; on the path in Double the reference steps.
struct FastCompressionSteps: CompressionSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, _ projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, projection)
  }

  func pooledBlocks<Scalar: RealScalar>(
    _ blocks: Range<Int>, of state: CompressorState<Scalar>, positionBias: Tensor<Scalar>, chunkStart: Int
  ) throws(InputError) -> Tensor<Scalar> {
    guard let bias = floats(positionBias) else {
      return try ReferenceCompressionSteps().pooledBlocks(
        blocks, of: state, positionBias: positionBias, chunkStart: chunkStart)
    }
    let state32 = unsafeBitCast(state, to: CompressorState<Float>.self)  // Scalar is Float: floats gave a tensor
    return generic(try kernels.pooledBlocks(blocks, of: state32, positionBias: bias))
  }

  func normalized<Scalar: RealScalar>(
    _ pooled: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericNorm(pooled, weight: weight, epsilon: epsilon)
  }

  func rotatedEntries<Scalar: RealScalar>(
    _ entries: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    guard !positions.isEmpty else { return entries }
    let heads = try entries.reshaped([entries.shape[0], 1, entries.shape[1]])
    return try rotarySteps.rotated(heads, positions: positions, configuration: rotary, inverse: false)
      .reshaped(entries.shape)
  }
}
