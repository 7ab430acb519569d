import LowPrecision
import Tensors

/// Weights that anybody can make: the generator of `golden/FORMAT.md`, under the official names.
///
/// The golden cases of whole models use it, and `v4-oracle checkpoint synthesize` writes it to files.
///
/// ```
/// u = splitmix64(seed · 1000003 + FNV-1a(name) + row · 65537 + column)     modulo 2⁶⁴
/// value = float32(center + spread · ((u >> 40) / 2²³ − 1))
/// ```
public struct GeneratedWeights: WeightSource {
  private let seed: UInt64
  private let experts: Int
  /// The formats that weights are rounded to; nil leaves them as generated.
  private let formats: [String: WeightFormat]?
  private let steps: any QuantizationSteps
  /// How codes and scales are read; nil: correctly.
  private var readingSteps: (any QuantizationSteps)?

  /// - Parameters:
  ///   - seed: of all values
  ///   - configuration: of the model
  ///   - rounded: whether weights are rounded to the formats of the configuration
  ///   - steps: how they are quantized
  public init(
    seed: Int, configuration: ModelConfiguration, rounded: Bool, steps: any QuantizationSteps = .reference
  ) {
    self.seed = UInt64(bitPattern: Int64(seed))
    self.experts = configuration.experts
    self.steps = steps
    formats = rounded ? configuration.weightFormats : nil
  }

  /// A tensor as generated, rounded to its format and back where weights are: `[R, C]` or `[rows.count, C]`, a vector
  /// `[C]`.
  ///
  /// - Throws: `InputError` if the model has no such tensor, or a block of its format does not fit its shape.
  public func reals<Scalar: RealScalar>(
    _ name: String, shape: [Int], rows: Range<Int>?
  ) throws -> Tensor<Scalar> {
    let values = try float32(name, shape: shape, rows: rows)
    guard let formats else { return values.map { Scalar($0) } }
    guard let format = formats[name] else { throw InputError("weights", "the model has no tensor \(name)") }
    guard let readingSteps, format == .float8 || format == .float4 else {
      return try format.rounded(values, steps: steps).map { Scalar($0) }
    }
    return try format.encoding.values(of: values, readBy: readingSteps).map { Scalar($0) }
  }

  public func read(by steps: any QuantizationSteps) -> any WeightSource {
    var copy = self
    copy.readingSteps = steps is ReferenceQuantizationSteps ? nil : steps
    return copy
  }

  /// The hash table, `[V, k]`: neighbouring experts from a generated first one on.
  ///
  /// - Throws: `InputError` never in practice: the table fills its shape.
  public func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> {
    let start = start(name)
    let rows = (0..<shape[0]).map { token in
      let first = Int(splitmix64(start &+ UInt64(token) &* 65_537) % UInt64(experts))
      return (0..<shape[1]).map { (first + $0) % experts }
    }
    return try Tensor(shape: shape, elements: rows.flatMap { $0 })
  }

  /// A tensor as generated, before it is rounded to any format: `[R, C]` or `[rows.count, C]`, a vector `[C]`.
  ///
  /// - Throws: `InputError` if no tensor has a name that ends so.
  public func float32(_ name: String, shape: [Int], rows: Range<Int>? = nil) throws -> Tensor<Float> {
    let isVector = shape.count == 1
    let columns = shape[shape.count - 1]
    guard let (center, spread) = Self.distribution(of: name, columns: columns) else {
      throw InputError("weights", "there is no distribution for \(name)")
    }
    let range = isVector ? 0..<1 : rows ?? 0..<shape[0]
    let start = start(name)
    var values: [Float] = []
    values.reserveCapacity(range.count * columns)
    for row in range {
      for column in 0..<columns {
        let unit = unitValue(splitmix64(start &+ UInt64(row) &* 65_537 &+ UInt64(column)))
        values.append(Float(center + spread * Double(unit)))
      }
    }
    return try Tensor(shape: isVector ? shape : [range.count, columns], elements: values)
  }

  /// Where the counter of a tensor begins.
  private func start(_ name: String) -> UInt64 {
    let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return seed &* 1_000_003 &+ hash
  }

  /// Center and spread of a tensor's values: matrices keep the size of what they multiply.
  private static func distribution(of name: String, columns: Int) -> (center: Double, spread: Double)? {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    let keepsSize = (3 / Double(columns)).squareRoot()
    return switch last {
    case "weight" where name.hasSuffix("norm.weight"): (1, 0.3)
    case "weight" where name == "embed.weight": (0, 1)
    case "weight" where name == "head.weight" || name.hasSuffix(".gate.weight"): (0, 2 * keepsSize)
    case "weight": (0, keepsSize)
    case "ape": (0, 0.5)
    case "bias": (0, 0.1)
    case "attn_sink": (0, 1)
    case _ where last.hasSuffix("_fn"): (0, keepsSize)
    case _ where last.hasSuffix("_base"): (0, 1)
    case _ where last.hasSuffix("_scale"): (1, 0.5)
    default: nil
    }
  }
}

extension ModelConfiguration {
  /// The format of each tensor of reals.
  public var weightFormats: [String: WeightFormat] {
    var formats: [String: WeightFormat] = [:]
    for weight in inventory {
      if case .reals(let format) = weight.storage { formats[weight.name] = format }
    }
    return formats
  }
}

extension WeightFormat {
  /// A tensor, `[R, C]` or `[C]`, rounded to this format and back.
  ///
  /// - Throws: `InputError` if a block of the format does not fit the shape.
  public func rounded(_ tensor: Tensor<Float>, steps: any QuantizationSteps) throws(InputError) -> Tensor<Float> {
    switch self {
    case .float32: tensor
    case .bfloat16: steps.activation(tensor)
    case .float8: try BlockQuantization(.float8E4M3, rows: 128, columns: 128, steps: steps).rounded(tensor)
    case .float4: try BlockQuantization(.float4E2M1, columns: 32, steps: steps).rounded(tensor)
    }
  }
}
