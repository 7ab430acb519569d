import LowPrecision
import Tensors

/// Rounds to fewer significant bits, up or down at random with the probability of the distance; or to the nearest.
///
/// What falls which way is a hash of the seed, of what is rounded and of the place of the element: nothing is shared, so
/// runs may go on in any order and on any number of threads.
struct RandomRounding: Sendable {
  /// Nil rounds to the nearest.
  let seed: UInt64?
  /// The leading one included.
  let bits: Int

  /// Bits of a Double's significand that fall away.
  private var dropped: Int { Double.significandBitCount + 1 - bits }

  /// A tensor of a name.
  ///
  /// - Parameter call: how many of that name there were before
  func rounded(_ x: Tensor<Double>, name: String, call: Int = 0) -> Tensor<Double> {
    let key = splitmix64(nameHash(name) &+ UInt64(call) &* 0x9E37_79B9)
    var index: UInt64 = 0
    return x.map { value in
      index += 1
      return rounded(value, key: key &+ index)
    }
  }

  /// A value inside a step, which has no name: the hash takes the bits that stay, and so it differs between tensors.
  @specialized(where Scalar == Double)
  func rounded<Scalar: RealScalar>(_ x: Tensor<Scalar>, salt: UInt64) -> Tensor<Scalar> {
    var index: UInt64 = 0
    return x.map { value in
      index += 1
      let value = Double(value)
      return Scalar(rounded(value, key: splitmix64(salt &+ value.bitPattern >> UInt64(dropped)) &+ index))
    }
  }

  /// Adding less than one unit of the last bit that stays, and cutting off: the carry does the rest.
  private func rounded(_ value: Double, key: UInt64) -> Double {
    guard value.isFinite else { return value }
    let unit = UInt64(1) << UInt64(dropped)
    let addend = seed.map { splitmix64($0 ^ splitmix64(key)) & (unit - 1) } ?? unit / 2
    return Double(bitPattern: (value.bitPattern &+ addend) & ~(unit - 1))
  }

  /// A block format with a scale for each block of the last axis, rounded at random within its codes.
  ///
  /// - Parameter columns: of a block; where they do not divide the axis, it is one block
  @specialized(where Scalar == Double)
  func quantized<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ format: SmallFloat, columns: Int) -> Tensor<Scalar> {
    let width = x.shape.last ?? 0
    guard x.count > 0 else { return x }
    let block = width % columns == 0 ? columns : width
    let values = x.elements.map { Double($0) }
    let scales = stride(from: 0, to: values.count, by: block).map { first -> Double in
      let largest = values[first..<first + block].reduce(0) { max($0, $1.magnitude) }
      return ReferenceQuantizationSteps().scale(largest: largest, format: format)
    }
    var index = -1
    return x.map { value in
      index += 1
      return Scalar(coded(Double(value), format, scale: scales[index / block], index: UInt64(index)))
    }
  }

  private func coded(_ value: Double, _ format: SmallFloat, scale: Double, index: UInt64) -> Double {
    guard let seed else { return format.rounded(value / scale) * scale }
    let exponent = max(value == 0 ? format.leastExponent : Int((value / scale).exponent), format.leastExponent)
    let quantum = scale * powerOfTwo(exponent - format.significandBits)
    let quotient = value.magnitude / quantum
    let below = quotient.rounded(.down)
    let hash = splitmix64(seed ^ splitmix64(splitmix64(below.bitPattern ^ scale.bitPattern) &+ index))
    let threshold = Double(hash >> 11) * 0x1p-53
    return Double(signOf: value, magnitudeOf: (below + (threshold < quotient - below ? 1 : 0)) * quantum)
  }
}

/// FNV-1a.
func nameHash(_ name: String) -> UInt64 {
  name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
