import CoreAttention
import ExpertRouting
import HyperConnections
import Taps
import Tensors

// Axes: T tokens, n residual streams, d model width.

/// One layer of the model: attention and experts, each with its norm, inside a hyper-connection site.
///
/// ```
/// streams → [pre-mix → RMSNorm → attention → post-mix] → [pre-mix → RMSNorm → experts → post-mix] → streams
/// ```
public struct TransformerBlock<Scalar: RealScalar>: Sendable {
  public let attentionSite: HyperConnectionSite<Scalar>
  /// `[d]`
  public let attentionNorm: Tensor<Scalar>
  public let attention: any AttentionLayer<Scalar>
  public let expertSite: HyperConnectionSite<Scalar>
  /// `[d]`
  public let expertNorm: Tensor<Scalar>
  public let experts: MixtureOfExperts<Scalar>
  public let normEpsilon: Scalar
  public let steps: any ModelSteps

  /// - Parameters:
  ///   - streams: `[T, n, d]`
  ///   - tokenIDs: `[T]`, for hash routing
  ///   - state: of the attention layer; it moves on by T tokens
  ///   - hooks: where it rounds, and who listens; of this block
  /// - Throws: what its parts throw.
  public func callAsFunction(
    _ streams: Tensor<Scalar>, tokenIDs: Tensor<Int>, state: inout AttentionState<Scalar>, hooks: Hooks
  ) throws -> BlockOutput<Scalar> {
    var indexing: Indexing<Scalar>?
    let between = try attentionSite(streams, hooks: hooks.within("hc_attn")) { input in
      let hidden = try hooks.pass(
        .attentionHidden, steps.normalized(input, weight: attentionNorm, epsilon: normEpsilon))
      let output = try attention(hidden, state: &state, hooks: hooks.within("attn"))
      indexing = output.indexing
      return output.output
    }
    var routing: Routing<Scalar>?
    let streamsOut = try expertSite(between, hooks: hooks.within("hc_ffn")) { input in
      let hidden = try hooks.pass(.expertHidden, steps.normalized(input, weight: expertNorm, epsilon: normEpsilon))
      let output = try experts(hidden, tokenIDs: tokenIDs, hooks: hooks.within("ffn"))
      routing = output.routing
      return output.output
    }
    guard let routing else { throw InputError("block", "a site did not call its layer") }
    return BlockOutput(streams: streamsOut, indexing: indexing, routing: routing)
  }
}

/// What a block decides and passes on.
public struct BlockOutput<Scalar: RealScalar>: Sendable {
  /// `[T, n, d]`
  public let streams: Tensor<Scalar>
  /// What the indexer did; nil in a layer without one.
  public let indexing: Indexing<Scalar>?
  public let routing: Routing<Scalar>
}

extension TransformerBlock {
  /// The same block with all routed experts in memory, so that no call reads them.
  ///
  /// - Throws: what reading an expert throws.
  public func keepingExperts() throws -> TransformerBlock {
    let kept = try (0..<experts.router.gate.shape[0]).map(experts.expert)
    return TransformerBlock(
      attentionSite: attentionSite, attentionNorm: attentionNorm, attention: attention, expertSite: expertSite,
      expertNorm: expertNorm,
      experts: MixtureOfExperts(router: experts.router, shared: experts.sharedExpert, steps: experts.steps) {
        kept[$0]
      },
      normEpsilon: normEpsilon, steps: steps)
  }
}
