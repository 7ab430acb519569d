import Taps
import Tensors

// Axes: T tokens, d model width, E routed experts, k experts per token, V vocabulary.

/// The experts of each token and their weights, with every step on the way.
public struct Routing<Scalar: RealScalar>: Sendable {
  /// `[T, E]`
  public let logits: Tensor<Scalar>
  /// `[T, E]`: affinities, without bias.
  public let scores: Tensor<Scalar>
  /// `[T, E]`: with bias; nil for hash routing.
  public let selectionScores: Tensor<Scalar>?
  /// `[T, k]`
  public let indices: Tensor<Int>
  /// `[T]`: by how much the last selected score beat the first rejected one; nil for hash routing.
  public let margin: Tensor<Scalar>?
  /// `[T, k]`
  public let weights: Tensor<Scalar>
  /// What a caller should know, one sentence each.
  public let warnings: [String]
}

/// How experts are chosen: by learned scores, or by a table for the first layers.
public enum RoutingRule<Scalar: RealScalar>: Sendable {
  /// Top-k of affinity + bias. `bias` is `[E]`.
  case learned(bias: Tensor<Scalar>, expertsPerToken: Int)
  /// The row of the token id in `tid2eid`, `[V, k]`. `strayBias`, `[E]`, is what some checkpoints carry; it is ignored.
  case hash(table: Tensor<Int>, strayBias: Tensor<Scalar>? = nil)
}

/// The router of one expert layer (report 2.1).
public struct Router<Scalar: RealScalar>: Sendable {
  /// `[E, d]`
  public let gate: Tensor<Scalar>
  public let rule: RoutingRule<Scalar>
  public let routeScale: Scalar
  public let steps: any RoutingSteps
  private let operation: String

  /// - Parameters:
  ///   - gate: `[E, d]`
  ///   - width: d
  ///   - rule: how experts are chosen
  ///   - routeScale: what normalized weights are multiplied by; 1.5 in Flash, 2.5 in Pro
  ///   - steps: correct, or with a known bug
  ///   - operation: what an error names: `router`, `hash-router`, `mixture`
  /// - Throws: `InputError` if a weight has a wrong shape or is not finite, k is not between 1 and E, an expert id of the
  ///   table is not an expert, or the route scale is unusable.
  public init(
    gate: Tensor<Scalar>, width: Int, rule: RoutingRule<Scalar>, routeScale: Scalar,
    steps: any RoutingSteps = .reference, operation: String
  ) throws(InputError) {
    try gate.requireAxes(["E", "d"], "gate", in: operation)
    let experts = gate.shape[0]
    try gate.requireShape([experts, width], "gate", in: operation)
    try gate.requireFinite("gate", in: operation)
    guard routeScale.isFinite, routeScale > 0 else {
      throw InputError(operation, "route_scale must be finite and positive, got \(routeScale)")
    }
    switch rule {
    case .learned(let bias, let expertsPerToken):
      try bias.requireShape([experts], "bias", in: operation)
      try bias.requireFinite("bias", in: operation)
      guard (1...experts).contains(expertsPerToken) else {
        throw InputError(operation, "experts_per_token must be between 1 and \(experts), got \(expertsPerToken)")
      }
    case .hash(let table, let strayBias):
      try table.requireAxes(["V", "k"], "token_experts", in: operation)
      try strayBias?.requireShape([experts], "bias", in: operation)
      if let offset = table.elements.firstIndex(where: { !(0..<experts).contains($0) }) {
        throw InputError(
          operation,
          "expert id \(table.elements[offset]) in the table at \(table.index(ofOffset: offset)) "
            + "is outside the \(experts) experts")
      }
    }
    self.gate = gate
    self.rule = rule
    self.routeScale = routeScale
    self.steps = steps
    self.operation = operation
  }

  /// - Parameters:
  ///   - hidden: `[T, d]`
  ///   - tokenIDs: `[T]`; needed by hash routing alone
  ///   - hooks: who listens; a router rounds nowhere
  /// - Throws: `InputError` for another shape, no tokens, missing or unknown token ids, a NaN score.
  public func callAsFunction(
    _ hidden: Tensor<Scalar>, tokenIDs: Tensor<Int>? = nil, hooks: Hooks = .none
  ) throws(InputError) -> Routing<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: operation)
    try hidden.requireShape([hidden.shape[0], gate.shape[1]], "hidden", in: operation)
    let logits = try hooks.recorded(.gateLogits, steps.gateLogits(hidden, gate: gate))
    let scores = hooks.recorded(.affinities, steps.affinities(logits))

    var choice: (scores: Tensor<Scalar>, margin: Tensor<Scalar>)?
    let indices: Tensor<Int>
    let selected: Tensor<Scalar>
    var warnings: [String] = []
    switch rule {
    case .learned(let bias, let expertsPerToken):
      let selectionScores = try hooks.recorded(.selectionScores, steps.selectionScores(scores, bias: bias))
      let selection = try steps.select(selectionScores, expertsPerToken: expertsPerToken, in: operation)
      choice = (selectionScores, selection.margin)
      indices = hooks.recorded(.expertIndices, integers: selection.indices)
      selected = try steps.gatheredScores(indices, scores: scores, bias: bias, onHashLayer: false)

    case .hash(let table, let strayBias):
      guard let tokenIDs else { throw InputError(operation, "hash routing needs token_ids") }
      try tokenIDs.requireShape([hidden.shape[0]], "token_ids", in: operation)
      indices = hooks.recorded(
        .expertIndices,
        integers: try steps.tableRows(tokenIDs: tokenIDs, table: table, scores: scores, in: operation))
      selected = try steps.gatheredScores(indices, scores: scores, bias: strayBias, onHashLayer: true)
      warnings = repeatWarnings(indices)
    }
    return Routing(
      logits: logits, scores: scores, selectionScores: choice?.scores, indices: indices, margin: choice?.margin,
      weights: hooks.recorded(.expertWeights, try steps.normalizedWeights(selected, routeScale: routeScale)),
      warnings: warnings)
  }

  /// The release does not define a row that names an expert twice: its code keeps one of the two. Here each slot counts.
  private func repeatWarnings(_ indices: Tensor<Int>) -> [String] {
    let slots = indices.shape[1]
    return (0..<indices.shape[0]).compactMap { token in
      let row = indices.elements[(token * slots)..<((token + 1) * slots)]
      guard Set(row).count < slots else { return nil }
      return "\(operation): the row of token \(token) names an expert twice; the release leaves that undefined, "
        + "here each slot counts"
    }
  }
}
