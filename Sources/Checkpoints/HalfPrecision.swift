import LowPrecision

// The two formats of 16 bits, as bits.
//
// BF16: s eeeeeeee mmmmmmm (the upper half of a float32)     F16: s eeeee mmmmmmmmmm (bias 15)

/// The value of a BF16.
@inline(__always)
func bfloat16(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

/// The nearest BF16; of two equally near ones that with the even bits. NaN becomes the quiet NaN of the same sign.
func bfloat16Bits(_ x: Float) -> UInt16 {
  guard !x.isNaN else { return x.sign == .minus ? 0xFFC0 : 0x7FC0 }
  return UInt16(SmallFloat.bfloat16.rounded(x).bitPattern >> 16)
}

/// The value of an F16.
@inline(__always)
func float16(_ bits: UInt16) -> Float {
  let exponent = Int(bits >> 10 & 0x1F)
  let fraction = UInt32(bits & 0x3FF)
  let magnitude: Float
  switch exponent {
  case 0: magnitude = Float(fraction) * 0x1p-24
  case 31: magnitude = fraction == 0 ? .infinity : .nan
  default: magnitude = Float(bitPattern: UInt32(exponent + 112) << 23 | fraction << 13)
  }
  return bits & 0x8000 == 0 ? magnitude : -magnitude
}

/// The nearest F16; of two equally near ones that with the even bits; infinity from 65520 up. NaN becomes the quiet NaN
/// of the same sign.
func float16Bits(_ x: Float) -> UInt16 {
  let sign: UInt16 = x.sign == .minus ? 0x8000 : 0
  guard !x.isNaN else { return sign | 0x7E00 }
  guard x.magnitude < 65520 else { return sign | 0x7C00 }
  guard x != 0 else { return sign }
  // In units of the last place, a rounded value of the lowest binades is its own code; each binade above adds 2¹⁰.
  let exponent = max(Int(x.exponent), -14)
  let units = (x.magnitude / powerOfTwo(exponent - 10)).rounded(.toNearestOrEven)
  return sign | UInt16((exponent + 14) << 10 + Int(units))
}
