import DeepSeekV4
import LowPrecision
import Tensors

/// What a scenario has otherwise than generated weights, so that a bug can be seen.
public struct WeightChanges: Sendable {
  /// Factors of the weights whose names end so.
  public var factors: [String: Double] = [:]
  /// Whether each row of a hash table names one expert twice.
  public var repeatsExperts = false

  /// Without arguments no changes.
  public init(factors: [String: Double] = [:], repeatsExperts: Bool = false) {
    self.factors = factors
    self.repeatsExperts = repeatsExperts
  }
}

/// Generated weights with some changes, made before they are stored in any format.
struct ScenarioWeights: WeightSource {
  private let base: GeneratedWeights
  private let changes: WeightChanges
  /// The formats that weights are stored in; empty where they are as generated.
  private let formats: [String: WeightFormat]
  private var steps: any QuantizationSteps = .reference

  init(seed: Int, _ configuration: ModelConfiguration, rounded: Bool, _ changes: WeightChanges) {
    base = GeneratedWeights(seed: seed, configuration: configuration, rounded: false)
    formats = rounded ? configuration.weightFormats : [:]
    self.changes = changes
  }

  func reals<Scalar: RealScalar>(_ name: String, shape: [Int], rows: Range<Int>?) throws -> Tensor<Scalar> {
    var values = try base.float32(name, shape: shape, rows: rows)
    if let factor = changes.factors.first(where: { name.hasSuffix($0.key) })?.value {
      values = values.map { Float(Double($0) * factor) }
    }
    return switch formats[name] {
    case nil, .float32: values.map { Scalar($0) }
    case .bfloat16: ReferenceQuantizationSteps().activation(values).map { Scalar($0) }
    case .float8?, .float4?:
      try (formats[name]?.encoding ?? .float32).values(of: values, readBy: steps).map { Scalar($0) }
    }
  }

  func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> {
    let table = try base.integers(name, shape: shape)
    guard changes.repeatsExperts else { return table }
    let width = shape[1]
    return try Tensor(
      shape: shape, elements: table.elements.indices.map { table.elements[max($0 / width * width, $0 - 1)] })
  }

  func read(by steps: any QuantizationSteps) -> any WeightSource {
    var copy = self
    copy.steps = steps
    return copy
  }
}
