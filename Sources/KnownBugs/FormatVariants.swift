import LowPrecision
import Tensors

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+LowPrecision.swift.

private let correct = ReferenceQuantizationSteps()

// MARK: Single values

/// Casts to one of the formats of blocks by another rule than to nearest, ties to even.
struct CastByRule: QuantizationSteps {
  let format: SmallFloat
  let rule: FloatingPointRoundingRule

  func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar {
    format == self.format ? rounded(x, to: format, rule) : correct.cast(x, format: format)
  }
}

struct ActivationsByRule: QuantizationSteps {
  let rule: FloatingPointRoundingRule

  func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    x.map { rounded($0, to: .bfloat16, rule) }
  }
}

/// As the other E4M3, whose largest value is 240.
struct FP8LargestIs240: QuantizationSteps {
  func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar {
    let value = correct.cast(x, format: format)
    return format == .float8E4M3 ? min(max(value, -240), 240) : value
  }
}

/// What a cast without a clamp before it does: there is no infinity to overflow to.
struct FP8OverflowsToNaN: QuantizationSteps {
  func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar {
    // 464 is the tie between 448 and what would be the next value.
    format == .float8E4M3 && x.magnitude > 464 ? .nan : correct.cast(x, format: format)
  }
}

struct FP8DenormalsFlushed: QuantizationSteps {
  func cast<Scalar: RealScalar>(_ x: Scalar, format: SmallFloat) -> Scalar {
    let value = correct.cast(x, format: format)
    return format == .float8E4M3 && value.magnitude < powerOfTwo(format.leastExponent) ? value * 0 : value
  }
}

/// A value of the format by any rule; the multiples of one quantum are its values around x.
private func rounded<Scalar: RealScalar>(
  _ x: Scalar, to format: SmallFloat, _ rule: FloatingPointRoundingRule
) -> Scalar {
  guard x.isFinite, x != 0 else { return format.rounded(x) }
  let quantum: Scalar = powerOfTwo(max(Int(x.exponent), format.leastExponent) - format.significandBits)
  return format.rounded((x / quantum).rounded(rule) * quantum)
}

// MARK: Scales

/// amax / largest, as it is.
struct ScaleNotRounded: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar { quotient(largest, format) }
}

struct ScaleRoundedDown: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    powerOfTwo(Int(quotient(largest, format).exponent))
  }
}

struct ScaleRoundedToNearest: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    let quotient = quotient(largest, format)
    return powerOfTwo(Int(quotient.exponent) + (quotient.significand > Scalar(2).squareRoot() ? 1 : 0))
  }
}

/// The exponent by a float32 logarithm, which cannot tell 2ᵏ from its neighbour where k is large.
struct ScaleFromLogarithm: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    powerOfTwo(Int(log2(Float(quotient(largest, format))).rounded(.up)))
  }
}

struct ScaleWithoutFloor: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    let quotient = largest / Scalar(format.largest)
    return largest > 0 ? powerOfTwo(Int(quotient.exponent) + (quotient.significand > 1 ? 1 : 0)) : 0
  }
}

/// The floor of FP8, whatever the format.
struct FloorOfFP8Everywhere: QuantizationSteps {
  func scale<Scalar: RealScalar>(largest: Scalar, format: SmallFloat) -> Scalar {
    correct.scale(largest: max(largest, Scalar(Float(1e-4))), format: format)
  }
}

/// What the scale is before it is rounded up to a power of two.
private func quotient<Scalar: RealScalar>(_ largest: Scalar, _ format: SmallFloat) -> Scalar {
  let floor = format == .float8E4M3 ? Scalar(Float(1e-4)) : Scalar(format.largest) * powerOfTwo(-126)
  return max(largest, floor) / Scalar(format.largest)
}
