import Benchmarks
import DeepSeekV4
import FastKernels
import Foundation
import Testing

/// What somebody else asks for is timed, and what cannot be timed is said.
@Suite struct BenchmarkServerTests {
  private static let configuration = ModelConfiguration.tiny.with {
    $0.maximumPositions = 1_050_000
    $0.experts = 8
  }

  @Test func aTokenIsDecodedAfterSeveralNumbersOfTokens() throws {
    let answers = try answers(to: [2000, 4000, 2000].map { decode(at: $0) })
    #expect(answers.count == 3)
    #expect(answers.allSatisfy { ($0["seconds"] as? [Double])?.count == 2 })
    let work = answers.map { $0["flops"] as? Double ?? .nan }
    #expect(work[0] > 0 && work[1] > work[0] && work[2] == work[0])
  }

  @Test(arguments: [
    (#"{"case": "csa-decode", "tokens": 1, "position": 1040001}"#, "position 1040001 leaves no room before 1050000"),
    (#"{"case": "csa-decode", "tokens": 1, "position": -1}"#, "position -1 leaves no room"),
    (#"{"case": "router", "tokens": 0}"#, "tokens must be at least 1, got 0"),
    (#"{"case": "router"}"#, "router needs tokens"),
    (#"{"case": "router", "tokens": 1, "repeats": 0}"#, "repeats must be at least 1, got 0"),
    (#"{"case": "limits", "repeats": 0}"#, "repeats must be at least 1, got 0"),
    (#"{"case": "nothing", "tokens": 1}"#, "there is no case 'nothing'"),
    ("nothing", "this line is no request: nothing"),
  ]) func whatCannotBeTimedIsSaid(_ request: String, _ sentence: String) throws {
    let answers = try answers(to: [decode(at: 2000), request, decode(at: 2000)])
    #expect((answers[1]["error"] as? String)?.contains(sentence) == true, "\(answers[1])")
    #expect(answers[2]["seconds"] != nil)
  }

  @Test func weightsAreSharedBetweenPositionsOnly() throws {
    let kernels = try KernelSet()
    let decode = try PreparedBenchmark(
      Benchmark.named("csa-decode"), Self.configuration, kernels: kernels, size: 1, position: 100)
    let moved = try #require(try decode.moved(to: 300))
    #expect(moved.position == 300)
    #expect(moved.id == decode.id)
    #expect(try moved.times(repeats: 3).seconds.count == 3)
    let router = try PreparedBenchmark(
      Benchmark.named("router"), Self.configuration, kernels: kernels, size: 1, position: 100)
    #expect(try router.moved(to: 300) == nil)
  }

  private func decode(at position: Int) -> String {
    #"{"case": "csa-decode", "tokens": 1, "repeats": 2, "position": \#(position)}"#
  }

  /// Without the line that says what is offered.
  private func answers(to requests: [String]) throws -> [[String: Any]] {
    var server = BenchmarkServer(Self.configuration, kernels: try KernelSet())
    var (waiting, written) = (requests[...], [[String: Any]]())
    try server.run(
      read: { waiting.popFirst() },
      write: { written.append(try #require(try JSONSerialization.jsonObject(with: $0) as? [String: Any])) })
    #expect(written.first?["ready"] as? Bool == true)
    return Array(written.dropFirst())
  }
}
