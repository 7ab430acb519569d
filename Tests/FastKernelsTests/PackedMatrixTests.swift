import CKernels
import FastKernels
import LowPrecision
import Tensors
import Testing

/// Products and values of packed weights, against the slow path on the same bytes.
@Suite struct PackedMatrixTests {
  /// Bytes that look random; of FP8 none is NaN.
  private static func bytes(_ count: Int, seed: UInt64, _ byte: (UInt64) -> UInt8) -> [UInt8] {
    (0..<UInt64(count)).map { byte(splitmix64(seed << 32 + $0) >> 8) }
  }

  private static func matrix(_ format: SmallFloat, _ outputs: Int, _ columns: Int) throws -> PackedMatrix {
    let isFloat8 = format == .float8E4M3
    let scaleCount = isFloat8 ? (outputs + 127) / 128 * ((columns + 127) / 128) : outputs * columns / 32
    return try PackedMatrix(
      format, shape: [outputs, columns],
      codes: bytes(isFloat8 ? outputs * columns : outputs * columns / 2, seed: 1) { bits in
        let byte = UInt8(truncatingIfNeeded: bits)
        return isFloat8 && byte & 0x7F == 0x7F ? 0 : byte
      },
      scales: bytes(scaleCount, seed: 2) { UInt8(118 + $0 % 8) })
  }

  /// Inputs as deployed, FP8 times a power of two, or any.
  private static func input(_ tokens: Int, _ columns: Int, deployed: Bool) throws -> Tensor<Float> {
    let values = (0..<tokens * columns).map { unitValue(splitmix64(UInt64($0) + 77)) }
    let x = try Tensor(shape: [tokens, columns], elements: values)
    return deployed ? x.map { SmallFloat.float8E4M3.rounded($0 * 64) / 64 } : x
  }

  /// What the slow path makes of the bytes.
  private static func values<Scalar: RealScalar>(_ matrix: PackedMatrix) throws -> Tensor<Scalar> {
    let isFloat8 = matrix.format == .float8E4M3
    let blocks = try BlockQuantization(matrix.format, rows: isFloat8 ? 128 : 1, columns: isFloat8 ? 128 : 32)
    let rows = matrix.shape[0]
    let scaleRows = isFloat8 ? (rows + 127) / 128 : rows
    return try blocks.dequantized(
      codes: Tensor(shape: [rows, matrix.codes.count / rows], elements: matrix.codes),
      scaleBytes: Tensor(shape: [scaleRows, matrix.scales.count / scaleRows], elements: matrix.scales))
  }

  /// The largest error, as a part of the sum of the magnitudes that were added.
  private static func error(of y: Tensor<Float>, _ x: Tensor<Float>, _ matrix: PackedMatrix) throws -> Double {
    let weight: Tensor<Double> = try values(matrix)
    let x64 = x.map(Double.init)
    let expected = try linear(x64, weight)
    let scale = try linear(x64.map(\.magnitude), weight.map(\.magnitude))
    try #require(y.shape == expected.shape)
    return y.elements.indices.map { place in
      let error = abs(Double(y.elements[place]) - expected.elements[place]) / scale.elements[place]
      return error.isNaN ? .infinity : error
    }.max() ?? .infinity
  }

  @Test(arguments: InstructionSet.available, [SmallFloat.float8E4M3, .float4E2M1])
  func everyCodeAndScaleHasItsValue(_ instructionSet: InstructionSet, _ format: SmallFloat) throws {
    let kernels = try KernelSet(instructionSet)
    for scale: UInt8 in [0, 1, 9, 127, 200, 247, 254, 255] {
      let scales = [UInt8](repeating: scale, count: format == .float8E4M3 ? 2 : 16)
      let matrix = try PackedMatrix(
        format, shape: [1, format == .float8E4M3 ? 256 : 512], codes: Array(0...255), scales: scales)
      let expected: Tensor<Float> = try Self.values(matrix)
      let actual = kernels.dequantized(matrix)
      let agree = zip(actual.elements, expected.elements).allSatisfy { a, b in
        a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
      }
      #expect(agree && actual.shape == expected.shape, "scale \(scale)")
    }
  }

