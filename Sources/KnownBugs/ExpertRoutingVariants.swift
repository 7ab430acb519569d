import ExpertRouting
import LowPrecision
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+ExpertRouting.swift.

private let correct = ReferenceRoutingSteps()

struct GateInFourBits: RoutingSteps {
  func gateLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, gate: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.gateLogits(hidden, gate: roundedToFourBits(gate))
  }
}

struct SigmoidScores: RoutingSteps {
  func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar { sigmoid(logit) }
}

struct SoftplusOfRoot: RoutingSteps {
  func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar {
    Scalar.logarithmOfOnePlus(Scalar.exponential(logit.squareRoot()))
  }
}

struct NaiveSoftplus: RoutingSteps {
  func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar {
    // As in the engines that had this: in float32, whatever the path computes in.
    let sum = 1 + Float.exponential(Float(logit))
    return Scalar(Float.logarithmOfOnePlus(sum - 1).squareRoot())
  }
}

struct LinearSoftplusAbove20: RoutingSteps {
  func affinity<Scalar: RealScalar>(_ logit: Scalar) -> Scalar {
    logit > 20 ? logit.squareRoot() : correct.affinity(logit)
  }
}

struct BiasNotLoaded: RoutingSteps {
  func selectionScores<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, bias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    scores
  }
}

struct SelectionInBFloat16: RoutingSteps {
  func selectionScores<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, bias: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.selectionScores(scores.map(SmallFloat.bfloat16.rounded), bias: bias).map(SmallFloat.bfloat16.rounded)
  }
}

struct BiasInWeights: RoutingSteps {
  func gatheredScores<Scalar: RealScalar>(
    _ indices: Tensor<Int>, scores: Tensor<Scalar>, bias: Tensor<Scalar>?, onHashLayer: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    guard let bias, !onHashLayer else { return try gathered(indices, from: scores) }
    return try gathered(indices, from: scores + bias)
  }
}

struct BiasOnHashLayer: RoutingSteps {
  func gatheredScores<Scalar: RealScalar>(
    _ indices: Tensor<Int>, scores: Tensor<Scalar>, bias: Tensor<Scalar>?, onHashLayer: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    guard let bias, onHashLayer else { return try gathered(indices, from: scores) }
    return try gathered(indices, from: scores + bias)
  }
}

struct UniformHashWeights: RoutingSteps {
  func gatheredScores<Scalar: RealScalar>(
    _ indices: Tensor<Int>, scores: Tensor<Scalar>, bias: Tensor<Scalar>?, onHashLayer: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    let selected = try gathered(indices, from: scores)
    return onHashLayer ? selected.map { _ in 1 } : selected
  }
}

struct LearnedRoutingOnHashLayer: RoutingSteps {
  func tableRows<Scalar: RealScalar>(
    tokenIDs: Tensor<Int>, table: Tensor<Int>, scores: Tensor<Scalar>, in operation: String
  ) throws(InputError) -> Tensor<Int> {
    try correct.select(scores, expertsPerToken: min(table.shape[1], scores.shape[1]), in: operation).indices
  }
}

struct TokenIDsLost: RoutingSteps {
  func tableRows<Scalar: RealScalar>(
    tokenIDs: Tensor<Int>, table: Tensor<Int>, scores: Tensor<Scalar>, in operation: String
  ) throws(InputError) -> Tensor<Int> {
    try correct.tableRows(tokenIDs: tokenIDs.map { _ in 0 }, table: table, scores: scores, in: operation)
  }
}

struct TableOfZeros: RoutingSteps {
  func tableRows<Scalar: RealScalar>(
    tokenIDs: Tensor<Int>, table: Tensor<Int>, scores: Tensor<Scalar>, in operation: String
  ) throws(InputError) -> Tensor<Int> {
    try correct.tableRows(tokenIDs: tokenIDs, table: table.map { _ in 0 }, scores: scores, in: operation)
  }
}

struct WeightsNotNormalized: RoutingSteps {
  func normalizedWeights<Scalar: RealScalar>(
    _ selected: Tensor<Scalar>, routeScale: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    selected * routeScale
  }
}

struct RouteScaleMissing: RoutingSteps {
  func normalizedWeights<Scalar: RealScalar>(
    _ selected: Tensor<Scalar>, routeScale: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.normalizedWeights(selected, routeScale: 1)
  }
}

struct RouteScaleOfFlash: RoutingSteps {
  func normalizedWeights<Scalar: RealScalar>(
    _ selected: Tensor<Scalar>, routeScale: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.normalizedWeights(selected, routeScale: 1.5)
  }
}
