/// The splitmix64 hash: 64 bits that look random, from a number.
@inlinable @inline(__always)
public func splitmix64(_ x: UInt64) -> UInt64 {
  var z = x &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// The upper 24 of 64 bits as a number in [−1, 1), exact in float32.
@inlinable @inline(__always)
public func unitValue(_ bits: UInt64) -> Float { Float(bits >> 40) / 8_388_608 - 1 }
