import HyperConnections
import Tensors

// Axes: T tokens, n residual streams, d model width, M mixes.

extension Benchmark {
  static let sinkhorn = Benchmark(
    "sinkhorn", "Sinkhorn, 20 iterations", unit: "matrices", sizes: [8192]
  ) { setting in
    let n = setting.configuration.streams
    let iterations = setting.configuration.sinkhornIterations
    let logits = randomTensor([setting.size, n, n], seed: 1, scale: 4)
    let steps = setting.steps.hyperConnection
    let epsilon = Float(setting.configuration.hyperConnectionEpsilon)
    // Each row and each column: n − 1 sums, one ε, n divisions.
    let flops = Double(setting.size * n * 2 * n * (2 * iterations))
    return Preparation(work: Work(flops: flops, bytes: Double(8 * logits.count))) {
      _ = try steps.sinkhorn(logits, iterations: iterations, epsilon: epsilon)
    }
  }

  static let site = Benchmark("hyper-connection-site", "hyper-connection site") { setting in
    let site = try BenchmarkModel(setting).block(ratio: 0).attentionSite
    let (tokens, n, width) = (setting.size, site.streams, site.width)
    let streams = randomTensor([tokens, n, width], seed: 2)
    let output = randomTensor([tokens, width], seed: 3)
    // Three passes read the streams, one writes them; the layer's input is written, its output read.
    let floats = Double(tokens * width) * Double(3 * n + n + 2) + Double(site.projection.count)
    let flops = 2 * Double(tokens * n * width) * Double(site.base.count + 1 + n)
    return Preparation(work: Work(flops: flops, bytes: 4 * floats, bound: .memory)) {
      _ = try site(streams) { _ in output }
    }
  }
}
