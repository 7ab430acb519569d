import CoreAttention
import Taps
import Tensors
import TokenCompression

// Axes: T tokens, d model width.

/// A layer of heavily compressed attention (report 2.3.2): its window, and **all** compressed entries a token sees.
///
/// Ratio 128 in the released models; any ratio but 0 and 4 means this kind, small ones too.
public struct HeavilyCompressedLayer<Scalar: RealScalar>: AttentionLayer {
  public let core: AttentionCore<Scalar>
  public let compressor: Compressor<Scalar>

  /// - Parameters:
  ///   - core: queries, window and output; its ratio is the compressor's
  ///   - compressor: m′ tokens to one entry, without overlap
  /// - Throws: `InputError` if the two do not fit each other.
  public init(core: AttentionCore<Scalar>, compressor: Compressor<Scalar>) throws(InputError) {
    guard core.layout.indexWidth == nil, !compressor.overlaps else {
      throw InputError("attention", "the layer \(core.layout) is not one of heavily compressed attention")
    }
    try core.require(compressor, entryWidth: core.layout.headWidth)
    self.core = core
    self.compressor = compressor
  }

  public var layout: AttentionLayout { core.layout }

  /// Eqs. (20) to (26).
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`, normalised by the block
  ///   - state: of this layer; it moves on by T tokens
  ///   - hooks: where it rounds, and who listens
  /// - Throws: `InputError` for another shape, no tokens, a state of another layout, a position beyond the maximum.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, hooks: Hooks
  ) throws(InputError) -> AttentionOutput<Scalar> {
    try core(hidden, state: &state, hooks: hooks) { (beginning, state) throws(InputError) in
      let compression = try core.compress(hidden, with: compressor, state: &state, hooks)
      let chosen = beginning.positions.map { position in
        Array(0..<core.visibleBlocks(at: position, in: state, chunkLength: beginning.positions.count))
      }
      return AttentionChoice(chosen: chosen, newEntries: compression.entries)
    }
  }
}
