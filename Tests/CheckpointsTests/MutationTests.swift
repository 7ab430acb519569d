import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Thousands of damaged headers: each is refused in one sentence, or the file holds exactly what its header then says.
@Suite struct MutationTests {
  static let header = #"""
    {"__metadata__":{"format":"pt","no\"te":"naïve"},"a.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},
    "a.scale":{"dtype":"F8_E8M0","shape":[3,1],"data_offsets":[24,27]},"b":{"dtype":"BF16","shape":[5],
    "data_offsets":[27,37]},"ids":{"dtype":"I64","shape":[2,1],"data_offsets":[37,53]},
    "none":{"dtype":"U8","shape":[0,4],"data_offsets":[53,53]},"codes":{"dtype":"I8","shape":[1,9],"data_offsets":[53,62]}}
    """#
  static let original = rawFile(header, data: (0..<62).map { UInt8($0 * 4 + 1) })

  enum Mutation: CaseIterable { case flips, truncation, length, numbers, words, cut, repetition, surplus }

  @Test(arguments: Mutation.allCases) func headersNeverCrash(_ mutation: Mutation) throws {
    var generator = SeededGenerator(seed: 71)
    var opened = 0
    try withTemporaryFolder { folder in
      for trial in 0..<300 {
        let file = Self.mutated(mutation, &generator)
        let path = try put(file, "trial.safetensors", in: folder)
        do {
          try Self.expectContents(SafetensorsFile(path), are: file, "\(mutation), trial \(trial)")
          opened += 1
        } catch let error as CheckpointError {
          #expect(!error.problem.isEmpty && error.problem.count < 12_000)
        } catch {
          Issue.record("not a CheckpointError: \(error)")
        }
      }
    }
    // What is cut off, added or claimed to be longer cannot be right; the other mutations hit harmless places, too.
    let hopeless: Set<Mutation> = [.truncation, .length, .surplus]
    #expect(hopeless.contains(mutation) ? opened == 0 : (1..<150).contains(opened), "\(opened) opened")
  }

  @Test func theOriginalOpens() throws {
    try withTemporaryFolder { folder in
      let file = try SafetensorsFile(put(Self.original, in: folder))
      #expect(file.tensors.count == 6)
      try Self.expectContents(file, are: Self.original, "original")
    }
  }

  /// Compares with what another parser reads in the header.
  private static func expectContents(_ file: SafetensorsFile, are bytes: Data, _ comment: Comment) throws {
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let parsed = try? JSONSerialization.jsonObject(with: bytes.dropFirst(8).prefix(length)) as? [String: Any]
    let entries = try #require(parsed, comment).filter { $0.key != "__metadata__" }
    #expect(Set(file.tensors.map(\.name)) == Set(entries.keys), comment)
    var total = 0
    for tensor in file.tensors {
      let entry = try #require(entries[tensor.name] as? [String: Any], comment)
      let offsets = try #require(entry["data_offsets"] as? [Int], comment)
      let data = bytes.dropFirst(8 + length + offsets[0]).prefix(offsets[1] - offsets[0])
      #expect(entry["dtype"] as? String == tensor.type.rawValue, comment)
      #expect(entry["shape"] as? [Int] == tensor.shape, comment)
      #expect(try stored(tensor, in: file) == Array(data), comment)
      total += data.count
    }
    #expect(total == bytes.count - 8 - length, comment)
  }

  /// The bytes of a tensor, put together from what its reading gives.
  private static func stored(_ tensor: TensorDescription, in file: SafetensorsFile) throws -> [UInt8] {
    func bytes(_ integers: [Int], _ size: Int) -> [UInt8] {
      integers.flatMap { value in (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
    switch tensor.type {
    case .float8E4M3, .float8E8M0, .int8, .uint8, .bool: return try file.bytes(tensor.name).elements
    case .int16, .int32, .int64: return bytes(try file.integers(tensor.name).elements, tensor.type.size)
    case .float32, .float64, .bfloat16:
      let values: Tensor<Double> = try file.reals(tensor.name)
      switch tensor.type {
      case .float64: return bytes(values.elements.map { Int(bitPattern: UInt($0.bitPattern)) }, 8)
      case .float32: return bytes(values.elements.map { Int(Float($0).bitPattern) }, 4)
      default: return bytes(values.elements.map { Int(Float($0).bitPattern >> 16) }, 2)
      }
    case .float16:
      // No mutation of this seed makes one.
      throw Interruption()
    }
  }

  private static func mutated(_ mutation: Mutation, _ generator: inout SeededGenerator) -> Data {
    var bytes = Array(original)
    let json = 8..<8 + header.utf8.count
    let place = Int.random(in: json, using: &generator)
    switch mutation {
    case .flips:
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        bytes[Int.random(in: 0..<json.upperBound, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      }
    case .truncation:
      bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
    case .length:
      let byte = Int.random(in: 0..<8, using: &generator)
      bytes[byte] &+= UInt8.random(in: 1...255, using: &generator)
    case .numbers:
      let digits = json.filter { (0x30...0x39).contains(bytes[$0]) }
      let position = digits.randomElement(using: &generator) ?? place
      let numbers = [
        "", "0", "1", "-1", "2.0", "1e9", "27", "4294967296", "9223372036854775807", "18446744073709551616",
      ]
      bytes.replaceSubrange(position...position, with: Array(numbers.randomElement(using: &generator)!.utf8))
      fixLength(&bytes)
    case .words:
      let words = [
        "F32", "F8_E8M0", "BF16", "I64", "U8", "I8", "dtype", "shape", "data_offsets", "a.weight", "codes", "pt",
        "__metadata__",
      ]
      let text = String(decoding: bytes[json], as: UTF8.self)
      let new = text.replacingOccurrences(
        of: words.randomElement(using: &generator)!,
        with: (words + ["F4", "", "U16"]).randomElement(using: &generator)!)
      bytes = Array(rawFile(new, data: Array(bytes[json.upperBound...])))
    case .cut:
      bytes.removeSubrange(place..<min(place + Int.random(in: 1...60, using: &generator), json.upperBound))
      fixLength(&bytes)
    case .repetition:
      let end = min(place + Int.random(in: 1...120, using: &generator), json.upperBound)
      bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: json, using: &generator))
      fixLength(&bytes)
    case .surplus:
      bytes += Array(repeating: 0, count: Int.random(in: 1...100, using: &generator))
    }
    return Data(bytes)
  }

  /// Makes the length fit the JSON again, so that the mutation itself is looked at.
  private static func fixLength(_ bytes: inout [UInt8]) {
    let length = bytes.count - 8 - 62
    for byte in 0..<8 { bytes[byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
  }
}
