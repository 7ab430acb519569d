import CKernels
import LowPrecision
import Tensors

@testable import FastKernels

/// A weight in bytes, as checkpoints have it, and the same in Double by the slow path's own reading.
private struct PackedWeight {
  let isFloat4: Bool
  let rows: Int
  let columns: Int
  let codes: [UInt8]
  let scales: [UInt8]
  /// Bytes from row to row: some more than are used.
  let codeStride: Int
  let scaleStride: Int

  init(isFloat4: Bool, rows: Int, columns: Int, _ numbers: inout RandomNumbers, scales choose: (Int) -> UInt8) {
    (self.isFloat4, self.rows, self.columns) = (isFloat4, rows, columns)
    codeStride = (isFloat4 ? columns / 2 : columns) + 3
    scaleStride = isFloat4 ? columns / 32 + 1 : (columns + 127) / 128 + 2
    codes = numbers.bytes(rows * codeStride) { isFloat4 || $0 & 0x7F != 0x7F ? UInt8($0) : 0 }
    scales = numbers.bytes((isFloat4 ? rows : (rows + 127) / 128) * scaleStride, choose)
  }

  func values() throws -> Tensor<Double> {
    var values: [Double] = []
    for row in 0..<rows {
      for column in 0..<columns {
        if isFloat4 {
          let byte = codes[row * codeStride + column / 2]
          let scale: Double = ScaleE8M0.value(ofByte: scales[row * scaleStride + column / 32])
          values.append(SmallFloat.float4E2M1.value(ofCode: column % 2 == 0 ? byte & 15 : byte >> 4) * scale)
        } else {
          let scale: Double = ScaleE8M0.value(ofByte: scales[row / 128 * scaleStride + column / 128])
          values.append(SmallFloat.float8E4M3.value(ofCode: codes[row * codeStride + column]) * scale)
        }
      }
    }
    return try Tensor(shape: [rows, columns], elements: values)
  }

  /// The weight for C, among bytes that stand for NaN or infinity.
  func withMatrix(_ body: (v4_packed_matrix) -> Void) {
    let fence = Array(repeating: UInt8(isFloat4 ? 0xFF : 0x7F), count: 64)
    (fence + codes + fence).withUnsafeBufferPointer { codes in
      (Array(repeating: 0xFF, count: 64) + scales + Array(repeating: 0xFF, count: 64)).withUnsafeBufferPointer {
        scales in
        body(
          v4_packed_matrix(
            codes: codes.baseAddress! + 64, code_stride: Int64(codeStride), scales: scales.baseAddress! + 64,
            scale_stride: Int64(scaleStride)))
      }
    }
  }
}

/// A product with part of a packed weight, and what it has to give.
private struct PackedCase {
  let weight: PackedWeight
  let first: Int
  let outputs: Int
  let x: Tensor<Float>
  let exact: Tensor<Double>
  let bound: Tensor<Double>

  init(_ weight: PackedWeight, first: Int, tokens: Int, _ numbers: inout RandomNumbers) throws {
    self.weight = weight
    self.first = first
    outputs = weight.rows - first
    x = numbers.tensor([tokens, weight.columns])
    let values = try weight.values().rows(first..<weight.rows)
    let inputs = x.map { Double($0) }
    exact = try linear(inputs, values)
    // As for `linear`; a scale is a power of two and rounds nothing.
    bound = try linear(inputs.magnitudes, values.magnitudes) * (Double(weight.columns + 1) * unitRoundoff)
  }

  func failures(_ kernels: v4_kernels) -> [String] {
    let (tall, flat) = (
      weight.isFloat4 ? kernels.packed.tall_fp4! : kernels.packed.tall_fp8!,
      weight.isFloat4 ? kernels.packed.flat_fp4! : kernels.packed.flat_fp8!
    )
    let (t, k) = (Int64(x.shape[0]), Int64(weight.columns))
    return [
      failure("tall", tall, kernels.packed.tall_scratch(t, k)),
      failure("flat", flat, kernels.packed.flat_scratch(t, k)),
    ].compactMap { $0 }
  }

