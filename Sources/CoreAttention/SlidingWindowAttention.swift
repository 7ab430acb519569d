import RotaryEmbedding
import Tensors

/// A layer of ratio 0: a token sees the uncompressed entries of its window and nothing else.
public struct SlidingWindowAttention<Scalar: RealScalar>: AttentionLayer {
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

  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>
  ) throws(InputError) -> AttentionOutput<Scalar> {
    let beginning = try core.begin(hidden, state: &state)
    let (attended, output) = try core.finish(
      beginning, state: &state, chosen: Array(repeating: [], count: beginning.positions.count))
    return AttentionOutput(beginning, compressedEntries: nil, indexing: nil, attended: attended, output: output)
  }
}