  @Test(arguments: InstructionSet.available, [SmallFloat.float8E4M3, .float4E2M1])
  func productsAreThoseOfTheValues(_ instructionSet: InstructionSet, _ format: SmallFloat) throws {
    let kernels = try KernelSet(instructionSet)
    for (tokens, outputs, columns) in [
      (1, 1, 32), (1, 131, 288), (3, 17, 1184), (8, 130, 160), (9, 5, 96), (150, 99, 256),
    ] {
      let width = format == .float8E4M3 ? columns + 5 : columns
      let matrix = try Self.matrix(format, outputs, width)
      for deployed in [true, false] {
        let x = try Self.input(tokens, width, deployed: deployed)
        for arithmetic in PackedArithmetic.allCases {
          let y = try kernels.linear(x, matrix, in: arithmetic)
          let error = try Self.error(of: y, x, matrix)
          #expect(error < 2e-6, "\(tokens) × \(outputs) × \(width), \(arithmetic): \(error)")
        }
      }
    }
  }

  /// BF16 is not used where it would round: such inputs give the same bits as float32.
  @Test func inputsThatAreNoBFloat16StayFloat32() throws {
    let kernels = try KernelSet()
    let matrix = try Self.matrix(.float4E2M1, 40, 128)
    let x = try Self.input(20, 128, deployed: false)
    #expect(try kernels.linear(x, matrix, in: .bfloat16WhereExact) == kernels.linear(x, matrix))
  }

  /// Nor where weights are so small that BF16 arithmetic takes them for 0.
  @Test func weightsBelowNormalNumbersStayFloat32() throws {
    let kernels = try KernelSet()
    let matrix = try PackedMatrix(
      .float8E4M3, shape: [3, 64], codes: [UInt8](repeating: 0x38, count: 192), scales: [0])
    let y = try kernels.linear(Self.input(20, 64, deployed: true), matrix, in: .bfloat16WhereExact)
    #expect(y == (try kernels.linear(Self.input(20, 64, deployed: true), matrix)))
    #expect(y.elements.contains { $0 != 0 })
  }

  /// The arithmetics in BF16 that this machine has, and the model of matrix tiles that every machine has.
  @Test(arguments: [SmallFloat.float8E4M3, .float4E2M1]) func bfloat16Arithmetics(_ format: SmallFloat) throws {
    let machine = (0..<v4_bfloat16_kernels_count()).compactMap { v4_bfloat16_kernels_at($0)?.pointee }
    let emulation = try #require(v4_bfloat16_emulation()?.pointee)
    for kernels in machine + [emulation] {
      let product = try #require(format == .float8E4M3 ? kernels.tall_fp8 : kernels.tall_fp4)
      for (tokens, outputs, columns) in [(1, 1, 32), (17, 33, 96), (35, 130, 1088)] {
        let width = format == .float8E4M3 ? columns + 5 : columns
        let matrix = try Self.matrix(format, outputs, width)
        let x = try Self.input(tokens, width, deployed: true)
        var y = [Float](repeating: .nan, count: tokens * outputs)
        var scratch = [Float](repeating: .nan, count: Int(kernels.tall_scratch(Int64(tokens), Int64(width))))
        matrix.codes.withUnsafeBufferPointer { codes in
          matrix.scales.withUnsafeBufferPointer { scales in
            let isFloat8 = format == .float8E4M3
            var packed = v4_packed_matrix(
              codes: codes.baseAddress, code_stride: Int64(isFloat8 ? width : width / 2), scales: scales.baseAddress,
              scale_stride: Int64(isFloat8 ? (width + 127) / 128 : width / 32))
            product(
              x.elements, Int64(width), Int64(tokens), Int64(width), &packed, 0, Int64(outputs), &y, Int64(outputs),
              &scratch)
          }
        }
        let error = try Self.error(of: Tensor(shape: [tokens, outputs], elements: y), x, matrix)
        #expect(error < 2e-6, "\(String(cString: kernels.name)), \(tokens) × \(outputs) × \(width): \(error)")
      }
    }
  }

