import Tensors

/// The steps of block quantization, each with the correct default; a known bug overrides one.
///
/// | step | what |
/// | --- | --- |
/// | `scale` | the power of two that a block is divided by |
/// | `cast` | the rounding of a value that has been divided |
/// | `nibbles` | the order of two FP4 codes in a byte |
/// | `scaleValue` | what a stored scale byte means |
/// | `blockColumns` | how many values share a scale |
public protocol QuantizationSteps: Sendable {
  func blockColumns(_ columns: Int, of format: SmallFloat) -> Int

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
  public func blockColumns(_ columns: Int, of format: SmallFloat) -> Int { columns }

  /// The scale of a block, as deployed: rounded **up** to a power of two before anything is divided by it.
  ///
  /// ```
  /// FP8: s = 2^⌈log₂(max(amax, 10⁻⁴) / 448)⌉
  /// FP4: s = 2^⌈log₂(max(amax, 6 · 2⁻¹²⁶) / 6)⌉
  /// ```
  ///
  /// The logarithm is read off the exponent bits, so it is exact: an amax of 448 · 2ᵏ gives 2ᵏ, one ulp more the double.
  ///
  /// - Parameter largest: amax, the largest magnitude of the block
  public func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    let floor = format == .float8E4M3 ? Scalar(Float(1e-4)) : Scalar(format.largest) * powerOfTwo(-126)
    let quotient = max(largest, floor) / Scalar(format.largest)
    return powerOfTwo(Int(quotient.exponent) + (quotient.significand > 1 ? 1 : 0))
  }

  /// The nearest value of the format.
  public func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar { format.rounded(x) }

  /// The two FP4 codes of a byte: the **low** nibble comes first.
  public func nibbles(_ byte: UInt8) -> (first: UInt8, second: UInt8) { (byte & 0xF, byte >> 4) }

  /// A scale byte is an exponent.
  ///
  /// - Parameter format: of the values that it scales
  public func scaleValue<Scalar: RealScalar>(ofByte byte: UInt8, format: SmallFloat) -> Scalar {
    ScaleE8M0.value(ofByte: byte)
  }
}
