import CHDF5
import Foundation
import Tensors

/// Writes an HDF5 file in the golden format: fixed-length strings, little-endian, no timestamps.
///
/// The file appears under its name only when everything has been written; until then it has a temporary one.
public final class HDF5Writer {
  /// Datasets above this many bytes are chunked, shuffled and compressed.
  private static let compressionThreshold = 1_024

  private let file: Identifier
  private let name: String
  private let compresses: Bool

  private init(_ path: String, name: String, compresses: Bool) throws {
    self.name = name
    self.compresses = compresses
    self.file = try HDF5.locked {
      try Identifier(
        H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default()), close: H5Fclose, name, "cannot be created")
    }
  }

  /// Writes a file.
  ///
  /// - Parameters:
  ///   - path: where it should stand; what stood there is replaced
  ///   - compresses: whether larger datasets are compressed, which takes time
  ///   - fill: writes groups, tensors and attributes
  /// - Throws: `GoldenError` if something cannot be written, and what `fill` throws; the path is then as it was.
  public static func write(
    _ path: String, compresses: Bool = true, _ fill: (HDF5Writer) throws -> Void
  ) throws {
    let temporary = "\(path).\(UUID().uuidString).tmp"
    do {
      try HDF5.locked {
        let writer = try HDF5Writer(temporary, name: path, compresses: compresses)
        try fill(writer)
        guard H5Fflush(writer.file.id, H5F_SCOPE_LOCAL) >= 0 else {
          throw HDF5.failure(path, "cannot be written to the end")
        }
      }
      guard rename(temporary, path) == 0 else {
        throw GoldenError(path, "cannot be put in place: \(String(cString: strerror(errno)))")
      }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Makes a group; its parent must exist.
  public func group(_ path: String) throws {
    try HDF5.locked {
      _ = try Identifier(chdf5_group_create(file.id, path), close: H5Gclose, name, "cannot create the group \(path)")
    }
  }

  /// Writes a dataset; its group must exist.
  public func write(_ tensor: StoredTensor, at path: String) throws {
    switch tensor {
    case .float32(let tensor): try write(tensor, at: path, chdf5_file_float(), chdf5_native_float())
    case .float64(let tensor): try write(tensor, at: path, chdf5_file_double(), chdf5_native_double())
    case .int32(let tensor): try write(tensor, at: path, chdf5_file_int32(), chdf5_native_int32())
    case .int64(let tensor): try write(tensor, at: path, chdf5_file_int64(), chdf5_native_int64())
    case .uint8(let tensor): try write(tensor, at: path, chdf5_file_uint8(), chdf5_native_uint8())
    case .bool(let tensor):
      let type = try boolType()
      try write(tensor.map { Int8($0 ? 1 : 0) }, at: path, type.id, type.id)
    }
  }

  /// Sets an attribute of the file (`/`), a group or a dataset.
  public func set(_ attribute: String, _ value: StoredAttribute, of path: String = "/") throws {
    try HDF5.locked {
      let object = try Identifier(H5Oopen(file.id, path, chdf5_default()), close: H5Oclose, name, "cannot open \(path)")
      let space = try Identifier(H5Screate(H5S_SCALAR), close: H5Sclose, name, "cannot create a scalar")
      switch value {
      case .integer(var integer):
        try set(attribute, object, space, chdf5_file_int64(), chdf5_native_int64(), &integer)
      case .real(var real):
        try set(attribute, object, space, chdf5_file_double(), chdf5_native_double(), &real)
      case .text(let text):
        guard text.utf8.allSatisfy({ $0 < 128 && $0 != 0 }) else {
          throw GoldenError(name, "the attribute \(attribute) is not plain ASCII")
        }
        var characters = Array(text.utf8) + [0]
        let type = try Identifier(H5Tcopy(chdf5_c_string()), close: H5Tclose, name, "cannot create a string type")
        H5Tset_size(type.id, characters.count)
        try set(attribute, object, space, type.id, type.id, &characters)
      }
    }
  }

  private func set(
    _ attribute: String, _ object: Identifier, _ space: Identifier, _ fileType: hid_t, _ memoryType: hid_t,
    _ value: UnsafeRawPointer
  ) throws {
    let created = try Identifier(
      chdf5_attribute_create(object.id, attribute, fileType, space.id), close: H5Aclose, name,
      "cannot create the attribute \(attribute)")
    guard H5Awrite(created.id, memoryType, value) >= 0 else {
      throw HDF5.failure(name, "cannot write the attribute \(attribute)")
    }
  }

  private func write<Element: Sendable>(
    _ tensor: Tensor<Element>, at path: String, _ fileType: hid_t, _ memoryType: hid_t
  ) throws {
    try HDF5.locked {
      let lengths = tensor.shape.map { hsize_t($0) }
      let space = try Identifier(
        lengths.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(lengths.count), lengths, nil),
        close: H5Sclose, name, "cannot create the shape of \(path)")
      let properties = try Identifier(
        H5Pcreate(chdf5_dataset_create_class()), close: H5Pclose, name, "cannot create the properties of \(path)")
      H5Pset_obj_track_times(properties.id, false)
      if compresses, !lengths.isEmpty, tensor.count * MemoryLayout<Element>.stride > Self.compressionThreshold {
        H5Pset_chunk(properties.id, Int32(lengths.count), lengths)
        H5Pset_shuffle(properties.id)
        H5Pset_deflate(properties.id, 9)
      }
      let dataset = try Identifier(
        chdf5_dataset_create(file.id, path, fileType, space.id, properties.id), close: H5Dclose, name,
        "cannot create the dataset \(path)")
      let status = tensor.elements.withUnsafeBytes { bytes in
        bytes.isEmpty
          ? 0 : H5Dwrite(dataset.id, memoryType, hid_t(H5S_ALL), hid_t(H5S_ALL), chdf5_default(), bytes.baseAddress)
      }
      guard status >= 0 else { throw HDF5.failure(name, "cannot write the data of \(path)") }
    }
  }

  /// A bool as h5py stores it: an enumeration of int8, FALSE and TRUE.
  private func boolType() throws -> Identifier {
    try HDF5.locked {
      let type = try Identifier(
        H5Tenum_create(chdf5_file_int8()), close: H5Tclose, name, "cannot create the type of bool")
      for (label, value) in [("FALSE", Int8(0)), ("TRUE", Int8(1))] {
        guard withUnsafePointer(to: value, { H5Tenum_insert(type.id, label, $0) }) >= 0 else {
          throw HDF5.failure(name, "cannot create the type of bool")
        }
      }
      return type
    }
  }
}
