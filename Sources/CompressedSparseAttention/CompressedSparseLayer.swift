import CoreAttention
import Tensors
import TokenCompression

/// A layer of compressed sparse attention (report 2.3.1): its window, and the compressed entries that the indexer selects.
///
/// Ratio 4, with overlapping compression.
public struct CompressedSparseLayer<Scalar: RealScalar>: AttentionLayer {
  public let core: AttentionCore<Scalar>
  public let compressor: Compressor<Scalar>
  public let indexer: LightningIndexer<Scalar>

  /// - Throws: `InputError` if the parts do not fit each other.
  public init(
    core: AttentionCore<Scalar>, compressor: Compressor<Scalar>, indexer: LightningIndexer<Scalar>
  ) throws(InputError) {
    guard core.layout.ratio == compressor.ratio, core.layout.ratio == indexer.compressor.ratio,
      core.layout.headWidth == compressor.norm.count, core.layout.indexWidth == indexer.compressor.norm.count
    else {
      throw InputError("attention", "compressor and indexer do not fit the layer \(core.layout)")
    }
    self.core = core
    self.compressor = compressor
    self.indexer = indexer
  }

  public var layout: AttentionLayout { core.layout }

  /// Eqs. (9) to (19).
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>
  ) throws(InputError) -> AttentionOutput<Scalar> {
    let beginning = try core.begin(hidden, state: &state)
    let chunkLength = beginning.positions.count
    do {
      let compression = try state.compress(hidden, with: compressor)
      let indexing = try indexer(
        hidden, latent: beginning.queryLatent, positions: beginning.positions, state: &state
      ) { position, finished in
        core.steps.visibleBlocks(at: position, ratio: layout.ratio, finished: finished, chunkLength: chunkLength)
      }
      let (attended, output) = try core.finish(beginning, state: &state, chosen: indexing.selection)
      return AttentionOutput(
        beginning, compressedEntries: compression.entries, indexing: indexing, attended: attended, output: output)
    } catch {
      try state.rollBack(to: beginning.positions[0])  // a NaN score: nothing of these tokens may stay
      throw error
    }
  }
}
