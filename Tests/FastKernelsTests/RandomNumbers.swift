import Tensors

/// Random inputs of kernels: cut out of one pool, because making each number anew takes too long in a debug build.
struct RandomNumbers {
  private static let pool: [Float] = (0..<UInt64(1 << 19)).map { unitValue(splitmix64($0)) }
  private var draws: UInt64

  init(seed: UInt64) { draws = seed << 32 }

  /// A number in a range.
  mutating func integer(in range: Range<Int>) -> Int {
    draws += 1
    return range.lowerBound + Int(splitmix64(draws) % UInt64(range.count))
  }

  /// Numbers between −1 and 1, times a scale.
  mutating func tensor(_ shape: [Int], scale: Float = 1) -> Tensor<Float> {
    var rest = shape.reduce(1, *)
    var elements: [Float] = []
    elements.reserveCapacity(rest)
    while rest > 0 {
      let first = integer(in: 0..<Self.pool.count / 2)
      let count = min(rest, Self.pool.count - first)
      elements += Self.pool[first..<first + count]
      rest -= count
    }
    let tensor = Tensor(filling: shape, elements)
    return scale == 1 ? tensor : tensor * scale
  }

  /// Numbers between 0.1 and 1.1, as weights of streams are.
  mutating func positives(_ shape: [Int]) -> Tensor<Float> { tensor(shape) * 0.5 + 0.6 }

  /// Bytes of any value.
  mutating func bytes(_ count: Int, _ choose: (Int) -> UInt8 = { UInt8($0) }) -> [UInt8] {
    (0..<count).map { _ in choose(integer(in: 0..<256)) }
  }
}
