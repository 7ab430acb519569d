import RotaryEmbedding
import Tensors

// Axes: d model width, h heads, c head width, q query latent width, g output groups, p group rank.

/// The weights that every attention layer has.
public struct AttentionWeights<Scalar: RealScalar>: Sendable {
  /// wq_a, `[q, d]`
  public let queryDown: Tensor<Scalar>
  /// `[q]`
  public let queryNorm: Tensor<Scalar>
  /// wq_b, `[h·c, q]`
  public let queryUp: Tensor<Scalar>
  /// wkv, `[c, d]`
  public let keyValueProjection: Tensor<Scalar>
  /// `[c]`
  public let keyValueNorm: Tensor<Scalar>
  /// `[h]`
  public let sinks: Tensor<Scalar>
  /// wo_a, `[g·p, h·c/g]`
  public let outputDown: Tensor<Scalar>
  /// wo_b, `[d, g·p]`
  public let outputUp: Tensor<Scalar>

  /// Weights as they are: `AttentionCore` checks their shapes.
  public init(
    queryDown: Tensor<Scalar>, queryNorm: Tensor<Scalar>, queryUp: Tensor<Scalar>,
    keyValueProjection: Tensor<Scalar>, keyValueNorm: Tensor<Scalar>, sinks: Tensor<Scalar>,
    outputDown: Tensor<Scalar>, outputUp: Tensor<Scalar>
  ) {
    self.queryDown = queryDown
    self.queryNorm = queryNorm
    self.queryUp = queryUp
    self.keyValueProjection = keyValueProjection
    self.keyValueNorm = keyValueNorm
    self.sinks = sinks
    self.outputDown = outputDown
    self.outputUp = outputUp
  }
}

/// The numbers that every attention layer has.
public struct AttentionConfiguration<Scalar: RealScalar>: Sendable {
  public let heads: Int
  /// W: 128 in the released models.
  public let window: Int
  /// g: 8 in Flash, 16 in Pro.
  public let groups: Int
  public let normEpsilon: Scalar
  public let rotary: RotaryConfiguration
  /// 1048576 in the released models.
  public let maximumPositions: Int
  /// How many speculative tokens can be taken back.
  public let rollBackDepth: Int

  /// Numbers as they are: `AttentionCore` checks them.
  public init(
    heads: Int, window: Int, groups: Int, normEpsilon: Scalar, rotary: RotaryConfiguration, maximumPositions: Int,
    rollBackDepth: Int = 16
  ) {
    self.heads = heads
    self.window = window
    self.groups = groups
    self.normEpsilon = normEpsilon
    self.rotary = rotary
    self.maximumPositions = maximumPositions
    self.rollBackDepth = rollBackDepth
  }
}
