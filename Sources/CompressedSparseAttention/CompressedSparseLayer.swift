import CoreAttention
import Taps
import Tensors
import TokenCompression

// Axes: T tokens, d model width.

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
    guard core.layout.ratio == 4 else {
      throw InputError("attention", "the layer \(core.layout) is not one of compressed sparse attention")
    }
    try core.require(compressor, entryWidth: core.layout.headWidth)
    try core.require(indexer.compressor, entryWidth: core.layout.indexWidth)
    self.core = core
    self.compressor = compressor
    self.indexer = indexer
  }

  public var layout: AttentionLayout { core.layout }

  /// Eqs. (9) to (19).
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`, normalised by the block
  ///   - state: of this layer; it moves on by T tokens
  ///   - hooks: where it rounds, and who listens
  /// - Throws: `InputError` for another shape, no tokens, a state of another layout, a position beyond the
  ///   maximum, a NaN score.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, hooks: Hooks
  ) throws(InputError) -> AttentionOutput<Scalar> {
    try core(hidden, state: &state, hooks: hooks) { (beginning, state) throws(InputError) in
      let compression = try core.compress(hidden, with: compressor, state: &state, hooks)
      let indexing = try indexer(
        hidden, latent: beginning.linearQueryLatent, positions: beginning.positions, state: &state,
        hooks: hooks.within("indexer")
      ) { position, finished in
        core.steps.visibleBlocks(
          at: position, ratio: layout.ratio, finished: finished, chunkLength: beginning.positions.count)
      }
      return AttentionChoice(chosen: indexing.selection, newEntries: compression.entries, indexing: indexing)
    }
  }
}
