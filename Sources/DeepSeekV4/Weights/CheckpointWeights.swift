import Checkpoints
import LowPrecision
import Tensors

/// The weights of a checkpoint folder, checked as a whole before any of them is used.
public struct CheckpointWeights: WeightSource {
  public let checkpoint: NamedCheckpoint
  /// Whether the checkpoint has the MTP block of its configuration; some namings leave it out.
  public let predicts: Bool
  private var steps: any QuantizationSteps = .reference

  /// Checks that the checkpoint holds every tensor of the model in the right shape and a type it can be in, with its
  /// scales where that type needs them, and nothing else.
  ///
  /// - Parameters:
  ///   - checkpoint: asked by the official names
  ///   - configuration: what it should hold
  /// - Throws: `CheckpointError` with every fault.
  public init(_ checkpoint: NamedCheckpoint, configuration: ModelConfiguration) throws(CheckpointError) {
    let present = Set(checkpoint.names)
    let predicts = present.contains { $0.hasPrefix("mtp.") }
    var expected: Set<String> = []
    var faults = Faults(telling: .max)
    for weight in configuration.inventory where predicts || !weight.name.hasPrefix("mtp.") {
      expected.insert(weight.name)
      guard let stored = checkpoint.tensor(weight.name) else {
        faults.add("\(weight.name) is missing")
        continue
      }
      let scale = checkpoint.tensor(Self.scaleName(of: weight.name))
      if let fault = Self.fault(weight, stored) ?? Self.scaleFault(weight, stored, scale) { faults.add(fault) }
      if scale != nil { expected.insert(Self.scaleName(of: weight.name)) }
    }
    for name in present.subtracting(expected).sorted() { faults.add("\(name) is no tensor of this model") }
    try faults.throwIfAny(in: checkpoint.checkpoint.name)
    self.checkpoint = checkpoint
    self.predicts = predicts
  }

  /// The first weight that is not stored in its official format; nil if all are. Deployed numerics assume that they are.
  public func firstNotDeployed(of configuration: ModelConfiguration) -> String? {
    let official = configuration.with { ($0.denseFormat, $0.expertFormat) = (.float8, .float4) }
    return official.inventory.first { weight in
      guard case .reals(let format) = weight.storage, let type = checkpoint.tensor(weight.name)?.type else {
        return false
      }
      return switch format {
      case .float32: false
      case .bfloat16: type != .bfloat16
      case .float8: type != .float8E4M3
      case .float4: type != .int8 && type != .uint8
      }
    }?.name
  }

  /// Whether any weight is stored in FP8 or FP4.
  public var storesCodes: Bool {
    checkpoint.names.contains { [.float8E4M3, .int8, .uint8].contains(checkpoint.tensor($0)?.type) }
  }

  private static func scaleName(of weight: String) -> String {
    weight.hasSuffix(".weight") ? weight.dropLast("weight".count) + "scale" : weight + ".scale"
  }

  /// What is wrong with the type or the shape of a stored tensor.
  private static func fault(_ weight: WeightDescription, _ stored: TensorDescription) -> String? {
    var shape = weight.shape
    switch (weight.storage, stored.type) {
    case (.int64, .int64), (.int64, .int32): break
    case (.int64, _): return "\(weight.name) is \(stored.type.rawValue), expected I64"
    case (.reals, .float8E4M3) where shape.count == 2: break
    case (.reals, .int8) where shape.count == 2, (.reals, .uint8) where shape.count == 2: shape[1] /= 2
    case (.reals, .float32), (.reals, .bfloat16), (.reals, .float16), (.reals, .float64): break
    case (.reals, _): return "\(weight.name) is \(stored.type.rawValue), which holds no reals of this shape"
    }
    return stored.shape == shape ? nil : "\(weight.name) has shape \(stored.shape), expected \(shape)"
  }

  /// What is wrong with the scales of a stored tensor: 128 × 128 values of FP8 share one, 1 × 32 of FP4.
  private static func scaleFault(
    _ weight: WeightDescription, _ stored: TensorDescription, _ scale: TensorDescription?
  ) -> String? {
    let expected: [Int]
    switch stored.type {
    case .float8E4M3: expected = weight.shape.map { ($0 + 127) / 128 }
    case .int8, .uint8:
      guard weight.shape[1] % 32 == 0 else {
        return "\(weight.name) has \(weight.shape[1]) columns, which FP4 blocks of 32 do not divide"
      }
      expected = [weight.shape[0], weight.shape[1] / 32]
    default: return scale.map { "\(weight.name) is \(stored.type.rawValue), but has the scales \($0.name)" }
    }
    guard let scale else { return "\(weight.name) is \(stored.type.rawValue), but has no scales" }
    guard scale.shape == expected else { return "\(scale.name) has shape \(scale.shape), expected \(expected)" }
    switch scale.type {
    case .float8E8M0, .float32, .bfloat16, .float16: return nil
    default: return "\(scale.name) is \(scale.type.rawValue), expected F8_E8M0 or reals"
    }
  }

  /// The values of a tensor, dequantized where it is stored in codes: `[R, C]`, `[rows.count, C]` or `[C]`.
  ///
  /// - Throws: `CheckpointError` if the values cannot be read.
  public func reals<Scalar: RealScalar>(_ name: String, shape: [Int], rows: Range<Int>?) throws -> Tensor<Scalar> {
    try checkpoint.matrix(name, rows: rows, steps: steps)
  }

  /// Codes and scales of a matrix that is stored in them, unless they are read by other steps than the correct ones.
  ///
  /// - Throws: `CheckpointError` if they cannot be read.
  public func stored(_ name: String) throws -> StoredMatrix? {
    guard steps is ReferenceQuantizationSteps else { return nil }
    return try checkpoint.storedMatrix(name)
  }

  public func read(by steps: any QuantizationSteps) -> any WeightSource {
    var copy = self
    copy.steps = steps
    return copy
  }

  /// The hash table of a layer, `[V, k]`.
  ///
  /// - Throws: `CheckpointError` if the values cannot be read.
  public func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> {
    try checkpoint.integers(name)
  }
}
