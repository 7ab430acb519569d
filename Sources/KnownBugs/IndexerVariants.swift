import CompressedSparseAttention
import LowPrecision
import Taps
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+Indexer.swift.

private let correct = ReferenceIndexerSteps()

struct HadamardOfQueriesOnly: IndexerSteps {
  func transformed<Scalar: RealScalar>(_ x: Tensor<Scalar>, isKey: Bool) throws(InputError) -> Tensor<Scalar> {
    isKey ? x : try correct.transformed(x, isKey: isKey)
  }
}

struct HadamardAbsent: IndexerSteps {
  func transformed<Scalar: RealScalar>(_ x: Tensor<Scalar>, isKey: Bool) throws(InputError) -> Tensor<Scalar> { x }
}

struct IndexQueriesNormalized: IndexerSteps {
  func queries<Scalar: RealScalar>(
    _ latent: Tensor<Scalar>, projection: Tensor<Scalar>, heads: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try rmsNorm(correct.queries(latent, projection: projection, heads: heads), weight: nil, epsilon: 1e-6)
  }
}

struct IndexWeightsNotScaled: IndexerSteps {
  func weights<Scalar: RealScalar>(_ projected: Tensor<Scalar>, indexWidth: Int) throws(InputError) -> Tensor<Scalar> {
    projected
  }
}

struct IndexReLUMissing: IndexerSteps {
  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try linear(linear(keys, query), weights.reshaped([1, weights.count])).reshaped([keys.shape[0]])
  }
}

struct IndexSigmoidMean: IndexerSteps {
  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let gates = weights.map(sigmoid) / Scalar(weights.count)
    return try correct.scores(query: query, keys: keys, weights: gates, hooks: hooks)
  }
}

struct IndexScoresInBFloat16: IndexerSteps {
  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.scores(query: query, keys: keys, weights: weights, hooks: hooks).map(SmallFloat.bfloat16.rounded)
  }
}

/// Unrounded, also where scores are BF16.
struct IndexScoresUnrounded: IndexerSteps {
  func scores<Scalar: RealScalar>(
    query: Tensor<Scalar>, keys: Tensor<Scalar>, weights: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.scores(query: query, keys: keys, weights: weights, hooks: .none)
  }
}

struct EveryVisibleEntrySelected: IndexerSteps {
  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    let (selection, margin) = try correct.select(scores, visible: visible, topK: .max)
    return (selection, margin)
  }
}

/// Equal scores by higher index.
struct TiesReversed: IndexerSteps {
  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    let reversed = zip(scores, visible).map { Array($0[..<$1].reversed()) }
    let (selection, margin) = try correct.select(reversed, visible: visible, topK: topK)
    return (zip(selection, visible).map { picked, visible in picked.map { visible - 1 - $0 } }, margin)
  }
}

/// All tokens of a call attend to what any of them selected.
struct SelectionFlattened: IndexerSteps {
  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    let (selection, margin) = try correct.select(scores, visible: visible, topK: topK)
    let union = Array(Set(selection.joined())).sorted()
    return (selection.map { _ in union }, margin)
  }
}

/// Where fewer than k entries are visible, the padding hides entry 0.
struct PaddingHidesEntryZero: IndexerSteps {
  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    let (selection, margin) = try correct.select(scores, visible: visible, topK: topK)
    return (
      zip(selection, visible).map { picked, visible in visible < topK ? picked.filter { $0 != 0 } : picked }, margin
    )
  }
}

/// A fixed k instead of the configured one.
struct TopKHardCoded: IndexerSteps {
  func select<Scalar: RealScalar>(
    _ scores: [[Scalar]], visible: [Int], topK: Int
  ) throws(InputError) -> (selection: [[Int]], margin: [Scalar]) {
    try correct.select(scores, visible: visible, topK: 512)
  }
}
