import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, d model width.

/// A layer of ratio 0: a token sees the uncompressed entries of its window and nothing else.
public struct SlidingWindowLayer<Scalar: RealScalar>: AttentionLayer {
  public let core: AttentionCore<Scalar>

  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, or a number is unusable.
  public init(
    width: Int, weights: AttentionWeights<Scalar>, configuration: AttentionConfiguration<Scalar>,
    steps: any AttentionSteps = .reference, rotarySteps: any RotarySteps = .reference
  ) throws(InputError) {
    core = try AttentionCore(
      width: width, ratio: 0, indexWidth: nil, weights: weights, configuration: configuration, steps: steps,
      rotarySteps: rotarySteps)
  }

  public var layout: AttentionLayout { core.layout }

  /// Core attention over the window alone.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`, normalised by the block
  ///   - state: of this layer; it moves on by T tokens
  ///   - hooks: where it rounds, and who listens
  /// - Throws: `InputError` for another shape, no tokens, a state of another layout, a position beyond the maximum.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, hooks: Hooks
  ) throws(InputError) -> AttentionOutput<Scalar> {
    try core(hidden, state: &state, hooks: hooks) { beginning, _ in
      AttentionChoice(chosen: Array(repeating: [], count: beginning.positions.count))
    }
  }
}
