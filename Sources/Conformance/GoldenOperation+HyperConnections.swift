import DeepSeekV4
import GoldenTensors
import HyperConnections
import KnownBugs
import Tensors

extension GoldenOperation {
  func expand<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let streams = try steps.hyperConnection.expand(inputs.input("embedding"), streams: inputs.count("streams"))
    return Production(tensors: ["streams": ProducedTensor(streams)])
  }

  func sinkhorn<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let combination = try steps.hyperConnection.sinkhorn(
      inputs.input("combination_logits"), iterations: inputs.count("iterations"), epsilon: inputs.number("epsilon"))
    return Production(tensors: ["combination": ProducedTensor(combination)])
  }

  func equation8<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>) throws -> Production {
    let mixing = try residualMixing(inputs.input("residual_logits"), iterations: inputs.count("iterations"))
    return Production(tensors: ["residual_mixing": ProducedTensor(mixing)])
  }

  func site<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let streams = try inputs.input("streams")
    let layerOutput = try inputs.input("layer_output")
    try streams.requireAxes(["T", "n", "d"], "streams", in: "site")
    let site = try HyperConnectionSite(
      streams: streams.shape[1], width: streams.shape[2], projection: inputs.weight("projection"),
      base: inputs.weight("base"), scale: inputs.weight("scale"), iterations: inputs.count("iterations"),
      epsilon: inputs.number("epsilon"), normEpsilon: inputs.number("norm_epsilon"), steps: steps.hyperConnection)

    let coefficients = try site.coefficients(streams, hooks: inputs.hooks())
    var layerInput: Tensor<Scalar>?
    let streamsOut = try site(streams, hooks: inputs.hooks()) { input in
      layerInput = input
      return layerOutput
    }
    return Production(tensors: [
      "mixes": ProducedTensor(coefficients.mixes),
      "pre": ProducedTensor(coefficients.pre),
      "post": ProducedTensor(coefficients.post),
      "combination_logits": ProducedTensor(coefficients.logits.combination),
      "combination": ProducedTensor(coefficients.combination),
      "layer_input": ProducedTensor(layerInput ?? streams),
      "streams_out": ProducedTensor(streamsOut),
    ])
  }

  func head<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let streams = try inputs.input("streams")
    try streams.requireAxes(["T", "n", "d"], "streams", in: "head")
    let head = try HyperConnectionHead(
      streams: streams.shape[1], width: streams.shape[2], projection: inputs.weight("projection"),
      base: inputs.weight("base"), scale: inputs.weight("scale"), epsilon: inputs.number("epsilon"),
      normEpsilon: inputs.number("norm_epsilon"), steps: steps.hyperConnection)
    let output = try head(streams, hooks: inputs.hooks())
    return Production(tensors: [
      "mixes": ProducedTensor(output.mixes),
      "gates": ProducedTensor(output.gates),
      "collapsed": ProducedTensor(output.collapsed),
    ])
  }
}
