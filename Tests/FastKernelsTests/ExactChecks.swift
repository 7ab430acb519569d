import CompressedSparseAttention
import DeepSeekV4
import FastKernels
import HyperConnections
import Tensors

/// What fast kernels give bit by bit as the reference steps in Float do.
extension PropertyChecks {
  /// The passes of Sinkhorn-Knopp from the same start.
  static func iterations(_ kernels: KernelSet) throws -> [String] {
    var numbers = RandomNumbers(seed: 11)
    let steps = ReferenceHyperConnectionSteps()
    var failures: [String] = []
    for streams in 1...6 {
      for (iterations, epsilon) in [(1, Float(1e-6)), (20, 1e-6), (5, 1e-3), (2, 0.25)] {
        let logits = numbers.tensor([18, streams, streams], scale: 5)
        let start = try steps.sinkhornStart(logits, epsilon: epsilon)
        var expected = try steps.normalized(start, over: .columns, epsilon: epsilon)
        for _ in 1..<iterations {
          expected = try steps.normalized(expected, over: .rows, epsilon: epsilon)
          expected = try steps.normalized(expected, over: .columns, epsilon: epsilon)
        }
        let got = try kernels.sinkhorn(start, iterations: iterations, epsilon: epsilon, afterStart: true)
        if got != expected {
          failures.append("\(iterations) iterations on \(streams) streams with ε = \(epsilon) give other bits")
        }
      }
    }
    return failures
  }

  /// Queries of the indexer in one pass have the bits of its three steps one after another, so that nothing changes when
  /// somebody listens in between.
  static func fusedQueries(_ kernels: KernelSet) throws -> [String] {
    let steps = StepSet.fast(kernels)
    return try TwinCase.indexQueriesCases().compactMap { twinCase in
      guard let twin = twinCase.twin as? IndexQueriesTwin else { return "\(twinCase.description) is none of queries" }
      let heads = try steps.indexer.queries(twinCase.inputs[0], projection: twinCase.inputs[1], heads: twin.heads)
      let rotated = try steps.indexRotary.rotated(
        heads, positions: twin.positions, configuration: twin.configuration, inverse: false)
      let expected = try steps.indexer.transformed(rotated, isKey: false)
      return try twinCase.fast(kernels) == expected ? nil : "\(twinCase.description): other bits than step by step"
    }
  }

  /// Selections and their margins: ties, infinities, both zeros, k below, at and above the number of candidates.
  static func selections(_ kernels: KernelSet) throws -> [String] {
    var numbers = RandomNumbers(seed: 12)
    let pools: [[Float]] = [
      [0, -0.0, 1, 1, -1], [.infinity, -.infinity, 0, 3, 3], [-.infinity], [0x1p-149, -0x1p-149, 0, 1e-38, -1e38],
      [1, 1.0000001, 1.0000002, 0.99999994],
    ]
    var failures: [String] = []
    for count in [1, 2, 3, 15, 16, 17, 63, 64, 65, 200, 1500] {
      for topK in [1, 2, 3, count - 1, count, count + 3, 7, 64, 512] where topK > 0 {
        let plain = numbers.tensor([count], scale: 3).elements
        let pool = pools[numbers.integer(in: 0..<pools.count)]
        let tied = (0..<count).map { _ in pool[numbers.integer(in: 0..<pool.count)] }
        // Scores that differ in their last bits only, so that every digit of a search counts.
        let close = plain.map { Float(bitPattern: 0x3F80_0000 | $0.bitPattern & 0xFFF) }
        let scores = [plain, tied, close]
        let visible = [count, count, count - numbers.integer(in: 0..<count)]
        let expected = try ReferenceIndexerSteps().select(scores, visible: visible, topK: topK)
        let got = try kernels.select(scores, visible: visible, topK: topK)
        // Infinity less infinity is NaN, which is not equal to itself.
        let margins = zip(got.margin, expected.margin).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
        if got.selection != expected.selection || !margins || got.margin.count != expected.margin.count {
          failures.append("the best \(topK) of \(count) candidates are others, or their margins")
        }
      }
    }
    return try failures + tiedSelections(kernels) + refusals(kernels)
  }

  /// Every row of up to 6 scores of three kinds, with every k: all the ways in which ties can lie. And rows so long that
  /// the worst selected score is searched for.
  private static func tiedSelections(_ kernels: KernelSet) throws -> [String] {
    var failures: [String] = []
    func check(_ scores: [[Float]], count: Int, topK: Int) throws {
      let visible = Array(repeating: count, count: scores.count)
      let expected = try ReferenceIndexerSteps().select(scores, visible: visible, topK: topK)
      let got = try kernels.select(scores, visible: visible, topK: topK)
      if got.selection != expected.selection || got.margin != expected.margin {
        failures.append("the best \(topK) of \(count) among ties are others, or their margins")
      }
    }
    var scores: [[Float]] = [[]]
    for count in 1...6 {
      scores = scores.flatMap { row in [0, 1, 2].map { row + [$0] } }
      for topK in 1...count { try check(scores, count: count, topK: topK) }
    }
    var numbers = RandomNumbers(seed: 14)
    let long = (0..<50).map { _ in (0..<70).map { _ in Float(numbers.integer(in: 0..<3)) } }
    for topK in 30...70 { try check(long, count: 70, topK: topK) }
    return failures
  }

  /// A NaN among the candidates is refused, in the words of the reference; one behind them is not seen.
  private static func refusals(_ kernels: KernelSet) throws -> [String] {
    var numbers = RandomNumbers(seed: 13)
    var failures: [String] = []
    for place in [0, 1, 3, 4, 15, 63, 64, 65, 100, 129] {
      var scores = [numbers.tensor([130]).elements, numbers.tensor([130]).elements]
      scores[1][place] = .nan
      let expected = InputError("indexer", "the score of candidate \(place) is NaN for token 1")
      for select in [kernels.select, ReferenceIndexerSteps().select] {
        do throws(InputError) {
          _ = try select(scores, [130, 130], 5)
          failures.append("accepted NaN at \(place)")
        } catch {
          if error != expected { failures.append("with NaN at \(place): \(error)") }
        }
      }
      do throws(InputError) {
        _ = try kernels.select(scores, visible: [130, place], topK: 5)
      } catch {
        failures.append("with NaN behind the last candidate: \(error)")
      }
    }
    return failures
  }
}
