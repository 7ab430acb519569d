import Tensors

extension Benchmark {
  /// Every benchmark, in the order of the model.
  public static let all: [Benchmark] = [
    sinkhorn, site, sparseCompressor, heavyCompressor, indexer, sparseCore, heavyCore, slidingCore, router, experts,
    sparseLayer, heavyLayer, sparseDecode, denseProduct, float8Product, float4Product,
  ]

  /// The one of that name.
  ///
  /// - Throws: `InputError` that names them all if there is none.
  public static func named(_ id: String) throws(InputError) -> Benchmark {
    guard let benchmark = all.first(where: { $0.id == id }) else {
      throw InputError("bench", "there is no case '\(id)'; there are \(all.map(\.id).joined(separator: ", "))")
    }
    return benchmark
  }
}
