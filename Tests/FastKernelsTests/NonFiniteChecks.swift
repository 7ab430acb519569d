import FastKernels
import RotaryEmbedding
import Tensors

extension PropertyChecks {
  /// NaN and infinity come out in the places where the reference steps in Float have them.
  static func nonFinite(_ kernels: KernelSet) throws -> [String] {
    var failures: [String] = []
    for (base, expectations) in try nonFiniteCases.get() {
      for (inputs, expected) in expectations {
        let got = try base.twin.fast(kernels, inputs)
        let differing = zip(got.elements, expected.elements).count { !$0.isSame(kindAs: $1) }
        if differing > 0 || got.shape != expected.shape {
          failures.append("\(base.description): \(differing) elements are NaN or infinity in other places")
        }
      }
    }
    return failures
  }

  /// Each case with NaN or an infinity at a random place of one of its inputs, and what the reference step makes of it.
  private static let nonFiniteCases = Result {
    var numbers = RandomNumbers(seed: 14)
    return try basesOfNonFinite().map { base in
      var expectations: [(inputs: [Tensor<Float>], expected: Tensor<Float>)] = []
      for (number, input) in base.inputs.enumerated() {
        for value in [Float.nan, .infinity, -.infinity] {
          for _ in 0..<3 {
            var elements = input.elements
            elements[numbers.integer(in: 0..<elements.count)] = value
            var inputs = base.inputs
            inputs[number] = Tensor(filling: input.shape, elements)
            expectations.append((inputs, try base.twin.reference(inputs)))
          }
        }
      }
      return (base, expectations)
    }
  }

  private static func basesOfNonFinite() throws -> [TwinCase] {
    var n = RandomNumbers(seed: 15)
    let rotary = try RotaryConfiguration(ropeDims: 4, headWidth: 9, theta: 10000, angles: .exact)
    let attention = AttentionTwin(start: 0, windows: [0..<9, 3..<7], chosen: [[2, 0], [1, 3, 2]])
    let pooling = PoolingTwin(ratio: 4, overlaps: true, firstBlock: 0, blocks: 0..<3)
    return [
      TwinCase(LinearTwin(), n.tensor([3, 21]), n.tensor([9, 21])),
      TwinCase(LinearTwin(), n.tensor([35, 21]), n.tensor([19, 21])),
      TwinCase(GroupLatentsTwin(groups: 2), n.tensor([3, 2, 5]), n.tensor([6, 5])),
      TwinCase(MixesTwin(epsilon: 1e-6), n.tensor([5, 3, 7]), n.tensor([8, 21])),
      TwinCase(SplitTwin(streams: 3), n.tensor([5, 15]), n.tensor([15]), n.tensor([3])),
      TwinCase(GatesTwin(gates: .pre, epsilon: 1e-6), n.tensor([5, 4])),
      TwinCase(GatesTwin(gates: .head, epsilon: 1e-6), n.tensor([5, 4]), n.tensor([4]), n.tensor([1])),
      TwinCase(WeightedSumTwin(), n.tensor([3, 4, 19]), n.tensor([3, 4])),
      TwinCase(PostMixTwin(), n.tensor([3, 4, 19]), n.tensor([3, 19]), n.tensor([3, 4]), n.tensor([3, 4, 4])),
      TwinCase(SinkhornTwin(iterations: 4, epsilon: 1e-6), n.tensor([18, 4, 4])),
      TwinCase(NormTwin(epsilon: 1e-6), n.tensor([4, 21]), n.tensor([21])),
      TwinCase(RotationTwin(positions: [5, 77], configuration: rotary, inverse: false), n.tensor([2, 3, 9])),
      TwinCase(HadamardTwin(), n.tensor([3, 32])),
      TwinCase(AffinityTwin(), n.tensor([2, 21], scale: 9)),
      TwinCase(GatedProductTwin(limit: 0), n.tensor([2, 21], scale: 5), n.tensor([2, 21], scale: 5)),
      TwinCase(GatedProductTwin(limit: 3), n.tensor([2, 21], scale: 5), n.tensor([2, 21], scale: 5)),
      TwinCase(SlotSumTwin(), n.tensor([2, 3, 21])),
      TwinCase(BiasTwin(), n.tensor([3, 21]), n.tensor([21])),
      TwinCase(ScaledRowsTwin(), n.tensor([3, 21]), n.tensor([3])),
      TwinCase(attention, n.tensor([2, 5, 7]), n.tensor([9, 7]), n.tensor([5]), n.tensor([4, 7])),
      TwinCase(attention, n.tensor([2, 37, 19]), n.tensor([9, 19]), n.tensor([37]), n.tensor([4, 19])),
      try TwinCase.indexQueries(tokens: 3, columns: 7, heads: 3, width: 8, turned: 4),
      try TwinCase.indexQueries(tokens: 19, columns: 7, heads: 5, width: 16, turned: 6),
      TwinCase(IndexScoresTwin(visible: [9, 16]), n.tensor([2, 5, 7]), n.tensor([17, 7]), n.tensor([2, 5])),
      TwinCase(pooling, n.tensor([12, 38]), n.tensor([12, 38]), n.tensor([4, 38])),
    ]
  }
}

extension Float {
  /// Both NaN, both the same infinity, or both finite.
  func isSame(kindAs other: Float) -> Bool {
    isNaN ? other.isNaN : isInfinite ? self == other : other.isFinite
  }
}
