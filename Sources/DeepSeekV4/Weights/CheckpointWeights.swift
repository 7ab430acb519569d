import Checkpoints
import LowPrecision
import Tensors

/// The weights of a checkpoint folder, checked as a whole before any of them is used.
public struct CheckpointWeights: WeightSource {
  public let checkpoint: NamedCheckpoint
  /// Whether the checkpoint has the MTP block of its configuration; some namings leave it out.
  public let predicts: Bool

  /// Checks that the checkpoint holds every tensor of the model in the right shape and a type it can be in, and nothing
  /// else.
  ///
  /// - Parameters:
  ///   - checkpoint: asked by the official names
  ///   - configuration: what it should hold
  ///   - ignoring: official name prefixes that are left out on purpose: modules of later releases
  /// - Throws: `CheckpointError` that lists every fault.
  public init(
    _ checkpoint: NamedCheckpoint, configuration: ModelConfiguration, ignoring: [String] = []
  ) throws(CheckpointError) {
    let present = Set(checkpoint.names)
    let predicts = present.contains { $0.hasPrefix("mtp.") }
    var expected: Set<String> = []
    var faults: [String] = []
    for weight in configuration.inventory where predicts || !weight.name.hasPrefix("mtp.") {
      expected.insert(weight.name)
      guard let stored = checkpoint.tensor(weight.name) else {
        faults.append("\(weight.name) is missing")
        continue
      }
      let scaleName = weight.name.hasSuffix(".weight") ? weight.name.dropLast("weight".count) + "scale" : ""
      expected.insert(String(scaleName))
      if let fault = Self.fault(weight, stored, scale: checkpoint.tensor(String(scaleName))) { faults.append(fault) }
    }
    for name in present.subtracting(expected).sorted() where !ignoring.contains(where: name.hasPrefix) {
      faults.append("\(name) is no tensor of this model")
    }
    guard faults.isEmpty else {
      let listed = faults.prefix(20).joined(separator: "; ")
      let rest = faults.count > 20 ? "; and \(faults.count - 20) more" : ""
      throw CheckpointError(
        checkpoint.checkpoint.name, "\(faults.count) fault\(faults.count == 1 ? "" : "s"): \(listed)\(rest)")
    }
    self.checkpoint = checkpoint
    self.predicts = predicts
  }

  /// What is wrong with a stored tensor.
  private static func fault(
    _ weight: WeightDescription, _ stored: TensorDescription, scale: TensorDescription?
  ) -> String? {
    var shape = weight.shape
    switch (weight.storage, stored.type) {
    case (.int64, .int64), (.int64, .int32): break
    case (.int64, _): return "\(weight.name) is \(stored.type.rawValue), expected I64"
    case (.reals, .float8E4M3) where shape.count == 2: break
    case (.reals, .int8) where shape.count == 2, (.reals, .uint8) where shape.count == 2: shape[1] /= 2
    case (.reals, .float32), (.reals, .bfloat16), (.reals, .float16), (.reals, .float64):
      if scale != nil { return "\(weight.name) is \(stored.type.rawValue), but has a tensor of scales" }
    case (.reals, _): return "\(weight.name) is \(stored.type.rawValue), which holds no reals of this shape"
    }
    return stored.shape == shape ? nil : "\(weight.name) has shape \(stored.shape), expected \(shape)"
  }

  /// - Throws: `CheckpointError` if the values cannot be read.
  public func reals<Scalar: RealScalar>(_ name: String, shape: [Int], rows: Range<Int>?) throws -> Tensor<Scalar> {
    try checkpoint.matrix(name, rows: rows)
  }

  /// - Throws: `CheckpointError` if the values cannot be read.
  public func integers(_ name: String, shape: [Int]) throws -> Tensor<Int> {
    try checkpoint.integers(name)
  }
}
