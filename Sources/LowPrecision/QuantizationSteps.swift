import Tensors

// Axes: c head width, r rotary dims (the last r of c).

/// The steps by which the deployed model rounds, each with the correct default; a known bug overrides one.
///
/// | step | what | source |
/// | --- | --- | --- |
/// | `activation` | BF16, between modules | 5.2.1-deployed-activations |
/// | `linearInput` | FP8 in blocks of 128: input of a map with FP8 or FP4 weight | 5.2.1-deployed-activations |
/// | `entry` | FP8 in blocks of 64: entries, without their rotary dims | 2.3.4-entry-precision |
/// | `indexVector` | FP4 in blocks of 32: queries and keys of the indexer | 2.3.4-index-precision |
/// | `scale`, `cast` | how a block is quantized | 5.2.1-block-quantization |
/// | `nibbles`, `scaleValue` | how stored weights are read | 5.2.1-block-quantization |
///
/// Steps throw `InputError` if a block does not divide an axis or a value is not finite.
public protocol QuantizationSteps: Sendable {
  func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar>

  func linearInput<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar>

  func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar>

  func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar>

  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar

  func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar

  func nibbles(_ byte: UInt8) -> (first: UInt8, second: UInt8)

  func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceQuantizationSteps: QuantizationSteps {
  public init() {}
}

extension QuantizationSteps where Self == ReferenceQuantizationSteps {
  /// The correct steps.
  public static var reference: ReferenceQuantizationSteps { ReferenceQuantizationSteps() }
}

extension QuantizationSteps {
  /// BF16, element by element, for any shape `[…]`.
  public func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    x.map(SmallFloat.bfloat16.rounded)
  }

  /// FP8 in blocks of 1 × 128, as every linear map with FP8 or FP4 weight gets its input.
  ///
  /// - Parameter x: `[…, d]`, d a multiple of 128
  public func linearInput<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    try BlockQuantization(.float8E4M3, columns: 128, steps: self).rounded(x)
  }

  /// FP8 in blocks of 1 × 64 on the dims that are not rotated; the last r stay as they are (BF16 in the cache).
  ///
  /// - Parameters:
  ///   - x: `[…, c]`, c − r a multiple of 64
  ///   - rotaryDims: r
  public func entry<Scalar: RealScalar>(_ x: Tensor<Scalar>, rotaryDims: Int) throws(InputError) -> Tensor<Scalar> {
    let width = x.shape.last ?? 0
    let quantized = try BlockQuantization(.float8E4M3, columns: 64, steps: self)
      .rounded(x.lastAxis(0..<width - rotaryDims))
    return try quantized.joiningLastAxis(x.lastAxis(width - rotaryDims..<width))
  }

  /// FP4 in blocks of 1 × 32, after the Hadamard transform.
  ///
  /// - Parameter x: `[…, i]`, i a multiple of 32
  public func indexVector<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    try BlockQuantization(.float4E2M1, columns: 32, steps: self).rounded(x)
  }

  /// The scale of a block, as deployed: rounded **up** to a power of two before anything is divided by it.
  ///
  /// ```
  /// FP8: s = 2^⌈log₂(max(amax, 10⁻⁴) / 448)⌉
  /// FP4: s = 2^⌈log₂(max(amax, 6 · 2⁻¹²⁶) / 6)⌉
  /// ```
  ///
  /// The logarithm is read off the exponent bits, so it is exact: an amax of 448 · 2ᵏ gives 2ᵏ, one ulp more the double.
  ///
  /// - Parameters:
  ///   - largest: amax, the largest magnitude of the block
  ///   - format: FP8 or FP4
  public func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    let floor = format == .float8E4M3 ? Scalar(Float(1e-4)) : Scalar(format.largest) * powerOfTwo(-126)
    let quotient = max(largest, floor) / Scalar(format.largest)
    return powerOfTwo(Int(quotient.exponent) + (quotient.significand > 1 ? 1 : 0))
  }

  /// The nearest value of the format.
  public func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar { format.rounded(x) }

  /// The two FP4 codes of a byte: the **low** nibble comes first.
  public func nibbles(_ byte: UInt8) -> (first: UInt8, second: UInt8) { (byte & 0xF, byte >> 4) }

  /// A scale byte is an exponent, whatever it scales.
  public func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    ScaleE8M0.value(ofByte: byte)
  }
}
