import DeepSeekV4
import LowPrecision
import Tensors

/// What a scenario has otherwise than generated weights, so that a bug can be seen.
public struct WeightChanges: Sendable {
  /// Factors of the weights whose names end so.
  public var factors: [String: Double] = [:]
  /// Whether each row of a hash table names one expert twice.
  public var repeatsExperts = false

  public init(factors: [String: Double] = [:], repeatsExperts: Bool = false) {
    self.factors = factors
    self.repeatsExperts = repeatsExperts
  }
}

/// Generated weights with some changes.
struct ScenarioWeights: WeightSource {
  var base: any WeightSource
  let changes: WeightChanges

  func reals<Scalar: RealScalar>(_ name: String, shape: [Int], rows: Range<Int>?) throws -> Tensor<Scalar> {
    let values: Tensor<Scalar> = try base.reals(name, shape: shape, rows: rows)
    guard let factor = changes.factors.first(where: { name.hasSuffix($0.key) })?.value else { return values }
    return values.map { Scalar(Float(Double($0) * factor)) }
  }

  func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> {
    let table = try base.integers(name, shape: shape)
    guard changes.repeatsExperts else { return table }
    let width = shape[1]
    return try Tensor(shape: shape, elements: table.elements.indices.map { table.elements[max($0 / width * width, $0 - 1)] })
  }

  func read(by steps: any QuantizationSteps) -> any WeightSource {
    ScenarioWeights(base: base.read(by: steps), changes: changes)
  }
}
