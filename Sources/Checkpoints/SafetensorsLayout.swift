import Foundation
import Tensors

/// Where the tensors of a file go, and the header that says so.
struct SafetensorsLayout {
  /// Everything before the data: the length and the JSON, padded with spaces to a multiple of 8.
  let bytes: [UInt8]
  /// In bytes from the start of the file. Wider elements come first, so that every tensor is aligned to its elements.
  let ranges: [String: Range<Int>]

  /// - Throws: `CheckpointError` if a name occurs twice or cannot be used, or the header or a tensor is too large.
  init(_ tensors: [TensorDescription], metadata: [String: String], file: String) throws(CheckpointError) {
    var faults = Faults()
    var members: [String: HeaderMember] = [:]
    var offsets: [String: Range<Int>] = [:]
    var position = 0
    for tensor in Self.inOrder(tensors) {
      guard tensor.name != "__metadata__", tensor.name.utf8.count <= JSONScanner.longestText else {
        faults.add("\(quoted(tensor.name)) cannot be the name of a tensor")
        continue
      }
      guard let bytes = tensor.byteCount, bytes <= Int.max / 2 - position else {
        faults.add("\(quoted(tensor.name)) has the shape \(tensor.shape), which no file can hold")
        continue
      }
      let range = position..<position + bytes
      if offsets.updateValue(range, forKey: tensor.name) != nil { faults.add("\(quoted(tensor.name)) occurs twice") }
      members[tensor.name] = .tensor(tensor, range)
      position += bytes
    }
    try faults.throwIfAny(in: file)
    if !metadata.isEmpty { members["__metadata__"] = .metadata(metadata) }
    let json = try Self.json(members, file: file)
    let padded = json + Data(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    guard padded.count <= SafetensorsHeader.longest else {
      throw CheckpointError(
        file, "a header may have \(SafetensorsHeader.longest) bytes, this one needs \(padded.count)")
    }
    self.bytes = littleEndian([UInt64(padded.count)]) { $0 } + padded
    let start = bytes.count
    self.ranges = offsets.mapValues { start + $0.lowerBound..<start + $0.upperBound }
  }

  private static func inOrder(_ tensors: [TensorDescription]) -> [TensorDescription] {
    [8, 4, 2, 1].flatMap { size in tensors.filter { $0.type.size == size } }
  }

  static func json(_ value: some Encodable, file: String) throws(CheckpointError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return try encoder.encode(value) } catch { throw CheckpointError(file, "cannot be encoded: \(error)") }
  }
}

/// A value in the header.
private enum HeaderMember: Encodable {
  case tensor(TensorDescription, Range<Int>)
  case metadata([String: String])

  private enum Keys: String, CodingKey {
    case dtype, shape
    case dataOffsets = "data_offsets"
  }

  func encode(to encoder: any Encoder) throws {
    switch self {
    case .metadata(let metadata): try metadata.encode(to: encoder)
    case .tensor(let tensor, let range):
      var container = encoder.container(keyedBy: Keys.self)
      try container.encode(tensor.type.rawValue, forKey: .dtype)
      try container.encode(tensor.shape, forKey: .shape)
      try container.encode([range.lowerBound, range.upperBound], forKey: .dataOffsets)
    }
  }
}
