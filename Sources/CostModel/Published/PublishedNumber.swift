import Foundation

/// A number that somebody has published about a model, and how it is computed here.
public struct PublishedNumber: Sendable {
  /// What a number is counted in.
  public enum Unit: String, Sendable {
    case one = ""
    case billion = "B"
    case trillion = "T"
    case percent = " %"
    case times = "×"
    case gibibytes = " GiB"

    var size: Double {
      switch self {
      case .one, .times: 1
      case .billion: 1e9
      case .trillion: 1e12
      case .percent: 0.01
      case .gibibytes: 1_073_741_824
      }
    }
  }

  public let release: ModelCost.Release
  public let quantity: String
  /// In its unit, to as many decimals as are published.
  public let value: Double
  public let decimals: Int
  public let unit: Unit
  public let source: String
  let compute: @Sendable (CostComparison) -> Double

  init(
    _ release: ModelCost.Release, _ quantity: String, _ value: Double, decimals: Int = 0, _ unit: Unit,
    from source: String,
    _ compute: @escaping @Sendable (CostComparison) -> Double
  ) {
    self.release = release
    self.quantity = quantity
    self.value = value
    self.decimals = decimals
    self.unit = unit
    self.source = source
    self.compute = compute
  }

  /// Compares it with what is computed: a match is what rounds to the published decimals.
  ///
  /// - Parameter comparison: of the model of `release` with V3.2
  public func judged(_ comparison: CostComparison) -> PublishedVerdict {
    let computed = compute(comparison) / unit.size
    return PublishedVerdict(
      model: release.rawValue, quantity: quantity, source: source, published: value, computed: computed,
      unit: unit.rawValue.trimmingCharacters(in: .whitespaces),
      publishedText: text(value, decimals), computedText: text(computed, unit == .one ? 0 : decimals + 2),
      matches: abs(computed - value) <= 0.5 * pow(10, -Double(decimals)))
  }

  private func text(_ number: Double, _ decimals: Int) -> String {
    number.formatted(.number.precision(.fractionLength(decimals)).locale(Locale(identifier: "en_US"))) + unit.rawValue
  }
}

/// What a published number was compared with.
public struct PublishedVerdict: Codable, Equatable, Sendable {
  public let model: String
  public let quantity: String
  public let source: String
  /// In `unit`.
  public let published: Double
  /// In `unit`.
  public let computed: Double
  public let unit: String
  public let publishedText: String
  /// With more decimals than are published.
  public let computedText: String
  public let matches: Bool
}

/// A model beside V3.2, and what is counted how.
public struct CostComparison: Sendable {
  public let model: ModelCost
  public let baseline: ModelCost
  public let rule: CountingRule
  public let format: CacheFormat

  /// A model beside its baseline, both counted by one rule and stored in one format.
  public init(_ model: ModelCost, baseline: ModelCost, _ rule: CountingRule, _ format: CacheFormat) {
    self.model = model
    self.baseline = baseline
    self.rule = rule
    self.format = format
  }

  /// The operations of the model as a part of those of V3.2.
  public func flopsShare(context: Int) -> Double {
    model.flops(context: context, rule).total / baseline.flops(context: context, rule).total
  }

  /// The cache of the model as a part of that of V3.2.
  public func cacheShare(context: Int) -> Double {
    model.cache(context: context, format).bytes / baseline.cache(context: context, format).bytes
  }
}
