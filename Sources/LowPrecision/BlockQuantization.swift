import Tensors

// Axes: R rows, C columns, b blocks of columns, a blocks of rows.

/// Quantization in blocks that share a power-of-two scale, as deployed:
///
/// | what | format | rows × columns |
/// | --- | --- | --- |
/// | inputs of FP8 and FP4 linear maps | E4M3 | 1 × 128 |
/// | window and compressed entries, without the rotary dims | E4M3 | 1 × 64 |
/// | index queries and keys | E2M1 | 1 × 32 |
/// | FP8 weights | E4M3 | 128 × 128 |
/// | FP4 weights | E2M1 | 1 × 32 |
public struct BlockQuantization: Sendable {
  public let format: SmallFloat
  public let rows: Int
  public let columns: Int
  public let steps: any QuantizationSteps

  /// - Throws: `InputError` if a block is empty.
  public init(
    _ format: SmallFloat, rows: Int = 1, columns: Int, steps: any QuantizationSteps = .reference
  ) throws(InputError) {
    for (name, length) in [("block_rows", rows), ("block_columns", columns)] where length < 1 {
      throw InputError("quantize", "\(name) must be at least 1, got \(length)")
    }
    self.format = format
    self.rows = rows
    self.columns = columns
    self.steps = steps
  }

  /// The number of scales of a matrix.
  ///
  /// Weights may be ragged at the edges; the blocks of activations and of FP4 must divide the columns.
  ///
  /// - Parameters:
  ///   - matrixRows: R
  ///   - matrixColumns: C
  ///   - operation: what an error names
  /// - Throws: `InputError` if they do not.
  public func blockCounts(
    rows matrixRows: Int, columns matrixColumns: Int, in operation: String = "quantize"
  ) throws(InputError) -> (Int, Int) {
    if rows == 1 || format == .float4E2M1 {
      guard matrixColumns % columns == 0 else {
        throw InputError(operation, "the block of \(columns) columns does not divide \(matrixColumns) columns")
      }
    }
    return ((matrixRows + rows - 1) / rows, (matrixColumns + columns - 1) / columns)
  }
}

/// A matrix in blocks: codes and scales, and what they stand for.
public struct QuantizedMatrix<Scalar: RealScalar>: Sendable {
  /// `[a, b]`, powers of two
  public let scales: Tensor<Scalar>
  /// `[R, C]`
  public let codes: Tensor<UInt8>
  /// `[R, C]`: code × scale
  public let values: Tensor<Scalar>
}

extension BlockQuantization {
  /// Quantizes a matrix, and gives codes and scales, too.
  ///
  /// - Parameter x: `[R, C]`
  /// - Throws: `InputError` if a block does not fit, or x is not finite.
  public func quantized<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> QuantizedMatrix<Scalar> {
    try x.requireAxes(["R", "C"], "x", in: "quantize")
    let (values, scales) = try blockwise(x)
    let codes = try codesOf(
      values.elements, scales: scales.elements, width: x.shape[1], blockRows: rows, blockColumns: columns,
      format: format)
    return QuantizedMatrix(scales: scales, codes: try Tensor(shape: x.shape, elements: codes), values: values)
  }

  /// What is left of a tensor after quantization: each value times its scale. All axes but the last count as rows.
  ///
  /// - Parameter x: `[…, C]`
  /// - Throws: `InputError` if a block does not fit, or x is not finite.
  public func rounded<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    let width = x.shape.last ?? 0
    guard x.count > 0 else { return x }
    return try blockwise(x.reshaped([x.count / width, width])).values.reshaped(x.shape)
  }

  private func blockwise<Scalar: RealScalar>(
    _ x: Tensor<Scalar>
  ) throws(InputError) -> (values: Tensor<Scalar>, scales: Tensor<Scalar>) {
    try x.requireFinite("x", in: "quantize")
    let (height, width) = (x.shape[0], x.shape[1])
    let (blockRows, blockColumns) = try blockCounts(rows: height, columns: width)
    var values = x.elements
    var scales: [Scalar] = []
    for blockRow in 0..<blockRows {
      for blockColumn in 0..<blockColumns {
        let rowRange = blockRow * rows..<min((blockRow + 1) * rows, height)
        let columnRange = blockColumn * columns..<min((blockColumn + 1) * columns, width)
        scales.append(
          quantizeBlock(&values, width: width, rowRange, columnRange, format: format, steps: steps))
      }
    }
    return (
      try Tensor(shape: x.shape, elements: values), try Tensor(shape: [blockRows, blockColumns], elements: scales)
    )
  }
}

