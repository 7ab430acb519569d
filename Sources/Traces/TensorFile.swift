import Checkpoints
import Foundation
import GoldenTensors
import Tensors

/// A file of named tensors: HDF5 or safetensors, told apart by how it begins.
///
/// A dataset of HDF5 is named by its path, `calls/0000/logits`; in safetensors, slashes in a name make the same groups.
public final class TensorFile {
  /// The names of all tensors, sorted.
  public let names: [String]
  /// The names of all groups, sorted; in safetensors those that a tensor lies in.
  public let groups: [String]
  /// What errors call it.
  public let name: String
  private let storage: Storage

  private enum Storage {
    case hdf5(HDF5Reader)
    case safetensors(SafetensorsFile)
  }

  /// - Parameters:
  ///   - path: the file
  ///   - name: what errors call it; the path if nil
  /// - Throws: `GoldenError` or `CheckpointError` if there is no such file, or it is damaged or of neither kind.
  public init(_ path: String, name: String? = nil) throws {
    self.name = name ?? path
    let start = try Self.beginning(of: path, name: self.name)
    if start.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]) {
      let file = try HDF5Reader(path, name: self.name)
      (names, groups) = try file.contents()
      storage = .hdf5(file)
    } else if start.count > 8, start[8] == UInt8(ascii: "{") {
      let file = try SafetensorsFile(path, name: self.name)
      names = file.tensors.map(\.name).sorted()
      groups = Self.groups(of: names)
      storage = .safetensors(file)
    } else {
      throw GoldenError(self.name, "is neither an HDF5 nor a safetensors file")
    }
  }

  /// What the file says about a tensor.
  ///
  /// - Throws: `GoldenError` or `CheckpointError` if there is none of that name, or its elements are of a type that no
  ///   tensor here has.
  public func description(of tensor: String) throws -> Description {
    switch storage {
    case .hdf5(let file):
      let (shape, elementType) = try file.description(of: tensor)
      return Description(shape: shape, elementType: elementType, stored: elementType.rawValue)
    case .safetensors(let file):
      let stored = try stored(tensor, in: file)
      let elementType = try elementType(of: stored)
      let word = [.bfloat16: "bfloat16", .float16: "float16"][stored.type] ?? elementType.rawValue
      return Description(shape: stored.shape, elementType: elementType, stored: word)
    }
  }

  /// A tensor, or some rows of it. BF16 and F16 are widened to float32.
  ///
  /// - Parameters:
  ///   - tensor: its name in the file
  ///   - rows: a range of the first axis; all of it if nil. Nothing else is read.
  /// - Returns: `[rows.count, …]` if rows are given, else the stored shape
  /// - Throws: as `description(of:)`, and if there are no such rows.
  public func read(_ tensor: String, rows: Range<Int>? = nil) throws -> StoredTensor {
    switch storage {
    case .hdf5(let file): return try file.tensor(at: tensor, rows: rows)
    case .safetensors(let file):
      // The file may be larger than memory: without this, all that was read would count as memory in use.
      defer { try? file.forget(tensor, rows: rows) }
      switch try elementType(of: stored(tensor, in: file)) {
      case .float32: return .float32(try file.reals(tensor, rows: rows))
      case .float64: return .float64(try file.reals(tensor, rows: rows))
      case .int32: return .int32(try file.integers(tensor, rows: rows).map { Int32($0) })
      case .int64: return .int64(try file.integers(tensor, rows: rows).map { Int64($0) })
      case .uint8: return .uint8(try file.bytes(tensor, rows: rows))
      case .bool:
        let bytes = try file.bytes(tensor, rows: rows)
        guard bytes.elements.allSatisfy({ $0 <= 1 }) else {
          throw GoldenError(name, "\(tensor) holds a bool that is neither 0 nor 1")
        }
        return .bool(bytes.map { $0 == 1 })
      }
    }
  }

  /// Attributes of the file or of a group; those not asked for may be of any kind.
  ///
  /// In safetensors they are the members `<name>` or `<group>/<name>` of `__metadata__`, always text.
  ///
  /// - Parameters:
  ///   - wanted: their names
  ///   - group: `/` for the file
  /// - Returns: those that are there
  /// - Throws: `GoldenError` or `CheckpointError` if there is no such group, or one is neither a number nor a text.
  public func attributes(_ wanted: [String], of group: String = "/") throws -> [String: StoredAttribute] {
    var found: [String: StoredAttribute] = [:]
    switch storage {
    case .hdf5(let file):
      for name in wanted { found[name] = try file.attribute(name, of: group) }
    case .safetensors(let file):
      let prefix = group == "/" ? "" : "\(group)/"
      let texts = try file.metadata(Set(wanted.map { prefix + $0 }))
      for name in wanted { found[name] = texts[prefix + name].map { .text($0) } }
    }
    return found
  }

  private func stored(_ tensor: String, in file: SafetensorsFile) throws -> TensorDescription {
    guard let stored = file.tensor(tensor) else { throw GoldenError(name, "there is no tensor \(tensor)") }
    return stored
  }

  private func elementType(of tensor: TensorDescription) throws -> ElementType {
    switch tensor.type {
    case .float64: return .float64
    case .float32, .bfloat16, .float16: return .float32
    case .int64: return .int64
    case .int32: return .int32
    case .uint8: return .uint8
    case .bool: return .bool
    case .float8E4M3, .float8E8M0, .int8, .int16:
      throw GoldenError(name, "\(tensor.name) is stored as \(tensor.type.rawValue), which is not read here")
    }
  }

  /// The first nine bytes, or fewer if there are none.
  private static func beginning(of path: String, name: String) throws -> [UInt8] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw GoldenError(name, "there is no such file")
    }
    guard !isFolder.boolValue, let file = FileHandle(forReadingAtPath: path) else {
      throw GoldenError(name, "is not a file that can be read")
    }
    // Nil at the end of an empty file.
    return Array((try? file.read(upToCount: 9)) ?? Data())
  }

  private static func groups(of names: [String]) -> [String] {
    var groups: Set<String> = []
    for name in names {
      var parent = name[...]
      while let slash = parent.lastIndex(of: "/") {
        parent = parent[..<slash]
        guard groups.insert(String(parent)).inserted else { break }
      }
    }
    return groups.sorted()
  }
}

extension TensorFile {
  /// What a file says about a tensor.
  public struct Description: Equatable, Sendable {
    public let shape: [Int]
    /// As it is read.
    public let elementType: ElementType
    /// As it is stored: the element type, or `bfloat16` or `float16`.
    public let stored: String
  }
}
