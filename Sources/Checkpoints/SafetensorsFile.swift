import Tensors

/// A safetensors file, opened and checked; its tensors are read from it when they are asked for, row by row if wished.
///
/// The file is mapped into memory, so opening costs the header alone, whatever the size of the file. It must not be made
/// shorter while it is open: reading what is gone would end the process with a bus error.
public final class SafetensorsFile: Sendable {
  /// What errors call it.
  public let name: String
  private let file: MappedFile
  private let header: SafetensorsHeader

  /// - Parameters:
  ///   - path: the file
  ///   - name: what errors call it; the path if nil
  /// - Throws: `CheckpointError` if it cannot be opened, or its header has faults: not JSON of the form that the format
  ///   prescribes, unknown dtypes, shapes that do not fill their bytes, bytes with no tensor or with two.
  public init(_ path: String, name: String? = nil) throws(CheckpointError) {
    self.name = name ?? path
    self.file = try MappedFile(path, name: name ?? path)
    self.header = try SafetensorsHeader(of: file)
  }

  /// What is in the file, in the order of its header.
  public var tensors: [TensorDescription] { header.tensors.map(\.description) }

  /// What the file says about a tensor; nil if there is none of that name.
  public func tensor(_ name: String) -> TensorDescription? {
    header.positions[name].map { header.tensors[Int($0)].description }
  }

  /// Members of `__metadata__`.
  ///
  /// - Parameter wanted: the keys; the values of others are not looked at
  /// - Returns: those that are there
  /// - Throws: `CheckpointError` if one of them occurs twice or is longer than a megabyte.
  public func metadata(_ wanted: Set<String>) throws(CheckpointError) -> [String: String] {
    guard let range = header.metadata else { return [:] }
    var found: [String: String] = [:]
    do {
      try file.withBytes(8 + range.lowerBound..<8 + range.upperBound) { bytes in
        var scanner = JSONScanner(bytes)
        try scanner.object { scanner, key in
          guard wanted.contains(key) else {
            try scanner.skipText()
            return
          }
          let value = try scanner.text(atMost: 1 << 20)
          guard found.updateValue(value, forKey: key) == nil else {
            throw CheckpointError(name, "__metadata__ has the key \(quoted(key)) twice")
          }
        }
      }
    } catch let error as CheckpointError {
      throw error
    } catch let fault as JSONFault {
      throw CheckpointError(name, "__metadata__ is damaged: \(fault.problem)")
    } catch {
      throw CheckpointError(name, "__metadata__ cannot be read: \(error)")
    }
    return found
  }

