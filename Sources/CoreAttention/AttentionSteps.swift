import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, d model width, h heads, c head width, q query latent width, n entries that a query sees,
// g output groups, p group rank.

/// The steps of core attention (report 2.3.3), each with the correct default; a known bug overrides one.
///
/// | step | equation |
/// | --- | --- |
/// | `projected` | (13), (24); 2.3.3-window: the product alone |
/// | `normalizedLatent` | (13), (24) |
/// | `queryHeads`, `normalizedHeads` | (18), (25); 2.3.3-head-norm |
/// | `normalizedEntry` | 2.3.3-window |
/// | `rotaryForTokens`, `rotaryForEntries` | 2.3.3-rotary: which rotary embedding a layer uses |
/// | `visibleWindow`, `visibleBlocks` | 2.3.3-window, 2.3.1-visibility |
/// | `scale`, `probabilities` | (27) |
/// | `attend`, and `attended` for all tokens | (19), (26) |
/// | `derotated` | 2.3.3-inverse-rotary |
/// | `groupedOutput` | 2.3.1-grouped-output |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol AttentionSteps: Sendable {
  func projected<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func normalizedLatent<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func queryHeads<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, up: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar>

  func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar>

  func normalizedEntry<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar>

  func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration

  func rotaryForEntries(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration

  func visibleWindow(at position: Int, window: Int) -> Range<Int>

  func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int

  func scale<Scalar: RealScalar>(headWidth: Int, rotary: RotaryConfiguration) -> Scalar

  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar>

  func attend<Scalar: RealScalar>(
    _ query: Tensor<Scalar>, entries: Tensor<Scalar>, sinks: Tensor<Scalar>, rotary: RotaryConfiguration,
    window: Int, visibleWindow: Int, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar>

  func attended<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, over visible: VisibleEntries<Scalar>, sinks: Tensor<Scalar>,
    rotary: RotaryConfiguration, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar>

  func derotated<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>

  func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceAttentionSteps: AttentionSteps {
  public init() {}
}

extension AttentionSteps where Self == ReferenceAttentionSteps {
  /// The correct steps.
  public static var reference: ReferenceAttentionSteps { ReferenceAttentionSteps() }
}
