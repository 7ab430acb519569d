import CompressedSparseAttention
import RotaryEmbedding
import Taps
import Tensors

/// The steps of the lightning indexer on fast kernels; on the path in Double, and where numerics round inside a step, the
/// reference steps.
struct FastIndexerSteps: IndexerSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func projectedWeights<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, projection: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, projection)
  }

  func queries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(latent, projection)
      .reshaped([latent.shape[0], heads, projection.shape[0] / heads])
  }

  func fusedQueries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int, positions: [Int], rotary: RotaryConfiguration,
    rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar>? {
    // Another rotation, as that of a known bug, is a step of its own.
    guard let latent32 = floats(latent), let projection32 = floats(projection),
      let rotarySteps = rotarySteps as? FastRotarySteps
    else { return nil }
    let angles = try rotarySteps.angles(positions: positions, configuration: rotary, inverse: false)
    return generic(
      try kernels.indexQueries(
        latent32, projection: projection32, heads: heads, cosines: angles.cosines, sines: angles.sines))
  }

  func transformed<Scalar: RealScalar>(_ x: Tensor<Scalar>, isKey: Bool) throws(InputError) -> Tensor<Scalar> {
    guard let x32 = floats(x) else { return try hadamard(x) }
    return generic(try kernels.hadamard(x32))
  }

  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    var rows = RowStore<Scalar>(width: keys.shape[1])
    try rows.append(keys)
    let scores = try allScores(
      queries: query.reshaped([1] + query.shape), keys: rows, weights: weights.reshaped([1] + weights.shape),
      visible: [rows.end], hooks: hooks)
    return try Tensor(shape: [rows.end], elements: scores[0])
  }

  func allScores<Scalar: RealScalar>(
    queries: Tensor<Scalar>, keys: RowStore<Scalar>, weights: Tensor<Scalar>, visible: [Int], hooks: Hooks
  ) throws(InputError) -> [[Scalar]] {
    guard let queries32 = floats(queries), let weights32 = floats(weights), !hooks.numerics.rounds(.activation) else {
      return try ReferenceIndexerSteps().allScores(
        queries: queries, keys: keys, weights: weights, visible: visible, hooks: hooks)
    }
    let keys32 = unsafeBitCast(keys, to: RowStore<Float>.self)  // Scalar is Float: floats gave a tensor
    let scores = try kernels.allScores(queries: queries32, keys: keys32, weights: weights32, visible: visible)
    return unsafeBitCast(scores, to: [[Scalar]].self)
  }

  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    guard Scalar.self == Float.self else {
      return try ReferenceIndexerSteps().select(scores, visible: visible, topK: topK)
    }
    let scores32 = unsafeBitCast(scores, to: [[Float]].self)
    let (selection, margin) = try kernels.select(scores32, visible: visible, topK: topK)
    return (selection, unsafeBitCast(margin, to: [Scalar].self))
  }
}