  private func failure(_ name: String, _ product: v4_packed_product, _ scratchFloats: Int64) -> String? {
    let tokens = x.shape[0]
    let input = GuardedMemory(count: x.count, misplaced: 1, content: x.elements)
    let output = GuardedMemory(count: tokens * outputs, misplaced: 3)
    let scratch = GuardedMemory(count: Int(scratchFloats), misplaced: 0)
    weight.withMatrix { matrix in
      withUnsafePointer(to: matrix) { matrix in
        product(
          input.start, Int64(weight.columns), Int64(tokens), Int64(weight.columns), matrix, Int64(first),
          Int64(outputs), output.start, Int64(outputs), scratch.start)
      }
    }
    let description = "packed \(name) \(weight.isFloat4 ? "FP4" : "FP8") \(x.shape) × \(weight.rows), from \(first)"
    guard output.fencesStand, scratch.fencesStand, input.fencesStand else { return "\(description): wrote too far" }
    for (index, word) in output.bits.enumerated() {
      let (got, expected) = (Double(Float(bitPattern: word)), exact.elements[index])
      let error = abs(got - expected)
      let isRight = expected.isNaN ? got.isNaN : error <= bound.elements[index]
      if !isRight { return "\(description): element \(index) is off by \(error)" }
    }
    return nil
  }
}

extension PropertyChecks {
  /// Products with packed weights and their unpacking, against the reading of the slow path.
  static func packed(_ kernels: KernelSet) throws -> [String] {
    let table = kernels.instructionSet.kernels.pointee
    return try packedCases.get().flatMap { $0.failures(table) } + dequantizations(table)
  }

  private static let packedCases = Result {
    var numbers = RandomNumbers(seed: 21)
    var cases: [PackedCase] = []
    for isFloat4 in [true, false] {
      let shapes =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 31, 33, 131].map { ($0, isFloat4 ? 64 : 137, 15, $0 % 3) }
        + [1, 2, 13, 14, 15, 16, 17, 29, 43, 131].map { (2, 96, $0, 0) }
        + [
          (1, 32, 5, 2), (3, 1056, 7, 1), (20, 2080, 9, 3), (2, 4256, 5, 0), (7, 160, 140, 120), (5, 224, 130, 0),
          (1, 160, 140, 119), (3, 160, 135, 123),
        ]
      for (tokens, columns, rows, first) in shapes {
        let weight = PackedWeight(isFloat4: isFloat4, rows: rows, columns: columns, &numbers) { UInt8(118 + $0 % 12) }
        cases.append(try PackedCase(weight, first: first, tokens: tokens, &numbers))
      }
      // Scales at the ends: 2⁻¹²⁷, which is a denormal number, and NaN in some blocks.
      for tokens in [1, 3, 9] {
        let least = PackedWeight(isFloat4: isFloat4, rows: 5, columns: 32, &numbers) { _ in 0 }
        cases.append(try PackedCase(least, first: 0, tokens: tokens, &numbers))
        let broken = PackedWeight(isFloat4: isFloat4, rows: 140, columns: 288, &numbers) { $0 % 20 == 3 ? 255 : 120 }
        cases.append(try PackedCase(broken, first: 1, tokens: tokens, &numbers))
      }
    }
    return cases
  }

  /// Every code with every scale, bit by bit.
  private static func dequantizations(_ kernels: v4_kernels) throws -> [String] {
    var numbers = RandomNumbers(seed: 22)
    var failures: [String] = []
    for (isFloat4, columns) in [(true, 32), (true, 96), (false, 1), (false, 131), (false, 300), (false, 128)] {
      for least in [0, 1, 120, 250] {
        let weight = PackedWeight(isFloat4: isFloat4, rows: 131, columns: columns, &numbers) {
          UInt8(min(least + $0 % 9, 254))
        }
        let expected = try weight.values().map { Float($0).bitPattern }
        let output = GuardedMemory(count: 130 * columns, misplaced: 1)
        weight.withMatrix { matrix in
          withUnsafePointer(to: matrix) { matrix in
            let dequantize = isFloat4 ? kernels.packed.dequantize_fp4! : kernels.packed.dequantize_fp8!
            dequantize(matrix, 1, 130, Int64(columns), output.start, Int64(columns))
          }
        }
        if output.bits != Array(expected.elements[columns...]) || !output.fencesStand {
          failures.append("unpacking \(isFloat4 ? "FP4" : "FP8"), \(columns) columns: other bits or too many")
        }
      }
    }
    return failures
  }
}
