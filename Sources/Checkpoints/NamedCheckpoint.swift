import LowPrecision
import Tensors

/// A checkpoint of DeepSeek-V4 that is asked by the official names, whichever naming its files use.
public struct NamedCheckpoint: Sendable {
  public let checkpoint: Checkpoint
  /// The naming of the files.
  public let naming: TensorNaming
  private let places: [String: TensorPlace]

  /// Finds out which naming the files use.
  ///
  /// - Parameters:
  ///   - checkpoint: in any one naming
  ///   - ignoring: what the names of tensors begin with that are left out on purpose: modules of later releases
  /// - Throws: `CheckpointError` if a tensor's name does not belong to the naming of the others, or if two tensors stand
  ///   for the same.
  public init(_ checkpoint: Checkpoint, ignoring: [String] = []) throws(CheckpointError) {
    self.checkpoint = checkpoint
    let tensors = checkpoint.names.filter { !ignoring.contains(where: $0.hasPrefix) }
      .compactMap { checkpoint.entry($0)?.tensor }
    self.naming = try Self.naming(of: tensors, in: checkpoint.name)
    var places: [String: TensorPlace] = [:]
    var faults = Faults()
    for tensor in tensors {
      for (official, place) in naming.officialNames(of: tensor) ?? [] {
        guard let other = places.updateValue(place, forKey: official) else { continue }
        faults.add("\(official) is both \(other.stored) and \(place.stored)")
      }
    }
    try faults.throwIfAny(in: checkpoint.name)
    self.places = places
  }

  /// The naming that has all of the tensors; the error names those that the nearest one has not.
  private static func naming(
    of tensors: [TensorDescription], in checkpoint: String
  ) throws(CheckpointError) -> TensorNaming {
    var nearest = (naming: TensorNaming.official, strangers: tensors)
    for naming in TensorNaming.allCases {
      let strangers = tensors.filter { naming.officialNames(of: $0) == nil }
      if strangers.isEmpty { return naming }
      if strangers.count < nearest.strangers.count { nearest = (naming, strangers) }
    }
    var faults = Faults()
    for stranger in nearest.strangers {
      faults.add(
        "\(quoted(stranger.name)) \(stranger.shape) is no tensor of DeepSeek-V4 in the naming \(nearest.naming.rawValue)"
      )
    }
    try faults.throwIfAny(in: checkpoint)
    return nearest.naming
  }

  /// The official names of all tensors, sorted.
  public var names: [String] { places.keys.sorted() }

  /// Where the checkpoint keeps a tensor; nil if it has none.
  public func place(_ official: String) -> TensorPlace? { places[official] }

  /// What the checkpoint says about a tensor, under its official name; nil if it has none.
  public func tensor(_ official: String) -> TensorDescription? {
    guard let place = places[official], let stored = checkpoint.entry(place.stored)?.tensor else { return nil }
    switch place.part {
    case .whole: return TensorDescription(official, stored.type, stored.shape)
    case .expert(_, .all): return TensorDescription(official, stored.type, Array(stored.shape.dropFirst()))
    case .expert: return TensorDescription(official, stored.type, [stored.shape[1] / 2, stored.shape[2]])
    }
  }

  /// The values of a tensor, as `Checkpoint.matrix`. Of fused experts, this expert alone is read; they must be stored as
  /// plain numbers.
  ///
  /// - Throws: `CheckpointError` if there is no such tensor, or its values cannot be had.
  public func matrix<Scalar: RealScalar>(
    _ official: String, as: Scalar.Type = Scalar.self, rows: Range<Int>? = nil,
    steps: any QuantizationSteps = .reference
  ) throws(CheckpointError) -> Tensor<Scalar> {
    let place = try requirePlace(official)
    guard case .expert(let expert, let half) = place.part else {
      return try checkpoint.matrix(place.stored, rows: rows, steps: steps)
    }
    let fused: Tensor<Scalar> = try checkpoint.reals(place.stored, rows: expert..<expert + 1)
    let height = half == .all ? fused.shape[1] : fused.shape[1] / 2
    let rows = rows ?? 0..<height
    guard rows.lowerBound >= 0, rows.upperBound <= height else {
      throw CheckpointError(checkpoint.name, "\(quoted(official)) has \(height) rows, not the rows \(rows)")
    }
    let (width, first) = (fused.shape[2], half == .secondHalf ? height : 0)
    let elements = fused.elements[(first + rows.lowerBound) * width..<(first + rows.upperBound) * width]
    return try explaining(official, in: checkpoint.name) { () throws(InputError) in
      try Tensor(shape: [rows.count, width], elements: Array(elements))
    }
  }

  /// A matrix as it is stored in codes, as `Checkpoint.storedMatrix`; nil for fused experts, which are plain numbers.
  ///
  /// - Returns: codes and scales of `[R, C]` values
  /// - Throws: `CheckpointError` if there is no such tensor.
  public func storedMatrix(_ official: String) throws(CheckpointError) -> StoredMatrix? {
    let place = try requirePlace(official)
    if case .expert = place.part { return nil }
    return try checkpoint.storedMatrix(place.stored)
  }

  /// The integers of a tensor, as `Checkpoint.integers`.
  ///
  /// - Throws: `CheckpointError` if there is no such tensor, or it does not hold integers.
  public func integers(_ official: String, rows: Range<Int>? = nil) throws(CheckpointError) -> Tensor<Int> {
    let place = try requirePlace(official)
    guard place.part == .whole else {
      throw CheckpointError(checkpoint.name, "\(quoted(official)) is part of an expert, not integers")
    }
    return try checkpoint.integers(place.stored, rows: rows)
  }

  private func requirePlace(_ official: String) throws(CheckpointError) -> TensorPlace {
    guard let place = places[official] else {
      throw CheckpointError(checkpoint.name, "there is no tensor \(quoted(official))")
    }
    return place
  }
}
