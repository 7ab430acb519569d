import Taps
import Tensors

// Axes: T tokens, d model width, h heads, c head width, q query latent width, N new compressed entries, S all of them,
// K = min(k, S).

/// An attention layer of any kind: tokens and a state in, outputs and the moved state out.
///
/// It may be called with any number of tokens at a time, and the outputs do not depend on how they are split: not by one
/// bit, since every sum runs over the same terms in the same order.
public protocol AttentionLayer<Scalar>: Sendable {
  associatedtype Scalar: RealScalar

  /// The form of this layer's states.
  var layout: AttentionLayout { get }

  /// - Parameters:
  ///   - hidden: `[T, d]`, normalised by the block
  ///   - state: of this layer; it moves on by T tokens
  ///   - hooks: where it rounds, and who listens
  /// - Throws: `InputError` for another shape, no tokens, a state of another layout, a position beyond the maximum; the
  ///   state is then as it was.
  func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>, hooks: Hooks
  ) throws(InputError) -> AttentionOutput<Scalar>
}

extension AttentionLayer {
  /// The layer in exact arithmetic, unheard: hidden `[T, d]` and a state, which moves on by T tokens.
  ///
  /// - Throws: `InputError` as with hooks.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, state: inout AttentionState<Scalar>
  ) throws(InputError) -> AttentionOutput<Scalar> {
    try self(hidden, state: &state, hooks: .none)
  }
}

/// What an attention layer computes, step by step.
public struct AttentionOutput<Scalar: RealScalar>: Sendable {
  /// `[T, q]`
  public let queryLatent: Tensor<Scalar>
  /// `[T, h, c]`, rotated
  public let queries: Tensor<Scalar>
  /// `[T, c]`, rotated
  public let windowEntries: Tensor<Scalar>
  /// `[N, c]`: the entries that these tokens completed; nil in a layer without compression.
  public let compressedEntries: Tensor<Scalar>?
  /// What the indexer did; nil in a layer without one.
  public let indexing: Indexing<Scalar>?
  /// `[T, h, c]`, rotated back
  public let attended: Tensor<Scalar>
  /// `[T, d]`
  public let output: Tensor<Scalar>
}

/// What an indexer computes for T tokens, step by step.
public struct Indexing<Scalar: RealScalar>: Sendable {
  /// `[T, H, i]`, rotated and transformed
  public let queries: Tensor<Scalar>
  /// `[N, i]`: the keys that these tokens completed, rotated and transformed
  public let newKeys: Tensor<Scalar>
  /// `[T, H]`, scaled
  public let weights: Tensor<Scalar>
  /// For each token, the scores of all entries there are, −∞ where not visible.
  public let scores: [[Scalar]]
  /// For each token, the selected entries, best first.
  public let selection: [[Int]]
  /// For each token, the last selected score minus the first rejected one; +∞ where nothing was rejected.
  public let margin: [Scalar]

  /// What an indexer has computed for T tokens, and for the N entries that they completed.
  public init(
    queries: Tensor<Scalar>, newKeys: Tensor<Scalar>, weights: Tensor<Scalar>, scores: [[Scalar]], selection: [[Int]],
    margin: [Scalar]
  ) {
    self.queries = queries
    self.newKeys = newKeys
    self.weights = weights
    self.scores = scores
    self.selection = selection
    self.margin = margin
  }
}
