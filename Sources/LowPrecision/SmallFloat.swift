import Tensors

/// A binary floating-point format of few bits, as the deployed model stores and rounds to (report 2.3.4 and 5.2.1).
///
/// Values of either path are rounded to it, and 8-bit and smaller ones can be encoded:
///
/// ```
/// sign | exponent | significand         E4M3: s eeee mmm     E2M1: s ee m     BF16: s eeeeeeee mmmmmmm
/// value = ± 1.m · 2^(e − bias),  or ± 0.m · 2^(1 − bias) where e = 0
/// ```
public enum SmallFloat: String, CaseIterable, Sendable {
  /// BF16: the upper half of a float32.
  case bfloat16 = "bf16"
  /// FP8 E4M3 "fn": no infinity. Saturates, since the deployed code clamps to ±448 before it casts.
  case float8E4M3 = "fp8-e4m3"
  /// FP4 E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; neither infinity nor NaN.
  case float4E2M1 = "fp4-e2m1"

  /// As in `golden/FORMAT.md`.
  public var name: String { rawValue }

  /// Bits of the significand that are stored.
  public var significandBits: Int {
    switch self {
    case .bfloat16: 7
    case .float8E4M3: 3
    case .float4E2M1: 1
    }
  }

  /// The exponent of the smallest normal value.
  public var leastExponent: Int {
    switch self {
    case .bfloat16: -126
    case .float8E4M3: -6
    case .float4E2M1: 0
    }
  }

  public var largest: Float {
    switch self {
    case .bfloat16: 0x1.FEp127
    case .float8E4M3: 448
    case .float4E2M1: 6
    }
  }

  /// What becomes of a magnitude that rounds above `largest`: `largest` itself, or infinity.
  public var saturates: Bool { self != .bfloat16 }

  /// The code of NaN, without sign; nil where there is none.
  public var codeOfNaN: UInt8? { self == .float8E4M3 ? 0x7F : nil }
}

extension SmallFloat {
  /// The nearest value of the format; of two equally near ones that with the even code. NaN stays NaN, zero its sign.
  ///
  /// Within one binade the values are the multiples of one quantum, so rounding is to an integer of quanta; where that
  /// rounds up to the next binade, the result is a value of the format, too.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func rounded<Scalar: RealScalar>(_ x: Scalar) -> Scalar {
    guard x.isFinite else { return x.isNaN || !saturates ? x : (x < 0 ? -Scalar(largest) : Scalar(largest)) }
    let quantum: Scalar = powerOfTwo(max(exponent(x), leastExponent) - significandBits)
    // Above 1/ulp there are only integers: adding and subtracting rounds to the nearest, ties to even.
    let integers = 1.5 / Scalar.ulpOfOne
    let nearest = ((x.magnitude / quantum + integers) - integers) * quantum
    guard nearest <= Scalar(largest) else {
      return Scalar(signOf: x, magnitudeOf: saturates ? Scalar(largest) : .infinity)
    }
    return Scalar(signOf: x, magnitudeOf: nearest)
  }

  /// The exponent of a finite number as its bits have it; below every other one for zero and denormal numbers.
  @inline(__always)
  private func exponent<Scalar: RealScalar>(_ x: Scalar) -> Int {
    Int(truncatingIfNeeded: x.exponentBitPattern) - (1 << (Scalar.exponentBitCount - 1) - 1)
  }

  /// The code of the nearest value.
  ///
  /// - Throws: `InputError` for NaN in a format that has none.
  /// - Precondition: the format has at most 8 bits.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func code<Scalar: RealScalar>(_ x: Scalar) throws(InputError) -> UInt8 {
    let sign: UInt8 = x.sign == .minus ? signBit : 0
    if x.isNaN {
      guard let codeOfNaN else { throw InputError("round", "\(name) cannot hold NaN") }
      return sign | codeOfNaN
    }
    let value = rounded(x)
    let fraction = Int(
      truncatingIfNeeded: value.significandBitPattern >> (Scalar.significandBitCount - significandBits))
    let aboveLeast = exponent(value) - leastExponent
    let magnitude =
      aboveLeast >= 0
      ? (aboveLeast + 1) << significandBits | fraction
      : (1 << significandBits | fraction) >> -aboveLeast  // denormal: the leading bit is written out
    return sign | UInt8(magnitude)
  }

  /// The value of a code.
  ///
  /// - Precondition: the format has at most 8 bits.
  public func value<Scalar: RealScalar>(ofCode code: UInt8) -> Scalar {
    let magnitude = Int(code & (signBit - 1))
    guard codeOfNaN.map(Int.init) != magnitude else { return .nan }
    let field = magnitude >> significandBits
    let fraction = magnitude & (1 << significandBits - 1)
    let significand = field == 0 ? fraction : fraction | 1 << significandBits
    let value: Scalar = Scalar(significand) * powerOfTwo(leastExponent + max(field - 1, 0) - significandBits)
    return code & signBit == 0 ? value : -value
  }

  /// The number of codes.
  public var codeCount: Int { 2 * Int(signBit) }

  /// The sign stands above the exponent, whose field of the largest value follows from that value.
  private var signBit: UInt8 { self == .float4E2M1 ? 0x8 : 0x80 }
}

/// 2ⁿ, exactly.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func powerOfTwo<Scalar: RealScalar>(_ exponent: Int) -> Scalar {
  // The bits of a normal float32 at once: this runs for every value that is rounded.
  guard (-126...127).contains(exponent) else {
    return Scalar(sign: .plus, exponent: Scalar.Exponent(exponent), significand: 1)
  }
  return Scalar(Float(bitPattern: UInt32(exponent + 127) << 23))
}
