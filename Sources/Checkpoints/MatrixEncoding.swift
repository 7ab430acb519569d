import LowPrecision
import Tensors

/// How a tensor of reals is stored: as numbers, or as codes with a second tensor of scales.
public enum MatrixEncoding: String, CaseIterable, Sendable {
  case float32
  /// The nearest value, of two equally near ones the even one.
  case bfloat16
  /// As `bfloat16`; infinity from 65520 up.
  case float16
  /// Codes F8_E4M3 `[R, C]` and scales F8_E8M0 `[⌈R/128⌉, ⌈C/128⌉]`.
  case float8
  /// Codes I8 `[R, C/2]`, two in a byte, the low nibble first, and scales F8_E8M0 `[R, C/32]`.
  case float4

  /// What has to be declared to write a tensor in this encoding: itself and, for FP8 and FP4, its scales.
  ///
  /// - Parameters:
  ///   - name: FP8 and FP4 need `X.weight`, whose scales are `X.scale`
  ///   - shape: of the values; FP8 and FP4 need `[R, C]`, FP4 with C a multiple of 32
  /// - Throws: `CheckpointError` that calls the tensor by its name.
  public func tensors(_ name: String, _ shape: [Int]) throws(CheckpointError) -> [TensorDescription] {
    switch self {
    case .float32: return [TensorDescription(name, .float32, shape)]
    case .bfloat16: return [TensorDescription(name, .bfloat16, shape)]
    case .float16: return [TensorDescription(name, .float16, shape)]
    case .float8, .float4: break
    }
    guard name.hasSuffix(".weight"), shape.count == 2 else {
      throw CheckpointError(name, "\(rawValue) needs a name that ends in .weight and a shape [R, C], got \(shape)")
    }
    let counts: (Int, Int)
    do {
      counts = try blocks.blockCounts(rows: shape[0], columns: shape[1])
    } catch {
      throw CheckpointError(name, "\(error)")
    }
    let codes =
      self == .float8
      ? TensorDescription(name, .float8E4M3, shape) : TensorDescription(name, .int8, [shape[0], shape[1] / 2])
    return [codes, TensorDescription(scaleName(of: name), .float8E8M0, [counts.0, counts.1])]
  }

  /// The bytes of values, by the names of the tensors that they belong to.
  ///
  /// Some rows of a matrix may be encoded alone if they are whole blocks: of FP8 a multiple of 128, or the last ones.
  ///
  /// - Throws: `InputError` if blocks do not fit, or FP8 and FP4 should hold a value that is not finite.
  func bytes(of values: Tensor<Float>, _ name: String) throws(InputError) -> [(tensor: String, bytes: [UInt8])] {
    switch self {
    case .float32: return [(name, littleEndian(values.elements) { $0.bitPattern })]
    case .bfloat16: return [(name, littleEndian(values.elements, bfloat16Bits))]
    case .float16: return [(name, littleEndian(values.elements, float16Bits))]
    case .float8, .float4: break
    }
    let quantized = try blocks.quantized(values)
    var scaleBytes: [UInt8] = []
    for scale in quantized.scales.elements { scaleBytes.append(try ScaleE8M0.byte(of: scale)) }
    let codes = quantized.codes.elements
    let packed =
      self == .float8 ? codes : stride(from: 0, to: codes.count, by: 2).map { codes[$0] | codes[$0 + 1] << 4 }
    return [(name, packed), (scaleName(of: name), scaleBytes)]
  }

  /// What a reader makes of values that were stored in this encoding.
  ///
  /// - Parameters:
  ///   - values: `[R, C]`
  ///   - steps: how codes and scales are read: correctly, or with a known bug
  /// - Throws: `InputError` if blocks do not fit, or FP8 and FP4 should hold a value that is not finite.
  public func values(
    of values: Tensor<Float>, readBy steps: any QuantizationSteps
  ) throws(InputError) -> Tensor<Float> {
    guard self == .float8 || self == .float4 else { return values }
    let stored = try bytes(of: values, ".weight")
    let (rows, columns) = try blocks.blockCounts(rows: values.shape[0], columns: values.shape[1])
    return try weightBlocks(blocks.format, steps: steps).dequantized(
      codes: Tensor(shape: [values.shape[0], stored[0].bytes.count / values.shape[0]], elements: stored[0].bytes),
      scaleBytes: Tensor(shape: [rows, columns], elements: stored[1].bytes))
  }

  private func scaleName(of name: String) -> String { String(name.dropLast("weight".count)) + "scale" }

  private var blocks: BlockQuantization {
    get throws(InputError) { try weightBlocks(self == .float8 ? .float8E4M3 : .float4E2M1) }
  }
}

/// The blocks of weights that share a scale: 128 × 128 of FP8, 1 × 32 of FP4.
func weightBlocks(
  _ format: SmallFloat, steps: any QuantizationSteps = .reference
) throws(InputError) -> BlockQuantization {
  format == .float8E4M3
    ? try BlockQuantization(format, rows: 128, columns: 128, steps: steps)
    : try BlockQuantization(format, columns: 32, steps: steps)
}

/// The bytes of numbers, lowest first.
public func littleEndian<Element, Bits: FixedWidthInteger>(_ elements: [Element], _ bits: (Element) -> Bits) -> [UInt8]
{
  elements.map { bits($0).littleEndian }.withUnsafeBytes { Array($0) }
}