/// The codes of values that are codes times scales already.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func codesOf<Scalar: RealScalar>(
  _ values: [Scalar], scales: [Scalar], width: Int, blockRows: Int, blockColumns: Int, format: SmallFloat
) throws(InputError) -> [UInt8] {
  let scaleColumns = (width + blockColumns - 1) / blockColumns
  var codes: [UInt8] = []
  codes.reserveCapacity(values.count)
  for row in 0..<values.count / max(width, 1) {
    for column in 0..<width {
      let scale = scales[row / blockRows * scaleColumns + column / blockColumns]
      codes.append(try format.code(values[row * width + column] / scale))
    }
  }
  return codes
}

/// Rounds one block in place and gives its scale.
@specialized(where Scalar == Float, Steps == ReferenceQuantizationSteps)
@specialized(where Scalar == Double, Steps == ReferenceQuantizationSteps)
func quantizeBlock<Scalar: RealScalar, Steps: QuantizationSteps>(
  _ values: inout [Scalar], width: Int, _ rows: Range<Int>, _ columns: Range<Int>, format: SmallFloat, steps: Steps
) -> Scalar {
  var largest: Scalar = 0
  for row in rows {
    for column in columns { largest = max(largest, values[row * width + column].magnitude) }
  }
  let scale: Scalar = steps.scale(largest: largest, format: format)
  for row in rows {
    for column in columns {
      values[row * width + column] = steps.cast(values[row * width + column] / scale, format: format) * scale
    }
  }
  return scale
}

extension BlockQuantization {
  /// The values of codes and scale bytes.
  ///
  /// - Parameters:
  ///   - codes: `[R, C]` bytes of FP8, or `[R, C/2]` bytes of two FP4 codes
  ///   - scaleBytes: `[a, b]`, UE8M0
  /// - Returns: `[R, C]`; NaN where a scale or a code is NaN
  /// - Throws: `InputError` if the shapes do not fit.
  public func dequantized<Scalar: RealScalar>(
    codes: Tensor<UInt8>, scaleBytes: Tensor<UInt8>
  ) throws(InputError) -> Tensor<Scalar> {
    let counts = try blockCounts(ofCodes: codes)
    try scaleBytes.requireShape(counts, "scale_bytes", in: "dequantize")
    return try dequantized(codes: codes, scales: scaleBytes.map { steps.scaleValue(ofByte: $0, format: format) })
  }

  /// The values of codes and scales that need not be powers of two.
  ///
  /// - Parameters:
  ///   - codes: `[R, C]` bytes of FP8, or `[R, C/2]` bytes of two FP4 codes
  ///   - scales: `[a, b]`
  /// - Returns: `[R, C]`; NaN where a scale or a code is NaN
  /// - Throws: `InputError` if the shapes do not fit.
  public func dequantized<Scalar: RealScalar>(
    codes: Tensor<UInt8>, scales: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let counts = try blockCounts(ofCodes: codes)
    try scales.requireShape(counts, "scales", in: "dequantize")
    let width = (isPacked ? 2 : 1) * codes.shape[1]
    let values = scaled(
      codes.elements, table: valuesOfBytes(), scales: scales.elements, width: width, blockRows: rows,
      blockColumns: columns, scaleColumns: counts[1])
    return try Tensor(shape: [codes.shape[0], width], elements: values)
  }

  /// For each byte the values of the codes in it: one, or two in the order of the matrix.
  private func valuesOfBytes<Scalar: RealScalar>() -> [[Scalar]] {
    (0...255).map { (byte: UInt8) in
      let codes = isPacked ? [steps.nibbles(byte).first, steps.nibbles(byte).second] : [byte]
      return codes.map(format.value(ofCode:))
    }
  }

  /// Two codes share a byte.
  private var isPacked: Bool { format == .float4E2M1 }

  private func blockCounts(ofCodes codes: Tensor<UInt8>) throws(InputError) -> [Int] {
    try codes.requireAxes(["R", "C"], "codes", in: "dequantize")
    let (height, width) = try blockCounts(
      rows: codes.shape[0], columns: (isPacked ? 2 : 1) * codes.shape[1], in: "dequantize")
    return [height, width]
  }
}

/// Each code's value times the scale of its block.
///
/// - Parameter table: for each byte the values of the codes in it
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func scaled<Scalar: RealScalar>(
  _ bytes: [UInt8], table: [[Scalar]], scales: [Scalar], width: Int, blockRows: Int, blockColumns: Int,
  scaleColumns: Int
) -> [Scalar] {
  let codesPerByte = table[0].count
  let flatTable = table.flatMap { $0 }
  var values: [Scalar] = []
  values.reserveCapacity(bytes.count * codesPerByte)
  let rowBytes = max(width / codesPerByte, 1)
  for (row, start) in stride(from: 0, to: bytes.count, by: rowBytes).enumerated() {
    let firstScale = row / blockRows * scaleColumns
    for offset in 0..<rowBytes {
      let scale = scales[firstScale + offset * codesPerByte / blockColumns]
      let first = Int(bytes[start + offset]) * codesPerByte
      for place in first..<first + codesPerByte { values.append(flatTable[place] * scale) }
    }
  }
  return values
}
