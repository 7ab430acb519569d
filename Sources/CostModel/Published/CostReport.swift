/// What some models cost, beside V3.2, and whether the published numbers come out.
public struct CostReport: Codable, Sendable {
  /// In tokens.
  public let context: Int
  /// The counting rule of FLOPs.
  public let count: String
  /// The format of the cache.
  public let kv: String
  public let models: [CostOfModel]
  /// Each model at the contexts of the table.
  public let contexts: [CostAtContext]
  /// The published numbers of these models; none of a model about which nothing is published.
  public let published: [PublishedVerdict]
  /// Whether all of them match.
  public let passed: Bool

  /// The contexts of the table, in tokens.
  public static let tableContexts = [4096, 32_768, 131_072, 262_144, 524_288, million]

  /// - Parameters:
  ///   - models: in the order in which they are shown
  ///   - baseline: V3.2
  ///   - context: in tokens; of `ModelCost.contexts`
  ///   - rule: how operations are counted
  ///   - format: how cache entries are stored
  public init(
    _ models: [ModelCost], baseline: ModelCost, context: Int, _ rule: CountingRule, _ format: CacheFormat
  ) {
    self.context = context
    count = rule.rawValue
    kv = format.rawValue
    let comparisons = models.map { CostComparison($0, baseline: baseline, rule, format) }
    self.models = comparisons.map { CostOfModel($0, context: context) }
    contexts = Self.tableContexts.flatMap { context in comparisons.map { CostAtContext($0, context: context) } }
    published = comparisons.flatMap { comparison in
      PublishedNumber.all.filter { $0.release == comparison.model.release }.map { $0.judged(comparison) }
    }
    passed = published.allSatisfy(\.matches)
  }
}

/// A line of the table over contexts.
public struct CostAtContext: Codable, Equatable, Sendable {
  public let context: Int
  public let model: String
  public let flops: Double
  public let flopsOfV32: Double
  public let cacheBytes: Double
  public let cacheOfV32: Double

  init(_ comparison: CostComparison, context: Int) {
    self.context = context
    model = comparison.model.name
    flops = comparison.model.flops(context: context, comparison.rule).total
    flopsOfV32 = comparison.flopsShare(context: context)
    cacheBytes = comparison.model.cache(context: context, comparison.format).bytes
    cacheOfV32 = comparison.cacheShare(context: context)
  }
}
