import GoldenTensors

extension EngineRequest {
  /// The version of the golden format that cases are handed over in.
  private static let formatVersion: Int64 = 1

  /// Writes the case as an engine gets it: the golden format without the group `expected`.
  ///
  /// - Throws: `GoldenError` if it cannot be written; what stood at `path` is then untouched.
  func write(to path: String) throws {
    try HDF5Writer.write(path, compresses: false) { writer in
      let root: [(String, StoredAttribute)] = [
        ("format_version", .integer(Self.formatVersion)), ("case", .text(id)), ("preset", .text(preset)),
        ("component", .text(component)), ("operation", .text(operation)), ("description", .text(description)),
        ("seed", .integer(Int64(seed))),
      ]
      for (name, value) in root { try writer.set(name, value) }
      for group in ["parameters", "inputs", "weights"] { try writer.group(group) }
      for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
        try writer.set(name, value, of: "parameters")
      }
      for (group, tensors) in [("inputs", inputs), ("weights", weights)] {
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
          try writer.write(tensor, at: "\(group)/\(name)")
        }
      }
    }
  }

  /// Reads a case as an engine gets it.
  ///
  /// - Throws: `GoldenError` if it cannot be read or is no case of this format version.
  init(contentsOf path: String) throws {
    let reader = try HDF5Reader(path)
    let attributes = try reader.attributes(of: "/")
    guard attributes["format_version"] == .integer(Self.formatVersion) else {
      throw GoldenError(path, "is no case of format version \(Self.formatVersion)")
    }
    func text(_ name: String) throws -> String {
      guard case .text(let value)? = attributes[name] else { throw GoldenError(path, "has no \(name)") }
      return value
    }
    func tensors(_ group: String) throws -> [String: StoredTensor] {
      let names = try reader.members(of: group) ?? []
      return try Dictionary(uniqueKeysWithValues: names.map { ($0, try reader.tensor(at: "\(group)/\($0)")) })
    }
    guard case .integer(let seed)? = attributes["seed"] else { throw GoldenError(path, "has no seed") }
    self.init(
      id: try text("case"), preset: try text("preset"), component: try text("component"),
      operation: try text("operation"), description: try text("description"), seed: Int(seed),
      parameters: try reader.attributes(of: "parameters"), inputs: try tensors("inputs"),
      weights: try tensors("weights"))
  }
}
