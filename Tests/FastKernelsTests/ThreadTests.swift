import DeepSeekV4
import FastKernels
import Tensors
import TestSupport
import Testing

/// The number of threads changes no bit: each result is that of one thread.
@Suite struct ThreadTests {
  static let threads = [2, 3, 5, 16]

  @Test(arguments: InstructionSet.available) func stepsGiveTheSameBits(on instructionSet: InstructionSet) throws {
    let cases = try Self.largeCases()
    let alone = try KernelSet(instructionSet, threads: 1)
    let together = try Self.threads.map { try KernelSet(instructionSet, threads: $0) }
    for twinCase in cases {
      let expected = try twinCase.fast(alone).elements
      for kernels in together {
        // Other results first: what is not written must not be found right in memory that is used again.
        _ = try twinCase.twin.fast(kernels, twinCase.inputs.map { $0 * 0.5 })
        let got = try twinCase.fast(kernels).elements
        let same = expected.withUnsafeBytes { expected in got.withUnsafeBytes { expected.elementsEqual($0) } }
        #expect(same, "\(twinCase.description) on \(kernels)")
      }
    }
  }

  @Test(arguments: InstructionSet.available) func selectionsAreTheSame(on instructionSet: InstructionSet) throws {
    var numbers = RandomNumbers(seed: 31)
    let scores = (0..<301).map { _ in numbers.tensor([900]).elements }
    let visible = (0..<301).map { _ in numbers.integer(in: 0..<901) }
    let expected = try KernelSet(instructionSet, threads: 1).select(scores, visible: visible, topK: 33)
    for threads in Self.threads {
      let got = try KernelSet(instructionSet, threads: threads).select(scores, visible: visible, topK: 33)
      #expect(got.selection == expected.selection)
      #expect(got.margin == expected.margin)
    }
  }

  /// A prefill long enough for every step to be shared, then single tokens.
  @Test func aModelGivesTheSameBits() throws {
    let ids = Self.ids(260)
    let expected = try Self.logits(ids, StepSet.fast(KernelSet(threads: 1)))
    for threads in Self.threads {
      let got = try Self.logits(ids, StepSet.fast(KernelSet(threads: threads)))
      let same = got == expected
      #expect(same, "\(threads) threads")
    }
  }

  static func ids(_ count: Int) -> [Int] {
    (0..<count).map { Int(splitmix64(UInt64($0)) % UInt64(ModelConfiguration.tiny.vocabularySize)) }
  }

  static func logits(_ ids: [Int], _ steps: StepSet) throws -> [Tensor<Float>] {
    let model = try LanguageModel<Float>(
      .tiny, weights: GeneratedWeights(seed: 7, configuration: .tiny, rounded: false), steps: steps,
      angles: .standard(for: Float.self))
    var state = model.emptyState
    var results: [Tensor<Float>] = []
    for range in [0..<ids.count - 3, ids.count - 3..<ids.count - 2, ids.count - 2..<ids.count] {
      let output = try model(Array(ids[range]), state: &state)
      results.append(output.logits)
      if let prediction = output.prediction { results.append(prediction.logits) }
    }
    return results
  }

  /// Work enough for 16 threads, in numbers that they do not divide.
  private static func largeCases() throws -> [TwinCase] {
    var n = RandomNumbers(seed: 30)
    let attention = AttentionTwin(
      start: 0, windows: (0..<37).map { $0..<$0 + 30 }, chosen: (0..<37).map { Array(0..<$0) })
    let oneQuery = AttentionTwin(start: 0, windows: [0..<70], chosen: [Array(0..<40)])
    return try [
      TwinCase.indexQueries(tokens: 61, columns: 131, heads: 9, width: 128, turned: 64),
      TwinCase.indexQueries(tokens: 601, columns: 50, heads: 5, width: 32, turned: 8),
      TwinCase(LinearTwin(), n.tensor([7, 1025]), n.tensor([201, 1025])),
      TwinCase(LinearTwin(), n.tensor([100, 203]), n.tensor([425, 203])),
      TwinCase(LinearTwin(), n.tensor([601, 101]), n.tensor([531, 101])),
      TwinCase(LinearTwin(), n.tensor([57, 131]), n.tensor([1101, 131])),
      TwinCase(GroupLatentsTwin(groups: 2), n.tensor([150, 4, 51]), n.tensor([90, 102])),
      TwinCase(MixesTwin(epsilon: 1e-6), n.tensor([567, 4, 150]), n.tensor([24, 600])),
      TwinCase(WeightedSumTwin(), n.tensor([131, 4, 1700]), n.tensor([131, 4])),
      TwinCase(
        PostMixTwin(), n.tensor([67, 4, 801]), n.tensor([67, 801]), n.tensor([67, 4]), n.tensor([67, 4, 4])),
      TwinCase(SinkhornTwin(iterations: 20, epsilon: 1e-6), n.tensor([701, 4, 4], scale: 3)),
      TwinCase(NormTwin(epsilon: 1e-6), n.tensor([301, 701]), n.tensor([701])),
      TwinCase(HadamardTwin(), n.tensor([401, 128])),
      TwinCase(AffinityTwin(), n.tensor([53, 257], scale: 20)),
      TwinCase(GatedProductTwin(limit: 2), n.tensor([71, 301], scale: 5), n.tensor([71, 301], scale: 5)),
      TwinCase(BiasTwin(), n.tensor([301, 2801]), n.tensor([2801])),
      TwinCase(ScaledRowsTwin(), n.tensor([301, 2801]), n.tensor([301])),
      TwinCase(SlotSumTwin(), n.tensor([101, 6, 1401])),
      TwinCase(attention, n.tensor([37, 37, 33]), n.tensor([66, 33]), n.tensor([37]), n.tensor([40, 33])),
      TwinCase(oneQuery, n.tensor([1, 300, 65]), n.tensor([70, 65]), n.tensor([300]), n.tensor([40, 65])),
      TwinCase(
        IndexScoresTwin(visible: (0..<90).map { 10 * $0 }), n.tensor([90, 9, 32]), n.tensor([901, 32]),
        n.tensor([90, 9])),
      TwinCase(
        IndexScoresTwin(visible: [3999, 2000]), n.tensor([2, 9, 32]), n.tensor([4001, 32]), n.tensor([2, 9])),
      TwinCase(
        PoolingTwin(ratio: 4, overlaps: true, firstBlock: 0, blocks: 0..<101), n.tensor([404, 128]),
        n.tensor([404, 128]), n.tensor([4, 128])),
    ]
  }
}
