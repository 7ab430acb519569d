import RotaryEmbedding
import Taps
import Tensors

// Axes: T tokens, d model width, q query latent width, H index heads, i index width, N entries.

/// The steps of the lightning indexer (report 2.3.1), each with the correct default; a known bug overrides one.
///
/// | step | equation |
/// | --- | --- |
/// | `queries`, and `fusedQueries` up to `transformed` | (14), 2.3.3-rotary |
/// | `transformed` | 2.3.1-hadamard |
/// | `projectedWeights`, `weights` | (15) |
/// | `scores`, and `allScores` for all tokens | (16) |
/// | `select` | (17) |
///
/// Steps throw `InputError` if shapes do not fit each other.
public protocol IndexerSteps: Sendable {
  func projectedWeights<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar>

  func queries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar>

  func transformed<Scalar: RealScalar>(_ x: Tensor<Scalar>, isKey: Bool) throws(InputError) -> Tensor<Scalar>

  func fusedQueries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int, positions: [Int], rotary: RotaryConfiguration,
    rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>?

  func weights<Scalar: RealScalar>(_ projected: Tensor<Scalar>, indexWidth: Int) throws(InputError) -> Tensor<Scalar>

  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar>

  func allScores<Scalar: RealScalar>(
    queries: Tensor<Scalar>, keys: RowStore<Scalar>, weights: Tensor<Scalar>, visible: [Int], hooks: Hooks
  ) throws(InputError) -> [[Scalar]]

  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar])
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceIndexerSteps: IndexerSteps {
  public init() {}
}

extension IndexerSteps where Self == ReferenceIndexerSteps {
  /// The correct steps.
  public static var reference: ReferenceIndexerSteps { ReferenceIndexerSteps() }
}

