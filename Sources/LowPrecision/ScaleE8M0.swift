import Tensors

/// UE8M0: a scale that is a power of two, stored as its exponent in one byte.
///
/// ```
/// value = 2^(byte − 127),  byte 255 is NaN
/// ```
public enum ScaleE8M0 {
  /// The value of a byte: a power of two, never the byte itself. 2⁻¹²⁷ is denormal in float32, but exact.
  public static func value<Scalar: RealScalar>(ofByte byte: UInt8) -> Scalar {
    byte == 255 ? .nan : powerOfTwo(Int(byte) - 127)
  }

  /// The byte of a power of two.
  ///
  /// - Throws: `InputError` if it is no power of two between 2⁻¹²⁷ and 2¹²⁷.
  public static func byte<Scalar: RealScalar>(of scale: Scalar) throws(InputError) -> UInt8 {
    guard scale.isFinite, scale > 0, scale.significand == 1, (-127...127).contains(Int(scale.exponent)) else {
      throw InputError("quantize", "a UE8M0 scale must be a power of two between 2^-127 and 2^127, got \(scale)")
    }
    return UInt8(Int(scale.exponent) + 127)
  }
}
