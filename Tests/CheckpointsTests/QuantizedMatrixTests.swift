import Checkpoints
import Foundation
import LowPrecision
import Tensors
import TestSupport
import Testing

/// Matrices stored as codes and scales.
@Suite struct QuantizedMatrixTests {
  static let blocks: [(MatrixEncoding, BlockQuantization, height: Int, width: Int)] = [
    (.float8, try! BlockQuantization(.float8E4M3, rows: 128, columns: 128), 300, 200),
    (.float4, try! BlockQuantization(.float4E2M1, columns: 32), 11, 96),
  ]

  /// Values, codes and scales are those of `LowPrecision`, on both paths, and a range of rows is a slice of the whole.
  @Test(arguments: blocks.indices) func matrixIsWhatWasQuantized(_ index: Int) throws {
    let (encoding, quantization, height, width) = Self.blocks[index]
    var generator = SeededGenerator(seed: 61)
    let values: Tensor<Float> = try generator.normals([height, width], scale: 3)
    let expected = try quantization.quantized(values)
    try withCheckpoint(encoding.tensors("x.weight", [height, width])) { writer in
      try writer.append(values, to: "x.weight", as: encoding)
    } read: { checkpoint throws in
      #expect(try checkpoint.matrix("x.weight") == expected.values)
      #expect(try checkpoint.matrix("x.weight", as: Double.self) == expected.values.map { Double($0) })
      #expect(try checkpoint.bytes("x.scale").map { ScaleE8M0.value(ofByte: $0) } == expected.scales)
      let codes = try checkpoint.bytes("x.weight")
      if encoding == .float8 {
        #expect(codes == expected.codes)
      } else {
        #expect(codes[0, 0] == expected.codes[0, 0] | expected.codes[0, 1] << 4)
      }
      for rows in [0..<1, 0..<height, 3..<7, height - 1..<height, height / 3..<height, height / 2..<height / 2 + 1] {
        let part: Tensor<Float> = try checkpoint.matrix("x.weight", rows: rows)
        let elements = expected.values.elements[rows.lowerBound * width..<rows.upperBound * width]
        #expect(part == (try Tensor(shape: [rows.count, width], elements: Array(elements))), "rows \(rows)")
      }
      for rows in [-5..<1, height..<height + 1] {
        #expect(throws: CheckpointError.self) { try checkpoint.matrix("x.weight", as: Float.self, rows: rows) }
      }
    }
  }

  /// By hand: codes 0x38 (1.0) and 0xC4 (−3), scales 2¹ and NaN; nibbles 2 (1.0) and 0xF (−6), scale 2⁻¹.
  @Test func valuesByHand() throws {
    let tensors = [
      TensorDescription("a.weight", .float8E4M3, [1, 129]), TensorDescription("a.scale", .float8E8M0, [1, 2]),
      TensorDescription("b.weight", .int8, [1, 16]), TensorDescription("b.scale", .float8E8M0, [1, 1]),
    ]
    try withCheckpoint(tensors) { writer in
      try writer.append([0x38, 0xC4] + Array(repeating: 0, count: 126) + [0x38], to: "a.weight")
      try writer.append([128, 255], to: "a.scale")
      try writer.append([0xF2] + Array(repeating: 0, count: 15), to: "b.weight")
      try writer.append([126], to: "b.scale")
    } read: { checkpoint throws in
      let a: Tensor<Float> = try checkpoint.matrix("a.weight")
      #expect(a.elements.prefix(2) == [2, -6])
      #expect(a[0, 128].isNaN)
      #expect(try checkpoint.matrix("b.weight", as: Float.self).elements.prefix(3) == [0.5, -3, 0])
    }
  }

  /// What is too large for memory is encoded some rows at a time.
  @Test(arguments: blocks.indices) func rowsInPiecesGiveTheSameFile(_ index: Int) throws {
    let (encoding, _, height, width) = Self.blocks[index]
    var generator = SeededGenerator(seed: 62)
    let values: Tensor<Float> = try generator.normals([height, width])
    let tensors = try encoding.tensors("x.weight", [height, width])
    try withTemporaryFolder { folder in
      let (whole, pieces) = (folder + "/whole.safetensors", folder + "/pieces.safetensors")
      try SafetensorsWriter.write(whole, tensors: tensors) { try $0.append(values, to: "x.weight", as: encoding) }
      try SafetensorsWriter.write(pieces, tensors: tensors) { writer in
        for first in stride(from: 0, to: height, by: 128) {
          let end = min(first + 128, height)
          let rows = try Tensor(
            shape: [end - first, width], elements: Array(values.elements[first * width..<end * width]))
          try writer.append(rows, to: "x.weight", as: encoding)
        }
      }
      #expect(FileManager.default.contentsEqual(atPath: whole, andPath: pieces))
    }
  }

