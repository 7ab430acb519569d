import CoreAttention
import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, h heads, c head width, q query latent width, g output groups, p group rank.

/// The steps of core attention on fast kernels; on the path in Double, and where numerics round inside a step, the
/// reference steps.
struct FastAttentionSteps: AttentionSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, weight)
  }

  func normalizedLatent<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericNorm(projected, weight: norm, epsilon: epsilon)
  }

  func queryHeads<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, up: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(latent, up).reshaped([latent.shape[0], heads, up.shape[0] / heads])
  }

  func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    guard Scalar.self == Float.self, !hooks.numerics.rounds(.activation) else {
      return try ReferenceAttentionSteps().normalizedHeads(queries, epsilon: epsilon, hooks: hooks)
    }
    return try hooks.pass(.queryHeadsNormalized, kernels.genericNorm(queries, weight: nil, epsilon: epsilon))
  }

  func normalizedEntry<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericNorm(projected, weight: norm, epsilon: epsilon)
  }

  func attend<Scalar: RealScalar>(
    _ query: Tensor<Scalar>, entries: Tensor<Scalar>, sinks: Tensor<Scalar>, rotary: RotaryConfiguration,
    window: Int, visibleWindow: Int, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    guard Scalar.self == Float.self, !hooks.numerics.rounds(.activation) else {
      return try ReferenceAttentionSteps().attend(
        query, entries: entries, sinks: sinks, rotary: rotary, window: window, visibleWindow: visibleWindow,
        hooks: hooks)
    }
    var rows = RowStore<Scalar>(width: entries.shape[1])
    try rows.append(entries)
    let visible = VisibleEntries(
      window: rows, windows: [0..<rows.end], windowLength: window, compressed: nil, chosen: [[]])
    return try attended(
      query.reshaped([1] + query.shape), over: visible, sinks: sinks, rotary: rotary, hooks: hooks
    ).slice(0)
  }

  func attended<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, over visible: VisibleEntries<Scalar>, sinks: Tensor<Scalar>,
    rotary: RotaryConfiguration, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    guard let queries32 = floats(queries), let sinks32 = floats(sinks), !hooks.numerics.rounds(.activation) else {
      return try ReferenceAttentionSteps().attended(queries, over: visible, sinks: sinks, rotary: rotary, hooks: hooks)
    }
    let scale: Float = scale(headWidth: queries.shape[2], rotary: rotary)
    let visible32 = unsafeBitCast(visible, to: VisibleEntries<Float>.self)  // Scalar is Float: floats gave a tensor
    return generic(try kernels.attended(queries32, over: visible32, sinks: sinks32, scale: scale))
  }

  func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    guard let attended32 = floats(attended), let down32 = floats(down) else {
      return try ReferenceAttentionSteps().groupedOutput(attended, groups: groups, down: down, up: up, hooks: hooks)
    }
    let latents: Tensor<Scalar> = generic(try kernels.groupLatents(attended32, groups: groups, down: down32))
    let joined = try hooks.pass(.groupLatents, latents)
    return try hooks.pass(
      .attentionOutput, kernels.genericLinear(hooks.linearInput(.groupLatentsQuantized, joined), up))
  }
}
