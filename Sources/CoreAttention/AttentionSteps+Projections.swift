import RotaryEmbedding
import Tensors

// Axes: T tokens, d model width, h heads, c head width, q query latent width, g output groups, p group rank.

extension AttentionSteps {
  /// Eqs. (13) and (24), as released: `RMSNorm(h W^DQ)` with weight. Queries and the indexer share it.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - down: W^DQ, `[q, d]`
  ///   - norm: `[q]`
  /// - Returns: `[T, q]`
  public func queryLatent<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, down: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(linear(hidden, down), weight: norm, epsilon: epsilon)
  }

  /// Eqs. (18) and (25): `q = c^Q W^UQ`, split in heads.
  ///
  /// - Parameters:
  ///   - latent: c^Q, `[T, q]`
  ///   - up: W^UQ, `[h·c, q]`
  /// - Returns: `[T, h, c]`, neither normalised nor rotated
  public func queryHeads<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, up: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(latent, up).reshaped([latent.shape[0], heads, up.shape[0] / heads])
  }

  /// The norm that every query head gets before its rotation: RMSNorm over c, **without** weight.
  ///
  /// - Parameter queries: `[T, h, c]`
  public func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(queries, weight: nil, epsilon: epsilon)
  }

  /// The uncompressed entry of a token, before its rotation: `RMSNorm(h W^KV)` with weight. Key and value of every head.
  ///
  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - projection: `[c, d]`
  ///   - norm: `[c]`
  /// - Returns: `[T, c]`
  public func windowEntry<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, projection: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(linear(hidden, projection), weight: norm, epsilon: epsilon)
  }

  /// The rotary embedding of queries, window entries and the inverse on the output: the layer's own.
  public func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration { rotary }

  /// The rotary embedding of compressed entries and the indexer: the layer's own, the same as for tokens.
  public func rotaryForEntries(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration { rotary }

  /// Undoes the rotation on the output, at the position of the query: entries are keys and values at once, so the
  /// output still carries their rotation, and only relative positions must remain.
  ///
  /// - Parameter attended: `[T, h, c]`
  public func derotated<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    try rotarySteps.rotated(attended, positions: positions, configuration: rotary, inverse: true)
  }

  /// The grouped output projection: g contiguous groups of h·c/g values, each to p values by its own matrix; then all
  /// g·p values to d.
  ///
  /// - Parameters:
  ///   - attended: `[T, h, c]`
  ///   - down: `[g·p, h·c/g]`; rows j·p … (j+1)·p − 1 belong to group j
  ///   - up: `[d, g·p]`
  /// - Returns: `[T, d]`
  public func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>
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
    let joined = try Tensor.concatenated(latents, width: tokens).transposed()
    return try linear(joined, up)
  }
}