  /// As in Hugging Face's FP8 checkpoints: real scales that are no powers of two.
  @Test func realScales() throws {
    let tensors = [
      TensorDescription("x.weight", .float8E4M3, [130, 1]), TensorDescription("x.weight_scale_inv", .float32, [2, 1]),
    ]
    try withCheckpoint(tensors) { writer in
      try writer.append(Array(repeating: 0x38, count: 130), to: "x.weight")
      try writer.append(Tensor(shape: [2, 1], elements: [0.3, 0.7]), to: "x.weight_scale_inv", as: .float32)
    } read: { checkpoint throws in
      let values: Tensor<Double> = try checkpoint.matrix("x.weight", rows: 127..<129)
      #expect(values.elements == [Double(Float(0.3)), Double(Float(0.7))])
    }
  }

  @Test func refusesScalesThatDoNotFit() throws {
    let codes = TensorDescription("x.weight", .float8E4M3, [130, 1])
    try expectRefusal([codes], "'x.weight' is stored as F8_E4M3 and needs one tensor of scales, found 0")
    try expectRefusal(
      [
        codes, TensorDescription("x.scale", .float8E8M0, [2, 1]),
        TensorDescription("x.weight_scale_inv", .float32, [2, 1]),
      ],
      "'x.weight' is stored as F8_E4M3 and needs one tensor of scales, found 2")
    try expectRefusal(
      [codes, TensorDescription("x.scale", .float8E8M0, [1, 1])], "'x.scale' has the shape [1, 1], expected [2, 1]")
    try expectRefusal(
      [codes, TensorDescription("x.scale", .int16, [2, 1])],
      "'x.scale' is stored as I16, which cannot be read as float")
    try expectRefusal(
      [TensorDescription("x.weight", .int8, [2, 8]), TensorDescription("x.scale", .float8E8M0, [2, 1])],
      "'x.weight': quantize: the block of 32 columns does not divide 16 columns")
    try expectRefusal(
      [TensorDescription("x.weight", .int8, [8]), TensorDescription("x.scale", .float8E8M0, [1])],
      "'x.weight' has the shape [8], expected [R, C]")
    try expectRefusal(
      [TensorDescription("x.weight", .float8E4M3, [0, 4]), TensorDescription("x.scale", .float8E8M0, [0, 1])],
      "'x.weight': dequantize: codes has an empty axis R")
  }

  @Test func refusesToEncodeWhatDoesNotFit() throws {
    #expect(throws: CheckpointError("x", "float8 needs a name that ends in .weight and a shape [R, C], got [2, 2]")) {
      try MatrixEncoding.float8.tensors("x", [2, 2])
    }
    #expect(throws: CheckpointError("x.weight", "quantize: the block of 32 columns does not divide 33 columns")) {
      try MatrixEncoding.float4.tensors("x.weight", [2, 33])
    }
    try withTemporaryFolder { folder in
      #expect(throws: CheckpointError("x.safetensors", "'x.weight': quantize: x holds inf at [0, 1]")) {
        try SafetensorsWriter.write(
          folder + "/x.safetensors", tensors: MatrixEncoding.float8.tensors("x.weight", [1, 2])
        ) {
          try $0.append(Tensor(shape: [1, 2], elements: [1, .infinity]), to: "x.weight", as: .float8)
        }
      }
      let left = try members(of: folder)
      #expect(left == [])
    }
  }

  private func expectRefusal(_ tensors: [TensorDescription], _ problem: String) throws {
    try withCheckpoint(tensors) { writer in
      for tensor in tensors {
        try writer.append(Array(repeating: 0, count: tensor.shape.reduce(tensor.type.size, *)), to: tensor.name)
      }
    } read: { checkpoint throws in
      #expect(throws: CheckpointError("model.safetensors", problem)) {
        try checkpoint.matrix("x.weight", as: Float.self)
      }
    }
  }

  private func withCheckpoint(
    _ tensors: [TensorDescription], write: (CheckpointWriter) throws -> Void, read: (Checkpoint) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      try CheckpointWriter.write(folder, tensors: tensors, write)
      try read(Checkpoint(folder))
    }
  }
}