extension IndexerSteps {
  /// Eq. (14): `q^I = c^Q W^IUQ`, from the latent that the attention queries use, too. No norm.
  ///
  /// - Parameters:
  ///   - latent: `[T, q]`
  ///   - projection: `[H·i, q]`
  ///   - heads: H
  /// - Returns: `[T, H, i]`, not yet rotated
  public func queries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(latent, projection).reshaped([latent.shape[0], heads, projection.shape[0] / heads])
  }

  /// The Hadamard transform of rotated queries and keys alike. It is orthogonal, so exact scores do not change by it.
  ///
  /// - Parameters:
  ///   - x: `[…, i]`
  ///   - isKey: not used here: a known bug transforms one side only
  public func transformed<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, isKey: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    try hadamard(x)
  }

  /// `queries`, rotated and `transformed` without the values in between; nil, as here, where the steps know no better way
  /// than one after another. It is only asked for where nobody wants those values and nothing is rounded.
  ///
  /// - Parameters:
  ///   - latent: `[T, q]`
  ///   - projection: `[H·i, q]`
  ///   - heads: H
  ///   - positions: of the T tokens
  ///   - rotary: of the layer
  ///   - rotarySteps: of the layer
  /// - Returns: `[T, H, i]`
  public func fusedQueries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int, positions: [Int], rotary: RotaryConfiguration,
    rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>? {
    nil
  }

  /// The product of eq. (15): `h W^w`.
  ///
  /// - Parameters:
  ///   - hidden: h, `[T, d]`
  ///   - projection: W^w, `[H, d]`
  /// - Returns: `[T, H]`
  public func projectedWeights<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(hidden, projection)
  }

  /// Eq. (15), as released: `w^I = h W^w · i^(−1/2) · H^(−1/2)`.
  ///
  /// - Parameters:
  ///   - projected: h W^w, `[T, H]`
  ///   - indexWidth: i
  /// - Returns: `[T, H]`
  public func weights<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, indexWidth: Int
  ) throws(InputError) -> Tensor<Scalar> {
    let heads = projected.shape.last ?? 1
    return projected * (1 / Scalar(indexWidth).squareRoot() / Scalar(heads).squareRoot())
  }

  /// Eq. (16) for one token: `I_s = Σ_heads w · ReLU(q · K_s)`.
  ///
  /// The deployed model rounds each product q · K, each weighted product, and the sum over heads to BF16.
  ///
  /// - Parameters:
  ///   - query: `[H, i]`
  ///   - keys: `[N, i]`
  ///   - weights: `[H]`
  ///   - hooks: where it rounds, and who listens
  /// - Returns: `[N]`
  public func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let products = try hooks.activation(linear(keys, query)).rectified()
    guard hooks.numerics.rounds(.activation) else {
      return try linear(products, weights.reshaped([1, weights.count])).reshaped([keys.shape[0]])
    }
    return try hooks.activation(hooks.activation(products * weights).sum(over: .rows)).reshaped([keys.shape[0]])
  }

  /// Eq. (16) for all tokens of a call, one after another.
  ///
  /// - Parameters:
  ///   - queries: `[T, H, i]`
  ///   - keys: `[N, i]`, of all entries
  ///   - weights: `[T, H]`
  ///   - visible: how many of the N entries each token sees
  ///   - hooks: where it rounds, and who listens
  /// - Returns: N scores for each token, −∞ where it sees no entry
  public func allScores<Scalar: RealScalar>(
    queries: Tensor<Scalar>, keys: RowStore<Scalar>, weights: Tensor<Scalar>, visible: [Int], hooks: Hooks
  ) throws(InputError) -> [[Scalar]] {
    let allKeys = try keys.rows(0..<keys.end)
    var scores: [[Scalar]] = []
    for (token, visible) in visible.enumerated() {
      let row = try self.scores(
        query: queries.slice(token), keys: allKeys, weights: weights.slice(token), hooks: hooks)
      scores.append(row.elements[..<visible] + Array(repeating: -.infinity, count: keys.end - visible))
    }
    return scores
  }

  /// Eq. (17): the visible entries with the k highest scores, score descending, then index ascending.
  ///
  /// - Parameters:
  ///   - scores: of all entries, for each token
  ///   - visible: how many entries each token sees
  ///   - topK: k
  /// - Returns: at most k entries for each token, and by how much the last one beat the first rejected one
  /// - Throws: `InputError` if a visible score is NaN.
  public func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    var selection: [[Int]] = []
    var margin: [Scalar] = []
    for (token, (row, visible)) in zip(scores, visible).enumerated() {
      guard visible > 0 else {
        selection.append([])
        margin.append(.infinity)
        continue
      }
      if let nan = row[..<visible].firstIndex(where: \.isNaN) {
        throw InputError("indexer", "the score of candidate \(nan) is NaN for token \(token)")
      }
      let candidates = try Tensor(shape: [1, visible], elements: Array(row[..<visible]))
      let top = try TopK(candidates, k: min(topK, visible), parameter: "index_topk", in: "indexer")
      selection.append(top.indices.elements)
      margin.append(top.margin[0])
    }
    return (selection, margin)
  }
}

/// The Hadamard transform of the last axis, in natural (Sylvester) order, times width^(−1/2): orthogonal, its own inverse.
///
/// ```
/// H₁ = (1),   H₂ₙ = (Hₙ Hₙ; Hₙ −Hₙ)
/// ```
///
/// - Parameter x: `[…, i]`, i a power of two
/// - Throws: `InputError` if it is not.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func hadamard<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
  let width = x.shape.last ?? 0
  try requireTransformable(width)
  var elements = x.elements
  var half = 1
  while half < width {
    for first in stride(from: 0, to: elements.count, by: 2 * half) {
      for index in first..<first + half {
        let (a, b) = (elements[index], elements[index + half])
        elements[index] = a + b
        elements[index + half] = a - b
      }
    }
    half *= 2
  }
  let scale = 1 / Scalar(width).squareRoot()
  return try Tensor(shape: x.shape, elements: elements.map { $0 * scale })
}

/// Requires a width that the Hadamard transform has a matrix for.
///
/// - Parameters:
///   - width: of the last axis
///   - operation: what an error names
/// - Throws: `InputError` if it is not a power of two.
public func requireTransformable(_ width: Int, in operation: String = "indexer") throws(InputError) {
  guard width > 0, width & (width - 1) == 0 else {
    throw InputError(operation, "the index head width must be a power of two, got \(width)")
  }
}
