import ExpertRouting
import Tensors

// Axes: T tokens, d model width, E routed experts, f expert width, k experts per token.

extension Benchmark {
  static let router = Benchmark("router", "router, all experts") { setting in
    let numbers = setting.configuration
    let gate = randomTensor([numbers.experts, numbers.width], seed: 11, scale: 0.03)
    let bias = randomTensor([numbers.experts], seed: 12, scale: 0.1)
    let router = try Router(
      gate: gate, width: numbers.width, rule: .learned(bias: bias, expertsPerToken: numbers.expertsPerToken),
      routeScale: Float(numbers.routeScale), steps: setting.steps.routing, operation: "router")
    let hidden = randomTensor([setting.size, numbers.width], seed: 13)
    let work = Work(
      flops: 2 * Double(setting.size * gate.count), bytes: 4 * Double(gate.count + hidden.count), bound: bound(setting))
    return Preparation(work: work) { _ = try router(hidden) }
  }

  static let experts = Benchmark("experts", "8 experts and the shared one") { setting in
    let model = BenchmarkModel(setting)
    let mixture = try model.mixture(model.block(ratio: 0).keepingExperts(), tokens: setting.size)
    let hidden = randomTensor([setting.size, setting.configuration.width], seed: 14)
    let ids = try Tensor(shape: [setting.size], elements: Array(0..<setting.size))
    return Preparation(work: expertWork(setting)) { _ = try mixture(hidden, tokenIDs: ids) }
  }

  /// Three products for each slot of each token and for the shared expert; the weights of the experts that are used.
  static func expertWork(_ setting: Setting) -> Work {
    let numbers = setting.configuration
    let matrices = Double(3 * numbers.width * numbers.expertWidth)
    let used = Double(min(8, setting.size + numbers.expertsPerToken - 1) + 1)
    return Work(
      flops: 2 * matrices * Double(setting.size * (numbers.expertsPerToken + 1)),
      bytes: 4 * (matrices * used + Double(2 * setting.size * numbers.width)), bound: bound(setting))
  }
}
