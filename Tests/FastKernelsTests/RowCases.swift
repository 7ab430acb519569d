import RotaryEmbedding
import Tensors

/// Lengths around one, two and four vectors of every instruction set.
private let lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 129]

extension TwinCase {
  static func normCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 5)
    return (lengths + [1024, 2051]).flatMap { width in
      let x = numbers.tensor([3, width])
      let small = numbers.tensor([2, 2, width], scale: 1e-3)  // ε counts
      return [
        TwinCase(NormTwin(epsilon: 1e-6), x, numbers.tensor([width])), TwinCase(NormTwin(epsilon: 1e-6), small),
        TwinCase(NormTwin(epsilon: 1e-3), small, numbers.tensor([width])),
      ]
    }
  }

  static func rotationCases() throws -> [TwinCase] {
    var numbers = RandomNumbers(seed: 6)
    var cases: [TwinCase] = []
    for (tokens, heads, width, turned) in [(1, 1, 2, 2), (3, 2, 9, 4), (5, 3, 64, 64), (7, 4, 37, 18), (2, 70, 40, 2)] {
      let positions = (0..<tokens).map { _ in numbers.integer(in: 0..<5000) }
      let rotary = try RotaryConfiguration(ropeDims: turned, headWidth: width, theta: 10000, angles: .exact)
      for inverse in [false, true] {
        cases.append(
          TwinCase(
            RotationTwin(positions: positions, configuration: rotary, inverse: inverse),
            numbers.tensor([tokens, heads, width])))
      }
    }
    return cases
  }

  static func elementCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 7)
    var cases: [TwinCase] = [1, 2, 4, 8, 16, 32, 64, 128, 256].map { width in
      TwinCase(HadamardTwin(), numbers.tensor([3, width]))
    }
    for length in lengths {
      cases.append(TwinCase(AffinityTwin(), numbers.tensor([2, length], scale: 200)))
      cases.append(TwinCase(AffinityTwin(), numbers.tensor([2, length], scale: 2)))
      for limit in [0, 3] as [Float] {
        cases.append(
          TwinCase(
            GatedProductTwin(limit: limit), numbers.tensor([2, length], scale: 9),
            numbers.tensor([2, length], scale: 9)))
      }
      cases.append(TwinCase(BiasTwin(), numbers.tensor([3, length], scale: 0.7), numbers.tensor([length], scale: 3)))
      cases.append(TwinCase(ScaledRowsTwin(), numbers.tensor([3, length]), numbers.tensor([3])))
      cases.append(TwinCase(SlotSumTwin(), numbers.tensor([2, 1 + length % 7, length])))
    }
    cases.append(
      TwinCase(
        GatedProductTwin(limit: 0), numbers.tensor([2, 300], scale: 100), numbers.tensor([2, 300], scale: 100)))
    cases.append(TwinCase(AffinityTwin(), .grid(from: -200, to: 200, step: 1.0 / 16)))
    return cases
  }
}

extension Tensor where Element == Float {
  /// Numbers in even steps, `[1, n]`.
  static func grid(from first: Float, to last: Float, step: Float) -> Tensor {
    let elements = Array(stride(from: first, through: last, by: step))
    return Tensor(filling: [1, elements.count], elements)
  }
}