  /// Real numbers of F32, F64, BF16 or F16.
  ///
  /// - Parameters:
  ///   - name: as stored
  ///   - as: Float or Double
  ///   - rows: a range of the first axis; all of it if nil. Nothing else is touched.
  /// - Returns: the stored values, exactly; `[rows.count, …]` if rows are given, else the stored shape
  /// - Throws: `CheckpointError` if there is no such tensor or row, or if it has another dtype. F64 can be had as Double
  ///   only, since a Float would round it.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func reals<Scalar: RealScalar>(
    _ name: String, as: Scalar.Type = Scalar.self, rows: Range<Int>? = nil
  ) throws(CheckpointError) -> Tensor<Scalar> {
    let part = try part(of: name, rows: rows)
    let elements: [Scalar] = try file.withBytes(part.range) { bytes throws(CheckpointError) in
      guard let values: [Scalar] = realValues(bytes, of: part.type) else {
        throw CheckpointError(
          self.name, "\(quoted(name)) is stored as \(part.type.rawValue), which cannot be read as \(Scalar.pathName)")
      }
      return values
    }
    return try explaining(name, in: self.name) { () throws(InputError) in
      try Tensor(shape: part.shape, elements: elements)
    }
  }

  /// Integers of I8, U8, I16, I32 or I64.
  ///
  /// - Parameters:
  ///   - name: as stored
  ///   - rows: as for `reals`
  /// - Throws: `CheckpointError` if there is no such tensor or row, or if it has another dtype.
  public func integers(_ name: String, rows: Range<Int>? = nil) throws(CheckpointError) -> Tensor<Int> {
    let part = try part(of: name, rows: rows)
    let elements: [Int] = try file.withBytes(part.range) { bytes throws(CheckpointError) in
      switch part.type {
      case .int8: bytes.map { Int(Int8(bitPattern: $0)) }
      case .uint8: bytes.map { Int($0) }
      case .int16: decoded(bytes) { (bits: UInt16) in Int(Int16(bitPattern: bits)) }
      case .int32: decoded(bytes) { (bits: UInt32) in Int(Int32(bitPattern: bits)) }
      case .int64: decoded(bytes) { (bits: UInt64) in Int(Int64(bitPattern: bits)) }
      default:
        throw CheckpointError(self.name, "\(quoted(name)) is stored as \(part.type.rawValue), not as integers")
      }
    }
    return try explaining(name, in: self.name) { () throws(InputError) in
      try Tensor(shape: part.shape, elements: elements)
    }
  }

  /// The stored bytes of a dtype of one byte: codes of FP8, bytes of UE8M0, pairs of FP4 codes, bools.
  ///
  /// - Parameters:
  ///   - name: as stored
  ///   - rows: as for `reals`
  /// - Throws: `CheckpointError` if there is no such tensor or row, or if an element takes more than a byte.
  public func bytes(_ name: String, rows: Range<Int>? = nil) throws(CheckpointError) -> Tensor<UInt8> {
    let part = try part(of: name, rows: rows)
    guard part.type.size == 1 else {
      throw CheckpointError(
        self.name, "\(quoted(name)) is stored as \(part.type.rawValue), of which an element is more than a byte")
    }
    return try explaining(name, in: self.name) { () throws(InputError) in
      try Tensor(shape: part.shape, elements: file.withBytes(part.range) { Array($0) })
    }
  }

  /// Gives back the memory that reading some rows took, where files are read once from end to end.
  ///
  /// - Parameters:
  ///   - name: as stored
  ///   - rows: as for `reals`
  /// - Throws: `CheckpointError` if there is no such tensor or row.
  public func forget(_ name: String, rows: Range<Int>? = nil) throws(CheckpointError) {
    file.forget(try part(of: name, rows: rows).range)
  }

  /// Where some rows of a tensor are.
  private func part(
    of name: String, rows: Range<Int>?
  ) throws(CheckpointError) -> (type: StorageType, shape: [Int], range: Range<Int>) {
    guard let position = header.positions[name] else {
      throw CheckpointError(self.name, "there is no tensor \(quoted(name))")
    }
    let placed = header.tensors[Int(position)]
    let (type, shape) = (placed.description.type, placed.description.shape)
    guard let rows else { return (type, shape, placed.range) }
    guard let height = shape.first, rows.lowerBound >= 0, rows.upperBound <= height else {
      throw CheckpointError(self.name, "\(quoted(name)) has the shape \(shape), not the rows \(rows)")
    }
    let rowBytes = placed.range.count / max(height, 1)
    let start = placed.range.lowerBound
    return (
      type, [rows.count] + shape.dropFirst(), start + rows.lowerBound * rowBytes..<start + rows.upperBound * rowBytes
    )
  }
}

/// Stored reals in the type of a path; nil if it cannot hold them.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func realValues<Scalar: RealScalar>(_ bytes: UnsafeRawBufferPointer, of type: StorageType) -> [Scalar]? {
  switch type {
  case .float32: decoded(bytes) { Scalar(Float(bitPattern: $0)) }
  case .float64 where Scalar.self == Double.self: decoded(bytes) { Scalar(Double(bitPattern: $0)) }
  case .bfloat16: decoded(bytes) { Scalar(bfloat16($0)) }
  case .float16: decoded(bytes) { Scalar(float16($0)) }
  default: nil
  }
}

/// Little-endian numbers of a fixed width, at any alignment.
@inline(__always)
private func decoded<Bits: FixedWidthInteger, Element>(
  _ bytes: UnsafeRawBufferPointer, _ transform: (Bits) -> Element
) -> [Element] {
  let size = MemoryLayout<Bits>.size
  return Array(unsafeUninitializedCapacity: bytes.count / size) { buffer, count in
    count = bytes.count / size
    for position in 0..<count {
      let bits = bytes.loadUnaligned(fromByteOffset: position * size, as: Bits.self)
      buffer.initializeElement(at: position, to: transform(Bits(littleEndian: bits)))
    }
  }
}
