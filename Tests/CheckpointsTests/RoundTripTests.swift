import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// What is written can be read, as a whole and in parts.
@Suite struct RoundTripTests {
  static let reals: [Float] = [0, -0.0, 1, -1.5, 0.333, 65504, 1e-3, 6e-8, -7, 123.456, .infinity, 2]

  @Test(arguments: [MatrixEncoding.float32, .bfloat16, .float16])
  func reals(_ encoding: MatrixEncoding) throws {
    let values = try Tensor(shape: [4, 3], elements: Self.reals)
    try withFile(encoding.tensors("x", [4, 3])) { writer in
      try writer.append(values, to: "x", as: encoding)
    } read: { file throws in
      let read: Tensor<Float> = try file.reals("x")
      let precision: Float = [.float32: 0, .bfloat16: 0x1p-8, .float16: 0x1p-11][encoding] ?? 0
      for (a, b) in zip(values.elements, read.elements) where a.isFinite {
        #expect(abs(a - b) <= max(a.magnitude * precision, precision * 1e-4), "\(a) became \(b)")
      }
      #expect(read[3, 1] == .infinity)
      #expect(read[0, 1].sign == .minus)
      #expect(try file.reals("x", as: Double.self) == read.map { Double($0) })
      for first in 0...4 {
        for end in first...4 {
          let rows: Tensor<Float> = try file.reals("x", rows: first..<end)
          #expect(rows == (try Tensor(shape: [end - first, 3], elements: Array(read.elements[first * 3..<end * 3]))))
        }
      }
      for rows in [-1..<2, 3..<5, 5..<5] {
        #expect(throws: CheckpointError("x.safetensors", "'x' has the shape [4, 3], not the rows \(rows)")) {
          try file.reals("x", as: Float.self, rows: rows)
        }
      }
    }
  }

  /// Powers of two, halves of the last place, the ends of the range: by hand from the definitions of the formats.
  @Test func roundingOfSixteenBits() throws {
    let cases: [(value: Float, bfloat16: UInt16, float16: UInt16)] = [
      (1, 0x3F80, 0x3C00), (-2, 0xC000, 0xC000), (1 + 0x1p-8, 0x3F80, 0x3C04), (1 + 0x1.8p-7, 0x3F82, 0x3C0C),
      (1 + 0x1p-11, 0x3F80, 0x3C00), (1 + 0x1.8p-10, 0x3F80, 0x3C02), (65519, 0x4780, 0x7BFF), (65520, 0x4780, 0x7C00),
      (0x1p-24, 0x3380, 0x0001), (0x1p-25, 0x3300, 0x0000), (0x1.8p-24, 0x33C0, 0x0002), (0x1p-14, 0x3880, 0x0400),
      (-.infinity, 0xFF80, 0xFC00), (.greatestFiniteMagnitude, 0x7F80, 0x7C00), (-0.0, 0x8000, 0x8000),
      (.nan, 0x7FC0, 0x7E00), (-.nan, 0xFFC0, 0xFE00), (Float(bitPattern: 0x7F80_0001), 0x7FC0, 0x7E00),
    ]
    let values = try Tensor(shape: [cases.count], elements: cases.map(\.value))
    for (encoding, expected) in [(MatrixEncoding.bfloat16, cases.map(\.bfloat16)), (.float16, cases.map(\.float16))] {
      try withTemporaryFolder { folder in
        let path = folder + "/x.safetensors"
        try SafetensorsWriter.write(path, tensors: encoding.tensors("x", [cases.count])) { writer in
          try writer.append(values, to: "x", as: encoding)
        }
        let data = try Data(contentsOf: URL(fileURLWithPath: path)).suffix(2 * cases.count)
        let bits = stride(from: data.startIndex, to: data.endIndex, by: 2).map {
          UInt16(data[$0]) | UInt16(data[$0 + 1]) << 8
        }
        #expect(bits == expected)
      }
    }
  }

  /// All 65,536 values of both formats survive.
  @Test(arguments: [MatrixEncoding.bfloat16, .float16])
  func everySixteenBits(_ encoding: MatrixEncoding) throws {
    let all = (0...UInt16.max).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    try withFile(encoding.tensors("bits", [65_536]) + encoding.tensors("again", [65_536])) { writer in
      try writer.append(all, to: "bits")
      try writer.append(all, to: "again")
    } read: { file throws in
      let values: Tensor<Float> = try file.reals("bits")
      try withFile(encoding.tensors("x", [65_536])) { writer in
        try writer.append(values, to: "x", as: encoding)
      } read: { copy throws in
        let read: Tensor<Float> = try copy.reals("x")
        #expect(
          zip(values.elements, read.elements).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) })
      }
      #expect(values.elements.count { $0.isNaN } == (encoding == .bfloat16 ? 254 : 2046))
      #expect(values.elements[encoding == .bfloat16 ? 0x4049 : 0x4248] == 3.140625)
    }
  }

  @Test func integersAndBytes() throws {
    let types: [(StorageType, [UInt8], [Int])] = [
      (.int8, [0xFF, 0x7F], [-1, 127]), (.uint8, [0xFF, 0x7F], [255, 127]),
      (.int16, [0xFE, 0xFF, 0x00, 0x80], [-2, -32768]), (.int32, [1, 2, 0, 0, 0, 0, 0, 0x80], [513, -2_147_483_648]),
      (.int64, [3, 0, 0, 0, 0, 0, 0, 0] + Array(repeating: 0xFF, count: 8), [3, -1]),
    ]
    try withFile(types.map { TensorDescription($0.0.rawValue, $0.0, [2]) }) { writer in
      for (type, bytes, _) in types { try writer.append(bytes, to: type.rawValue) }
    } read: { file throws in
      for (type, bytes, values) in types {
        #expect(try file.integers(type.rawValue).elements == values)
        #expect(try file.integers(type.rawValue, rows: 1..<2).elements == [values[1]])
        if type.size == 1 { #expect(try file.bytes(type.rawValue).elements == bytes) }
      }
      #expect(throws: CheckpointError("x.safetensors", "'I8' is stored as I8, which cannot be read as float")) {
        try file.reals("I8", as: Float.self)
      }
      #expect(
        throws: CheckpointError("x.safetensors", "'I16' is stored as I16, of which an element is more than a byte")
      ) {
        try file.bytes("I16")
      }
    }
  }

  @Test func everyTypeAtOnceAndAligned() throws {
    let tensors = StorageType.allCases.reversed().map { TensorDescription("t.\($0.rawValue)", $0, [3]) }
    try withFile(tensors + [TensorDescription("scalar", .int64, []), TensorDescription("none", .float32, [0, 7])]) {
      writer in
      for tensor in tensors { try writer.append(Array(repeating: 1, count: 3 * tensor.type.size), to: tensor.name) }
      try writer.append(try Tensor(shape: [], elements: [-5]), to: "scalar")
    } read: { file throws in
      #expect(file.tensors.count == StorageType.allCases.count + 2)
      for tensor in tensors { #expect(file.tensor(tensor.name) == tensor) }
      #expect(try file.integers("scalar") == Tensor(shape: [], elements: [-5]))
      #expect(try file.reals("none", as: Float.self).shape == [0, 7])
      #expect(try file.reals("t.F64", as: Double.self).elements[0] == Double(bitPattern: 0x0101_0101_0101_0101))
      #expect(throws: CheckpointError("x.safetensors", "'t.F64' is stored as F64, which cannot be read as float")) {
        try file.reals("t.F64", as: Float.self)
      }
      #expect(throws: CheckpointError("x.safetensors", "there is no tensor 'other'")) { try file.bytes("other") }
    }
  }

  /// The format does not align data, so a reader must not need it.
  @Test func dataAtAnOddAddress() throws {
    let header =
      #"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}"#
    try withTemporaryFolder { folder in
      let path = try put(rawFile(header, data: [9, 0, 0, 0xC0, 0x3F]), in: folder)
      #expect(try SafetensorsFile(path).reals("f", as: Float.self).elements == [1.5])
    }
  }

  @Test func namesWithEveryKindOfCharacter() throws {
    let names = ["", "a b", "quote\"", "back\\slash", "line\nbreak", "naïve 漢字 🜁", "slash/", "{}[],:"]
    try withFile(names.map { TensorDescription($0, .uint8, [1]) }) { writer in
      for (position, name) in names.enumerated() { try writer.append([UInt8(position)], to: name) }
    } read: { file throws in
      for (position, name) in names.enumerated() { #expect(try file.bytes(name).elements == [UInt8(position)]) }
    }
  }

  private func withFile(
    _ tensors: [TensorDescription], write: (SafetensorsWriter) throws -> Void, read: (SafetensorsFile) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.safetensors"
      try SafetensorsWriter.write(path, tensors: tensors, write)
      try read(SafetensorsFile(path, name: "x.safetensors"))
    }
  }
}
