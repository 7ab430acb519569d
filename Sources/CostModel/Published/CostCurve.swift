import Foundation

/// The operations and the cache of a model over the context: the curves of the report's Figure 1.
public struct CostCurve: Sendable {
  /// What one context costs.
  public struct Point: Sendable {
    /// In tokens.
    public let context: Int
    public let flops: DecodeFLOPs
    public let cache: KeyValueCache
  }

  public let name: String
  public let points: [Point]

  /// - Parameters:
  ///   - model: whose costs they are
  ///   - end: the last context, in tokens; of `ModelCost.contexts`
  ///   - pieces: how many pieces the axis is cut into
  ///   - rule: what an operation counts
  ///   - format: how entries are stored
  public init(_ model: ModelCost, upTo end: Int, pieces: Int = 128, _ rule: CountingRule, _ format: CacheFormat) {
    name = model.name
    let contexts = Set((0...pieces).map { max(1, end * $0 / pieces) }).sorted()
    points = contexts.map {
      Point(context: $0, flops: model.flops(context: $0, rule), cache: model.cache(context: $0, format))
    }
  }

  /// Curves as comma-separated values, a line for each point.
  public static func csv(_ curves: [CostCurve]) -> String {
    let columns = [
      "model", "context_tokens", "flops_weights", "flops_window_and_selected", "flops_hca", "flops_index_scores",
      "flops_total", "cache_window_bytes", "cache_main_bytes", "cache_index_key_bytes", "cache_bytes",
    ]
    let lines = curves.flatMap { curve in curve.points.map { "\(quoted(curve.name)),\($0.values)" } }
    return ([columns.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
  }

  private static func quoted(_ name: String) -> String {
    name.contains { ",\"\r\n".contains($0) } ? "\"\(name.replacing("\"", with: "\"\""))\"" : name
  }
}

extension CostCurve.Point {
  fileprivate var values: String {
    let numbers = [
      Double(context), flops.weights, flops.windowAndSelected, flops.heavilyCompressed, flops.indexScores, flops.total,
      cache.windowBytes, cache.mainBytes, cache.indexKeyTotalBytes, cache.bytes,
    ]
    return numbers.map { String(format: "%.0f", $0) }.joined(separator: ",")
  }
}
