import DeepSeekV4
import ExpertRouting
import GoldenTensors
import KnownBugs
import Tensors

extension GoldenOperation {
  func affinity<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    Production(tensors: ["scores": ProducedTensor(steps.routing.affinities(try inputs.input("logits")))])
  }

  func router<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let rule = RoutingRule.learned(
      bias: try inputs.weight("bias"), expertsPerToken: try inputs.count("experts_per_token"))
    let routing = try self.router(inputs, hidden, rule, steps)(hidden, hooks: inputs.hooks())
    return Production(tensors: tensors(of: routing), warnings: routing.warnings)
  }

  func hashRouter<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let rule = RoutingRule.hash(
      table: try inputs.integerWeight("token_experts"), strayBias: try inputs.weightIfPresent("bias"))
    let routing = try self.router(inputs, hidden, rule, steps)(
      hidden, tokenIDs: inputs.integerInput("token_ids"), hooks: inputs.hooks())
    return Production(tensors: tensors(of: routing), warnings: routing.warnings)
  }

  func expert<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    try hidden.requireAxes(["T", "d"], "hidden", in: "expert")
    let expert = try Expert(
      width: hidden.shape[1], gateProjection: inputs.weight("gate_projection"),
      upProjection: inputs.weight("up_projection"), downProjection: inputs.weight("down_projection"),
      clampLimit: inputs.number("clamp_limit"), steps: steps.expert)
    let output = try expert(hidden, slotWeights: inputs.input("slot_weights"), hooks: inputs.hooks())
    return Production(tensors: [
      "gate": ProducedTensor(output.gate),
      "up": ProducedTensor(output.up),
      "activation": ProducedTensor(output.activation),
      "output": ProducedTensor(output.output),
    ])
  }

  func mixture<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let hidden = try inputs.input("hidden")
    let expertsPerToken = try inputs.count("experts_per_token")
    let rule: RoutingRule<Scalar>
    var tokenIDs: Tensor<Int>?
    switch try inputs.choice("routing") {
    case "learned":
      rule = .learned(bias: try inputs.weight("bias"), expertsPerToken: expertsPerToken)
    case "hash":
      let table = try inputs.integerWeight("token_experts")
      guard table.shape.last == expertsPerToken else {
        throw InputError("mixture", "token_experts has shape \(table.shape), expected [V, \(expertsPerToken)]")
      }
      rule = .hash(table: table)
      tokenIDs = try inputs.integerInput("token_ids")
    case let other:
      throw InputError("mixture", "routing must be learned or hash, got \(other)")
    }
    let mixture = try MixtureOfExperts(
      router: router(inputs, hidden, rule, steps),
      routed: RoutedExpertWeights(
        gateProjection: inputs.weight("gate_projection"), upProjection: inputs.weight("up_projection"),
        downProjection: inputs.weight("down_projection")),
      shared: (
        inputs.weight("shared_gate_projection"), inputs.weight("shared_up_projection"),
        inputs.weight("shared_down_projection")
      ),
      clampLimit: inputs.number("clamp_limit"), steps: steps.expert)
    let output = try mixture(hidden, tokenIDs: tokenIDs, hooks: inputs.hooks())
    return Production(
      tensors: [
        "indices": .integers(output.routing.indices),
        "weights": ProducedTensor(output.routing.weights),
        "routed": ProducedTensor(output.routed),
        "shared": ProducedTensor(output.shared),
        "output": ProducedTensor(output.output),
      ], warnings: output.routing.warnings)
  }

  private func router<Scalar: RealScalar>(
    _ inputs: CaseInputs<Scalar>, _ hidden: Tensor<Scalar>, _ rule: RoutingRule<Scalar>, _ steps: StepSet
  ) throws -> Router<Scalar> {
    try hidden.requireAxes(["T", "d"], "hidden", in: rawValue)
    return try Router(
      gate: inputs.weight("gate"), width: hidden.shape[1], rule: rule, routeScale: inputs.number("route_scale"),
      steps: steps.routing, operation: rawValue)
  }

  private func tensors<Scalar: RealScalar>(of routing: Routing<Scalar>) -> [String: ProducedTensor] {
    var tensors: [String: ProducedTensor] = [
      "logits": ProducedTensor(routing.logits),
      "scores": ProducedTensor(routing.scores),
      "indices": .integers(routing.indices),
      "weights": ProducedTensor(routing.weights),
    ]
    if let selectionScores = routing.selectionScores { tensors["selection_scores"] = ProducedTensor(selectionScores) }
    if let margin = routing.margin { tensors["margin"] = ProducedTensor(margin) }
    return tensors
  }
}