  @Test(arguments: [1, 8, 40, 600]) func threadsChangeNothing(_ tokens: Int) throws {
    let matrix = try Self.matrix(.float8E4M3, 300, 256)
    let x = try Self.input(tokens, 256, deployed: true)
    for arithmetic in PackedArithmetic.allCases {
      let one = try KernelSet(threads: 1).linear(x, matrix, in: arithmetic)
      #expect(try KernelSet(threads: 3).linear(x, matrix, in: arithmetic) == one)
    }
  }

  /// A NaN, of a code or of a scale, reaches the outputs of its row, even where x is 0, and no other.
  @Test(arguments: [1, 12]) func nanStaysInItsRow(_ tokens: Int) throws {
    let kernels = try KernelSet()
    let zeros = [UInt8](repeating: 0, count: 128)
    let matrices = [
      try PackedMatrix(.float8E4M3, shape: [2, 64], codes: zeros.dropLast() + [0xFF], scales: [127]),
      try PackedMatrix(.float4E2M1, shape: [2, 128], codes: zeros, scales: [127, 127, 127, 127, 127, 127, 255, 127]),
    ]
    for matrix in matrices {
      let x = Tensor<Float>(repeating: 0, shape: [tokens, matrix.shape[1]])
      for arithmetic in PackedArithmetic.allCases {
        let y = try kernels.linear(x, matrix, in: arithmetic)
        let places = y.elements.enumerated().allSatisfy { $1.isNaN == ($0 % 2 == 1) }
        #expect(places, "\(matrix.format), \(arithmetic): \(y.elements)")
      }
    }
  }

  @Test(arguments: [SmallFloat.float8E4M3, .float4E2M1]) func quantizingIsThatOfTheSlowPath(
    _ format: SmallFloat
  ) throws {
    let x = try Self.input(130, 160, deployed: false)
    let isFloat8 = format == .float8E4M3
    let blocks = try BlockQuantization(format, rows: isFloat8 ? 128 : 1, columns: isFloat8 ? 128 : 32)
    let matrix = try PackedMatrix(quantizing: x, as: format)
    #expect(try KernelSet().dequantized(matrix) == blocks.rounded(x))
  }

  @Test func whatDoesNotFitIsRefused() throws {
    #expect(
      throws: InputError("packed matrix", "expected a shape [N, K] without empty axes, got [0, 128]")
    ) { try PackedMatrix(.float8E4M3, shape: [0, 128], codes: [], scales: []) }
    #expect(
      throws: InputError("packed matrix", "the block of 32 columns does not divide 48 columns")
    ) { try PackedMatrix(.float4E2M1, shape: [1, 48], codes: [], scales: []) }
    #expect(
      throws: InputError(
        "packed matrix",
        "fp4-e2m1 of shape [2, 32] needs 32 bytes of codes and 2 of scales, got 32 and 1")
    ) {
      try PackedMatrix(
        .float4E2M1, shape: [2, 32], codes: [UInt8](repeating: 0, count: 32), scales: [127])
    }
    #expect(throws: InputError("packed matrix", "bf16 has no blocks that share a scale")) {
      try PackedMatrix(.bfloat16, shape: [1, 1], codes: [0], scales: [0])
    }
    let matrix = try Self.matrix(.float8E4M3, 3, 7)
    let x = try Self.input(2, 8, deployed: false)
    #expect(
      throws: InputError("linear", "input of shape [2, 8] does not fit the weight of shape [3, 7]")
    ) { try KernelSet().linear(x, matrix) }
  }
}
