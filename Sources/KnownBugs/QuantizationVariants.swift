import CompressedSparseAttention
import LowPrecision
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+LowPrecision.swift.
// How a single value or scale is rounded: see FormatVariants.swift.

// MARK: Points that do not round

struct ActivationsNotRounded: QuantizationSteps {
  func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> { x }
}

struct LinearInputsNotQuantized: QuantizationSteps {
  func linearInput<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> { x }
}

struct EntriesNotQuantized: QuantizationSteps {
  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> { x }
}

struct IndexPathNotQuantized: QuantizationSteps {
  func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> { x }
}

// MARK: Entries

/// Scaled and clamped to ±448, but cast to BF16.
struct EntriesCastToBFloat16: QuantizationSteps {
  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    try CastToBFloat16().entry(x, rotaryDims: rotaryDims)
  }

  private struct CastToBFloat16: QuantizationSteps {
    func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar {
      let largest = Scalar(format.largest)
      return SmallFloat.bfloat16.rounded(min(max(x, -largest), largest))
    }
  }
}

/// Other blocks than 1 × 64 of the dims that are not rotated.
struct EntriesInBlocks: QuantizationSteps {
  let columns: Int

  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    let width = x.shape[x.rank - 1]
    let quantized = try BlockQuantization(.float8E4M3, columns: columns).rounded(x.lastAxis(0..<width - rotaryDims))
    return try quantized.joiningLastAxis(x.lastAxis(width - rotaryDims..<width))
  }
}

/// One scale for a whole entry, its rotary dims included.
struct EntriesWithOneScale: QuantizationSteps {
  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    try BlockQuantization(.float8E4M3, columns: x.shape[x.rank - 1]).rounded(x)
  }
}

/// The rotary dims are a block of their own.
struct RotaryDimsQuantized: QuantizationSteps {
  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    let width = x.shape[x.rank - 1]
    let rotary = try BlockQuantization(.float8E4M3, columns: rotaryDims)
      .rounded(x.lastAxis(width - rotaryDims..<width))
    return try ReferenceQuantizationSteps().entry(x, rotaryDims: rotaryDims)
      .lastAxis(0..<width - rotaryDims).joiningLastAxis(rotary)
  }
}

/// Every block is rotated before it is quantized, and stays so.
struct EntriesStayRotated: QuantizationSteps {
  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    let width = x.shape[x.rank - 1]
    let blocks = try x.lastAxis(0..<width - rotaryDims)
    let rotated = try hadamard(blocks.reshaped([blocks.count / 64, 64])).reshaped(blocks.shape)
    return try ReferenceQuantizationSteps()
      .entry(rotated.joiningLastAxis(x.lastAxis(width - rotaryDims..<width)), rotaryDims: rotaryDims)
  }
}

// MARK: Index path

struct IndexPathInGroupsOf16: QuantizationSteps {
  func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    try BlockQuantization(.float4E2M1, columns: 16).rounded(x)
  }
}

struct IndexPathInFP8: QuantizationSteps {
  func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    try BlockQuantization(.float8E4M3, columns: x.shape[x.rank - 1]).rounded(x)
  }
}

// MARK: Stored weights

struct HighNibbleFirst: QuantizationSteps {
  func nibbles(_ byte: UInt8) -> (first: UInt8, second: UInt8) { (byte >> 4, byte & 0xF) }
}

struct ScaleByteAsNumber: QuantizationSteps {
  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar { Scalar(byte) }
}

struct ScaleByte255Finite: QuantizationSteps {
  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    powerOfTwo(Int(byte) - 127)
  }
}

struct ScaleByte0IsZero: QuantizationSteps {
  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    byte == 0 ? 0 : ScaleE8M0.value(ofByte: byte)
  }
}

struct FP4ScaleAsE4M3: QuantizationSteps {
  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    format == .float4E2M1 ? SmallFloat.float8E4M3.value(ofCode: byte) : ScaleE8M0.value(ofByte: byte)
  }
}

/// The scale of an FP4 block becomes part of FP8 values: small ones underflow, large ones saturate.
struct FP4ScaleFoldedIntoFP8: QuantizationSteps {
  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    let scale: Scalar = ScaleE8M0.value(ofByte: byte)
    return format == .float4E2M1 ? SmallFloat.float8E4M3.rounded(scale) : scale
  }
}
