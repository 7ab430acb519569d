import Tensors

/// A small generator of random numbers with an explicit seed (SplitMix64), so that every test sees the same data.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// About normal: the sum of twelve uniform numbers, less six.
  public mutating func normal() -> Double {
    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }

  /// A tensor of such numbers, rounded to float32 so that both paths start from the same values.
  public mutating func normals<Scalar: RealScalar>(_ shape: [Int], scale: Double = 1) throws -> Tensor<Scalar> {
    let count = shape.reduce(1, *)
    return try Tensor(shape: shape, elements: (0..<count).map { _ in Scalar(Float(normal() * scale)) })
  }
}

/// The largest difference of two tensors.
public func largestDifference<Scalar: RealScalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Double {
  precondition(a.shape == b.shape)
  return zip(a.elements, b.elements).map { abs(Double($0) - Double($1)) }.max() ?? 0
}
