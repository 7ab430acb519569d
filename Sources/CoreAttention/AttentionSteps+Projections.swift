import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, d model width, h heads, c head width, q query latent width, g output groups, p group rank.

extension AttentionSteps {
  /// `h W`: what the latent of the queries and the window entries are made of.
  ///
  /// - Parameters:
  ///   - hidden: h, `[T, d]`
  ///   - weight: W, `[q, d]` or `[c, d]`
  /// - Returns: `[T, q]` or `[T, c]`
  public func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, weight)
  }

  /// Eqs. (13) and (24), as released: `RMSNorm(h W^DQ)` with weight. Queries and the indexer share it.
  ///
  /// - Parameters:
  ///   - projected: h W^DQ, `[T, q]`
  ///   - norm: `[q]`
  ///   - epsilon: ε, `rms_norm_eps`
  public func normalizedLatent<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(projected, weight: norm, epsilon: epsilon)
  }

  /// Eqs. (18) and (25): `q = c^Q W^UQ`, split in heads.
  ///
  /// - Parameters:
  ///   - latent: c^Q, `[T, q]`
  ///   - up: W^UQ, `[h·c, q]`
  ///   - heads: h
  /// - Returns: `[T, h, c]`, neither normalised nor rotated
  public func queryHeads<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, up: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(latent, up).reshaped([latent.shape[0], heads, up.shape[0] / heads])
  }

  /// The norm that every query head gets before its rotation: RMSNorm over c, **without** weight.
  ///
  /// The deployed model runs it wholly in BF16: squares, mean, mean + ε, reciprocal root and product are rounded each.
  ///
  /// - Parameters:
  ///   - queries: `[T, h, c]`
  ///   - epsilon: ε, `rms_norm_eps`
  ///   - hooks: where it rounds, and who listens
  public func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let width = Scalar(queries.shape.last ?? 1)
    let squares = try hooks.activation(queries * queries)
    let means = try hooks.activation(squares.sum(over: .rows).map { $0 / width })
    let reciprocals = try hooks.activation(hooks.activation(means + epsilon).map { 1 / $0.squareRoot() })
    return try hooks.pass(.queryHeadsNormalized, queries * reciprocals)
  }

  /// The uncompressed entry of a token, before its rotation: `RMSNorm(h W^KV)` with weight. Key and value of every head.
  ///
  /// - Parameters:
  ///   - projected: h W^KV, `[T, c]`
  ///   - norm: `[c]`
  ///   - epsilon: ε, `rms_norm_eps`
  public func normalizedEntry<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(projected, weight: norm, epsilon: epsilon)
  }

  /// The rotary embedding of queries, window entries and the inverse on the output: the layer's own.
  public func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration { rotary }

  /// The rotary embedding of compressed entries and the indexer: the layer's own, the same as for tokens.
  public func rotaryForEntries(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration { rotary }

  /// Undoes the rotation on the output, at the position of the query: entries are keys and values at once, so the
  /// output still carries their rotation, and only relative positions must remain.
  ///
  /// - Parameters:
  ///   - attended: `[T, h, c]`
  ///   - positions: of the T tokens
  ///   - rotary: the one of the queries
  ///   - rotarySteps: how it is rotated
  public func derotated<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    try rotarySteps.rotated(attended, positions: positions, configuration: rotary, inverse: true)
  }

  /// The grouped output projection: g contiguous groups of h·c/g values, each to p values by its own matrix; then all
  /// g·p values to d. The first matrices take their input unquantized in the deployed model, the second one in FP8.
  ///
  /// - Parameters:
  ///   - attended: `[T, h, c]`
  ///   - groups: g
  ///   - down: `[g·p, h·c/g]`; rows j·p … (j+1)·p − 1 belong to group j
  ///   - up: `[d, g·p]`
  ///   - hooks: where it rounds, and who listens
  /// - Returns: `[T, d]`
  public func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let tokens = attended.shape[0]
    let groupWidth = attended.shape[1] * attended.shape[2] / groups
    let rank = down.shape[0] / groups
    let values = try attended.reshaped([tokens, groups * groupWidth])
    let matrices = try down.reshaped([groups, rank, groupWidth])
    var latents: [Tensor<Scalar>] = []
    for group in 0..<groups {
      let part = try values.lastAxis(group * groupWidth..<(group + 1) * groupWidth)
      latents.append(try linear(part, matrices.slice(group)).transposed())
    }
    // Groups below each other, then turned: [T, g·p].
    let joined = try hooks.pass(.groupLatents, Tensor.concatenated(latents, width: tokens).transposed())
    return try hooks.pass(.attentionOutput, linear(hooks.linearInput(.groupLatentsQuantized, joined), up))
  }
}
