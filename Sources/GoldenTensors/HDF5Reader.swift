import CHDF5
import Foundation
import Tensors

/// Reads an HDF5 file that may be damaged or hostile.
///
/// It follows hard links only, refuses external and virtual storage, unknown filters and variable-length data, and
/// never allocates for a dataset that a file of this size could not hold. Truncated files always give a clean error.
///
/// Flipped bytes are another matter: HDF5 does not notice most of them, and version 1.10.8 itself crashes on some that
/// hit an attribute (5 of 4,000 random ones). A file whose SHA-256 is known should be opened with it.
public final class HDF5Reader {
  /// Gzip compresses at most 1032 times, so a dataset that claims more than this ratio is damaged.
  static let largestCompression = 1_100
  private static let largestText = 1 << 20
  static let largestGroup = 10_000

  let file: Identifier
  let name: String
  /// The size of the file.
  public let bytes: Int

  /// - Parameters:
  ///   - path: the file
  ///   - name: what errors call it; the path if nil
  ///   - expected: its SHA-256; nothing is handed to HDF5 before that is right
  /// - Throws: `GoldenError` if it is not the file of this checksum or cannot be opened as HDF5.
  public init(_ path: String, name: String? = nil, sha256 expected: String? = nil) throws {
    let name = name ?? path
    guard let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int else {
      throw GoldenError(name, "there is no such file")
    }
    if let expected {
      guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
        throw GoldenError(name, "cannot be read")
      }
      guard sha256(data) == expected else { throw GoldenError(name, "its SHA-256 is not the one it should have") }
    }
    self.name = name
    self.bytes = size
    self.file = try HDF5.locked {
      try Identifier(
        H5Fopen(path, chdf5_read_only(), chdf5_default()), close: H5Fclose, name, "cannot be opened as HDF5")
    }
  }

  /// The names in a group, sorted; nil if there is no such group.
  ///
  /// - Throws: `GoldenError` if the group cannot be read.
  public func members(of group: String) throws -> [String]? {
    try HDF5.locked {
      guard try exists(group) else { return nil }
      let opened = try Identifier(
        chdf5_group_open(file.id, group), close: H5Gclose, name, "cannot open the group \(group)")
      var info = H5G_info_t()
      guard H5Gget_info(opened.id, &info) >= 0 else { throw HDF5.failure(name, "cannot read the group \(group)") }
      guard info.nlinks <= Self.largestGroup else {
        throw GoldenError(name, "the group \(group) claims \(info.nlinks) members")
      }
      return try (0..<info.nlinks).map { position in
        try text(maximum: 4096, "cannot read a name in the group \(group)") { buffer, size in
          H5Lget_name_by_idx(
            opened.id, ".", H5_INDEX_NAME, H5_ITER_INC, position, buffer, size, chdf5_default())
        }
      }.sorted()
    }
  }

  /// The attributes of the file (`/`), a group or a dataset.
  ///
  /// - Throws: `GoldenError` if one is neither a number nor a fixed-length string.
  public func attributes(of path: String) throws -> [String: StoredAttribute] {
    try HDF5.locked {
      if path != "/" {
        guard try exists(path) else { throw GoldenError(name, "there is no \(path)") }
      }
      let object = try Identifier(
        H5Oopen(file.id, path, chdf5_default()), close: H5Oclose, name, "cannot open \(path)")
      let count = chdf5_attribute_count(object.id)
      guard count >= 0, count <= Self.largestGroup else {
        throw HDF5.failure(name, "cannot list the attributes of \(path)")
      }
      var result: [String: StoredAttribute] = [:]
      for position in 0..<hsize_t(count) {
        let attribute = try Identifier(
          H5Aopen_by_idx(
            object.id, ".", H5_INDEX_NAME, H5_ITER_INC, position, chdf5_default(), chdf5_default()),
          close: H5Aclose, name, "cannot open an attribute of \(path)")
        let key = try text(maximum: 4096, "cannot read the name of an attribute of \(path)") { buffer, size in
          H5Aget_name(attribute.id, size, buffer)
        }
        result[key] = try value(of: attribute, "the attribute \(key) of \(path)")
      }
      return result
    }
  }

  /// One attribute of the file (`/`), a group or a dataset; nil if there is none of that name. The others may be of
  /// kinds that this reader does not know.
  ///
  /// - Throws: `GoldenError` if there is no such object, or the attribute is neither a number nor a fixed-length string.
  public func attribute(_ key: String, of path: String) throws -> StoredAttribute? {
    try HDF5.locked {
      if path != "/" {
        guard try exists(path) else { throw GoldenError(name, "there is no \(path)") }
      }
      let present = H5Aexists_by_name(file.id, path, key, chdf5_default())
      guard present >= 0 else { throw HDF5.failure(name, "cannot read the attributes of \(path)") }
      guard present > 0 else { return nil }
      let attribute = try Identifier(
        H5Aopen_by_name(file.id, path, key, chdf5_default(), chdf5_default()), close: H5Aclose, name,
        "cannot open the attribute \(key) of \(path)")
      return try value(of: attribute, "the attribute \(key) of \(path)")
    }
  }

  /// A dataset, in the element type it is stored in. Byte order is HDF5's affair.
  ///
  /// - Parameters:
  ///   - path: of the dataset in the file
  ///   - rows: a range of the first axis; all of it if nil. Nothing else is read, unless a chunk holds more.
  /// - Returns: `[rows.count, …]` if rows are given, else the stored shape
  /// - Throws: `GoldenError` if it is missing, damaged, of a kind that the golden format does not use, or has no such
  ///   rows.
  public func tensor(at path: String, rows: Range<Int>? = nil) throws -> StoredTensor {
    try HDF5.locked {
      let dataset = try dataset(at: path)
      let type = try Identifier(H5Dget_type(dataset.id), close: H5Tclose, name, "cannot read the type of \(path)")
      let elementType = try elementType(of: type, path)
      let whole = try shape(of: dataset, path)
      guard let count = elementCount(of: whole), count <= Self.largestCompression * bytes / elementType.size else {
        throw GoldenError(name, "\(path) claims the shape \(whole), more than a file of \(bytes) bytes can hold")
      }
      let part = try DatasetPart(dataset, shape: whole, rows: rows, path, name)
      switch elementType {
      case .float32: return .float32(try read(part, chdf5_native_float(), zero: 0))
      case .float64: return .float64(try read(part, chdf5_native_double(), zero: 0))
      case .int32: return .int32(try read(part, chdf5_native_int32(), zero: 0))
      case .int64: return .int64(try read(part, chdf5_native_int64(), zero: 0))
      case .uint8: return .uint8(try read(part, chdf5_native_uint8(), zero: 0))
      case .bool:
        let bytes: Tensor<Int8> = try read(part, type.id, zero: 0)
        guard bytes.elements.allSatisfy({ $0 == 0 || $0 == 1 }) else {
          throw GoldenError(name, "\(path) holds a bool that is neither 0 nor 1")
        }
        return .bool(bytes.map { $0 == 1 })
      }
    }
  }

  /// The shape and the element type of a dataset, without its data.
  ///
  /// - Throws: as `tensor(at:)`.
  public func description(of path: String) throws -> (shape: [Int], elementType: ElementType) {
    try HDF5.locked {
      let dataset = try dataset(at: path)
      let type = try Identifier(H5Dget_type(dataset.id), close: H5Tclose, name, "cannot read the type of \(path)")
      return (try shape(of: dataset, path), try elementType(of: type, path))
    }
  }

  // MARK: What the library may be asked

  /// Whether a path leads somewhere over hard links alone.
  func exists(_ path: String) throws -> Bool {
    var prefix = ""
    for part in path.split(separator: "/") {
      prefix += prefix.isEmpty ? String(part) : "/\(part)"
      switch chdf5_link_is_hard(file.id, prefix) {
      case 1: continue
      case 0: throw GoldenError(name, "\(prefix) is a soft or external link; the format has hard links only")
      default: return false
      }
    }
    return true
  }

  private func dataset(at path: String) throws -> Identifier {
    guard try exists(path) else { throw GoldenError(name, "there is no dataset \(path)") }
    let dataset = try Identifier(
      chdf5_dataset_open(file.id, path), close: H5Dclose, name, "cannot open the dataset \(path)")
    try refuseForeignStorage(dataset, path)
    return dataset
  }

  private func refuseForeignStorage(_ dataset: Identifier, _ path: String) throws {
    let properties = try Identifier(
      H5Dget_create_plist(dataset.id), close: H5Pclose, name, "cannot read the properties of \(path)")
    guard H5Pget_external_count(properties.id) == 0, H5Pget_layout(properties.id) != H5D_VIRTUAL else {
      throw GoldenError(name, "\(path) keeps its data in another file; the format does not allow that")
    }
    let filters = H5Pget_nfilters(properties.id)
    guard filters >= 0,
      (0..<filters).allSatisfy({ chdf5_filter_is_known(chdf5_filter(properties.id, UInt32($0))) != 0 })
    else { throw GoldenError(name, "\(path) uses a filter other than gzip, shuffle and checksum") }
  }

  private func shape(of dataset: Identifier, _ path: String) throws -> [Int] {
    let space = try Identifier(H5Dget_space(dataset.id), close: H5Sclose, name, "cannot read the shape of \(path)")
    let rank = H5Sget_simple_extent_ndims(space.id)
    guard H5Sget_simple_extent_type(space.id) != H5S_NULL, rank >= 0, rank <= 32 else {
      throw HDF5.failure(name, "cannot read the shape of \(path)")
    }
    var lengths = [hsize_t](repeating: 0, count: Int(rank))
    guard H5Sget_simple_extent_dims(space.id, &lengths, nil) >= 0, lengths.allSatisfy({ $0 <= hsize_t(Int.max) }) else {
      throw HDF5.failure(name, "cannot read the shape of \(path)")
    }
    return lengths.map { Int($0) }
  }

  private func elementType(of type: Identifier, _ path: String) throws -> ElementType {
    let size = H5Tget_size(type.id)
    switch (H5Tget_class(type.id), size) {
    case (H5T_FLOAT, 4): return .float32
    case (H5T_FLOAT, 8): return .float64
    case (H5T_INTEGER, 4) where H5Tget_sign(type.id) == H5T_SGN_2: return .int32
    case (H5T_INTEGER, 8) where H5Tget_sign(type.id) == H5T_SGN_2: return .int64
    case (H5T_INTEGER, 1) where H5Tget_sign(type.id) == H5T_SGN_NONE: return .uint8
    case (H5T_ENUM, 1) where H5Tget_nmembers(type.id) == 2: return .bool
    default: throw GoldenError(name, "\(path) has an element type that the format does not use")
    }
  }

  private func read<Element: Sendable>(
    _ part: DatasetPart, _ memoryType: hid_t, zero: Element
  ) throws -> Tensor<Element> {
    var elements = [Element](repeating: zero, count: part.shape.reduce(1, *))
    let status = elements.withUnsafeMutableBytes { bytes in
      bytes.isEmpty
        ? 0
        : H5Dread(
          part.dataset.id, memoryType, part.memory.map(\.id) ?? hid_t(H5S_ALL),
          part.selected.map(\.id) ?? hid_t(H5S_ALL),
          chdf5_default(), bytes.baseAddress)
    }
    guard status >= 0 else { throw HDF5.failure(name, "cannot read the data of \(part.path)") }
    return try Tensor(shape: part.shape, elements: elements)
  }

  private func value(of attribute: Identifier, _ what: String) throws -> StoredAttribute {
    let type = try Identifier(H5Aget_type(attribute.id), close: H5Tclose, name, "cannot read the type of \(what)")
    let space = try Identifier(H5Aget_space(attribute.id), close: H5Sclose, name, "cannot read \(what)")
    guard H5Sget_simple_extent_npoints(space.id) == 1 else { throw GoldenError(name, "\(what) is not a single value") }
    var status: herr_t = -1
    let result: StoredAttribute
    switch H5Tget_class(type.id) {
    case H5T_INTEGER:
      var value: Int64 = 0
      status = H5Aread(attribute.id, chdf5_native_int64(), &value)
      result = .integer(value)
    case H5T_FLOAT:
      var value: Double = 0
      status = H5Aread(attribute.id, chdf5_native_double(), &value)
      result = .real(value)
    case H5T_STRING where H5Tis_variable_str(type.id) == 0:
      let size = H5Tget_size(type.id)
      guard size > 0, size <= Self.largestText else { throw GoldenError(name, "\(what) is too long") }
      var characters = [UInt8](repeating: 0, count: size)
      status = H5Aread(attribute.id, type.id, &characters)
      result = .text(String(decoding: characters.prefix { $0 != 0 }, as: UTF8.self))
    default:
      throw GoldenError(name, "\(what) is neither a number nor a fixed-length string")
    }
    guard status >= 0 else { throw HDF5.failure(name, "cannot read \(what)") }
    return result
  }

  /// A string that HDF5 writes into a buffer and whose length it returns.
  private func text(
    maximum: Int, _ problem: String, _ fill: (UnsafeMutablePointer<CChar>?, Int) -> Int
  ) throws -> String {
    var buffer = [CChar](repeating: 0, count: maximum)
    let length = buffer.withUnsafeMutableBufferPointer { fill($0.baseAddress, $0.count) }
    guard length >= 0, length < maximum else { throw HDF5.failure(name, problem) }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
