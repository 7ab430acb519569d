extension EngineRequest {
  /// Reads a case that was written as HDF5.
  ///
  /// - Throws: `GoldenError` if it cannot be read or is no case of this format version.
  public init(contentsOf path: String) throws {
    let reader = try HDF5Reader(path)
    let attributes = try reader.attributes(of: "/")
    guard attributes["format_version"] == .integer(Int64(GoldenManifest.supportedVersion)) else {
      throw GoldenError(path, "is no case of format version \(GoldenManifest.supportedVersion)")
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
