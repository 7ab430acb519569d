/// A tensor and the bytes of the file that hold it.
struct PlacedTensor: Sendable {
  let description: TensorDescription
  /// In bytes from the start of the file.
  let range: Range<Int>
}

/// The header of a safetensors file, read and checked in full.
///
/// ```
/// 8 bytes: N, little-endian | N bytes: JSON, padded with spaces | data, without holes
/// JSON: { "name": { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }, …, "__metadata__": { "key": "text" } }
/// ```
///
/// Offsets count from the start of the data. What a header may make this program allocate is bounded by the size of its
/// file (`MemoryAllowance`).
struct SafetensorsHeader {
  /// As the format has it.
  static let longest = 100_000_000
  private static let highestRank = 32

  private(set) var tensors: [PlacedTensor] = []
  /// Positions in `tensors`.
  private(set) var positions: [String: Int32] = [:]

  /// Where in the JSON the object `__metadata__` stands; nil if there is none.
  private(set) var metadata: Range<Int>?

  private let file: MappedFile
  private let dataStart: Int
  private var faults = Faults()
  private var allowance: MemoryAllowance

  /// - Throws: `CheckpointError` with all faults of the entries, or the first place where it is not JSON of this form.
  init(of file: MappedFile) throws(CheckpointError) {
    self.file = file
    self.allowance = MemoryAllowance(forBytes: file.count)
    guard file.count >= 8 else {
      throw CheckpointError(file.name, "a safetensors file has at least 8 bytes, this one has \(file.count)")
    }
    let length = file.withBytes(0..<8) { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard length <= Self.longest, length <= file.count - 8 else {
      throw CheckpointError(
        file.name,
        "the header may have \(Self.longest) bytes and must fit the \(file.count) bytes of the file, it claims \(length)"
      )
    }
    self.dataStart = 8 + Int(length)
    do {
      try file.withBytes(8..<dataStart) { bytes in
        guard bytes.first == UInt8(ascii: "{") else { throw JSONFault(position: 0, expected: "an object") }
        var scanner = JSONScanner(bytes)
        try scanner.object { scanner, name in try readMember(name, &scanner) }
        try scanner.end()
      }
    } catch let fault as JSONFault {
      throw CheckpointError(file.name, "the header is damaged: \(fault.problem)")
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(file.name, "the header cannot be read: \(error)")
    }
    if faults.isEmpty { checkLayout() }
    try faults.throwIfAny(in: file.name)
  }

  private mutating func readMember(_ name: String, _ scanner: inout JSONScanner) throws {
    guard name == "__metadata__" else { return try readEntry(name, &scanner) }
    if metadata != nil { faults.add("__metadata__ occurs twice") }
    let start = scanner.position
    try scanner.object { scanner, _ in try scanner.skipText() }
    metadata = start..<scanner.position
  }

  private mutating func readEntry(_ name: String, _ scanner: inout JSONScanner) throws {
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { scanner, key in
      switch key {
      case "dtype" where type == nil: type = try scanner.text()
      case "shape" where shape == nil: shape = try scanner.counts(atMost: Self.highestRank)
      case "data_offsets" where offsets == nil: offsets = try scanner.counts(atMost: 2)
      default:
        faults.add("\(quoted(name)) has the key \(quoted(key)) twice, or should not have it")
        try scanner.skipValue()
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      return faults.add("\(quoted(name)) lacks one of dtype, shape and data_offsets with two numbers")
    }
    try place(name, type: type, shape: shape, from: offsets[0], to: offsets[1])
  }

  /// Adds a tensor if its entry makes sense by itself.
  private mutating func place(_ name: String, type: String, shape: [Int], from start: Int, to end: Int) throws {
    guard let type = StorageType(rawValue: type) else {
      return faults.add("\(quoted(name)) has the dtype \(quoted(type)), which is not supported")
    }
    let description = TensorDescription(name, type, shape)
    guard let bytes = description.byteCount else {
      return faults.add("\(quoted(name)) has the shape \(shape), more than can be counted")
    }
    guard start <= end, end <= file.count - dataStart else {
      return faults.add(
        "\(quoted(name)) has the data_offsets \(start), \(end), not a range of the \(file.count - dataStart) data bytes"
      )
    }
    guard bytes == end - start else {
      return faults.add(
        "\(quoted(name)) needs \(bytes) bytes for \(type.rawValue) \(shape), its data_offsets span \(end - start)")
    }
    guard allowance.spend(on: name, rank: shape.count) else {
      throw CheckpointError(
        file.name, "the header describes more tensors than a file of \(file.count) bytes should have")
    }
    guard positions.updateValue(Int32(tensors.count), forKey: name) == nil else {
      return faults.add("\(quoted(name)) occurs twice")
    }
    tensors.append(PlacedTensor(description: description, range: dataStart + start..<dataStart + end))
  }

  /// The data must be one tensor after the other, from the end of the header to the end of the file.
  private mutating func checkLayout() {
    var position = dataStart
    var before = "the header"
    let inOrder = tensors.sorted {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    for tensor in inOrder {
      let (name, gap) = (quoted(tensor.description.name), tensor.range.lowerBound - position)
      if gap < 0 { faults.add("\(name) overlaps \(before)") }
      if gap > 0 { faults.add("\(gap) bytes between \(before) and \(name) belong to no tensor") }
      guard tensor.range.upperBound >= position else { continue }
      position = tensor.range.upperBound
      before = name
    }
    if position < file.count { faults.add("\(file.count - position) bytes at the end belong to no tensor") }
  }
}
