import Tensors

extension TensorArchive {
  private static var version: Int64 { 1 }

  /// Writes the archive as an HDF5 file: the counts as attributes, each tensor as a dataset of the path's type.
  ///
  /// - Throws: `GoldenError` if it cannot be written; what stood at `path` is then untouched.
  public func write(to path: String) throws {
    try HDF5Writer.write(path) { writer in
      try writer.set("archive_version", .integer(Self.version))
      try writer.set("path", .text(Scalar.pathName))
      try writer.group("counts")
      try writer.group("tensors")
      for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
        try writer.set(name, .integer(Int64(count)), of: "counts")
      }
      for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
        let stored: StoredTensor =
          Scalar.self == Float.self ? .float32(tensor.map { Float($0) }) : .float64(tensor.map { Double($0) })
        try writer.write(stored, at: "tensors/\(name)")
      }
    }
  }

  /// Reads an archive.
  ///
  /// - Throws: `GoldenError` if it is not one, or one of another path: a state in Double does not become one in Float.
  public init(contentsOf path: String) throws {
    let reader = try HDF5Reader(path)
    let attributes = try reader.attributes(of: "/")
    guard attributes["archive_version"] == .integer(Self.version) else {
      throw GoldenError(path, "is not a tensor archive of version \(Self.version)")
    }
    guard attributes["path"] == .text(Scalar.pathName) else {
      throw GoldenError(path, "does not hold tensors of the \(Scalar.pathName) path")
    }
    self.init()
    for case (let name, .integer(let value)) in try reader.attributes(of: "counts") { counts[name] = Int(value) }
    for name in try reader.members(of: "tensors") ?? [] {
      guard let tensor = try reader.tensor(at: "tensors/\(name)").reals(Scalar.self) else {
        throw GoldenError(path, "tensors/\(name) does not hold reals")
      }
      tensors[name] = tensor
    }
  }
}
