import Comparison
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Logits by themselves.
@Suite struct LogitsTests {
  private func calls(_ first: [Double], _ second: [Double]) throws -> Tensors {
    [
      "calls/0000/token_ids": try .integers([2], [1, 2]), "calls/0000/logits": try .reals([2, 3], first),
      "calls/0001/token_ids": try .integers([1], [3]), "calls/0001/logits": try .reals([1, 3], second),
    ]
  }

  @Test func divergenceByHand() throws {
    let report = try compare(
      calls([0, log(3), 0, 1, 0, -1], [0, 0, 2]), calls([0, 0, 0, 1, 0, -1], [0, 3, 2]), class: .tf32)
    let logits = try #require(report.logits)
    // p = (1, 3, 1) ÷ 5 against (1, 1, 1) ÷ 3.
    let first = 0.4 * log(0.2 * 3) + 0.6 * log(0.6 * 3)
    func normalizer(_ row: [Double]) -> Double { log(row.reduce(0) { $0 + exp($1) }) }
    let (p, q) = (normalizer([0, 0, 2]), normalizer([0, 3, 2]))
    let third = zip([0.0, 0, 2], [0.0, 3, 2]).reduce(0) { $0 + exp($1.0 - p) * (($1.0 - p) - ($1.1 - q)) }
    #expect(logits.positions == 3)
    #expect(abs(logits.meanKL - (first + third) / 3) < 1e-15)
    #expect(abs(logits.worstKL - max(first, third)) < 1e-15)
    #expect(logits.worstPosition == 2)
    #expect(logits.agreements == 1)
    let divergence = try #require(logits.firstDivergence)
    #expect(divergence.position == 0)
    #expect(divergence.expectedToken == 1)
    #expect(divergence.candidateToken == 0)
    #expect(divergence.margin == log(3))
    // 2 × 290 · 2⁻¹¹ × 2 = 0.57, and the margin is 1.0986.
    #expect(!divergence.isWithinTolerance)
    #expect(!report.passed)
  }

  @Test func aMarginThatThePrecisionCannotTell() throws {
    let report = try compare(
      calls([4, 3.99995, 0, 1, 0, -1], [0, 0, 2]), calls([3.99995, 4, 0, 1, 0, -1], [0, 0, 2]), class: .fp32)
    let divergence = try #require(report.logits?.firstDivergence)
    #expect(divergence.isWithinTolerance)
    #expect(report.passed)
  }

  @Test func onlyIfNothingElseIsCommonOrAskedFor() throws {
    var run = try calls([0, 1, 0, 1, 0, -1], [0, 0, 2])
    #expect(try compare(run, run).logits != nil)
    run["calls/0000/hidden"] = try .reals([2, 1], [1, -1])
    #expect(try compare(run, run).logits == nil)
    var logits = run
    logits["calls/0000/hidden"] = nil
    #expect(try !compare(run, logits).passed)
    let report = try compare(run, logits) { $0.isLogitsOnly = true }
    #expect(report.passed)
    #expect(report.logits?.positions == 3)
    logits["calls/0001/logits"] = nil
    #expect(try compare(run, logits) { $0.isLogitsOnly = true }.missing == ["calls/0001/logits"])
  }

  @Test func aNaNMakesTheWorstOne() throws {
    let report = try compare(
      calls([0, 1, 0, 1, 0, -1], [0, 0, 2]), calls([0, .nan, 0, 1, 0, -1], [0, 0, 2]))
    #expect(report.logits?.worstKL.isNaN == true)
    #expect(report.logits?.worstPosition == 0)
    #expect(!report.passed)
  }
}
