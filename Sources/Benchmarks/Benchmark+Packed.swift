import FastKernels
import LowPrecision
import Tensors

// Axes: T tokens, K columns, N outputs.

extension Benchmark {
  static let denseProduct = product("fp32-matmul", "product with float32 weights", format: nil)
  static let float8Product = product("fp8-matmul", "product with FP8 weights", format: .float8E4M3)
  static let float4Product = product("fp4-matmul", "product with FP4 weights", format: .float4E2M1)

  /// The shape of an expert's gate in Flash.
  private static let (outputs, columns) = (2048, 4096)
  /// So many bytes of weights are walked through that no cache holds them, as in a model.
  private static let bytesOfWeights = 192 << 20

  private static func product(_ id: String, _ title: String, format: SmallFloat?) -> Benchmark {
    Benchmark(id, title) { setting in
      let values = randomTensor([outputs, columns], seed: 24, scale: 0.03)
      let x = try BlockQuantization(.float8E4M3, columns: 128).rounded(
        randomTensor([setting.size, columns], seed: 25))
      let matrix = try format.map { try PackedMatrix(quantizing: values, as: $0) }
      let bytes = matrix.map { $0.codes.count + $0.scales.count } ?? 4 * values.count
      let work = Work(
        flops: 2 * Double(setting.size * values.count),
        bytes: Double(bytes + 4 * setting.size * (columns + outputs)), bound: bound(setting))
      let count = max(1, bytesOfWeights / bytes)
      var turn = 0
      guard let kernels = setting.kernels else {
        return Preparation(work: work) { _ = try linear(x, values) }
      }
      guard let matrix else {
        let weights = (0..<count).map { _ in Tensor(filling: values.shape, values.elements.map { $0 }) }
        return Preparation(work: work) {
          turn = (turn + 1) % count
          _ = try kernels.linear(x, weights[turn])
        }
      }
      let weights = try (0..<count).map { _ in
        try PackedMatrix(
          matrix.format, shape: matrix.shape, codes: matrix.codes.map { $0 }, scales: matrix.scales)
      }
      return Preparation(work: work) {
        turn = (turn + 1) % count
        _ = try kernels.linear(x, weights[turn], in: .bfloat16WhereExact)
      }
    }
  }
}
