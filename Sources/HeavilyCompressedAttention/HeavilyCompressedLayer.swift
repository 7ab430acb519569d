import CoreAttention
import Tensors
import TokenCompression

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
    guard core.layout.ratio == compressor.ratio, !compressor.overlaps, core.layout.indexWidth == nil,
      core.layout.headWidth == compressor.norm.count
    else {
      throw InputError("attention", "a compressor of ratio \(compressor.ratio) does not fit the layer \(core.layout)")
    }
    self.core = core
    self.compressor = compressor
  }

  public var layout: AttentionLayout { core.layout }

  /// Eqs. (20) to (26).
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>
  ) throws(InputError) -> AttentionOutput<Scalar> {
    let beginning = try core.begin(hidden, state: &state)
    let compression = try state.compress(hidden, with: compressor)
    let chosen = beginning.positions.map { position in
      Array(0..<core.visibleBlocks(at: position, in: state, chunkLength: beginning.positions.count))
    }
    let (attended, output) = try core.finish(beginning, state: &state, chosen: chosen)
    return AttentionOutput(
      beginning, compressedEntries: compression.entries, indexing: nil, attended: attended, output: output)
  }
}
