import DeepSeekV4
import FastKernels
import Foundation
import Tensors

/// Times benchmarks as somebody else asks for them, so that two programs can take turns on one machine.
///
/// One JSON object on each line, in and out: docs/performance.md has the messages.
public struct BenchmarkServer {
  private let kernels: KernelSet
  private let configuration: ModelConfiguration
  /// One benchmark at one size, at all the positions that it was asked for.
  private var prepared: [PreparedBenchmark] = []

  /// Widths and kernels of everything that is asked for.
  public init(_ configuration: ModelConfiguration, kernels: KernelSet) {
    self.configuration = configuration
    self.kernels = kernels
  }

  /// Answers until the input ends.
  ///
  /// - Parameters:
  ///   - read: the next line; nil at the end
  ///   - write: takes an answer, with its end of line
  /// - Throws: what writing throws.
  public mutating func run(read: () -> String?, write: (Data) throws -> Void) throws {
    func say(_ message: some Encodable) throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      try write(encoder.encode(message) + Data("\n".utf8))
    }
    try say(Ready(kernels))
    while let line = read() {
      do {
        let request: Request
        do {
          request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
        } catch {
          throw InputError("bench", "this line is no request: \(line.prefix(100))")
        }
        if request.case == "limits" {
          let runs = request.repeats ?? 7
          guard runs >= 1 else { throw InputError("bench", "repeats must be at least 1, got \(runs)") }
          try say(MachineLimits(kernels, runs: runs))
        } else {
          try say(try answer(request))
        }
      } catch {
        try say(["error": "\(error)"])
      }
    }
  }

  private mutating func answer(_ request: Request) throws -> Answer {
    let benchmark = try Benchmark.named(request.case)
    guard let size = request.tokens else { throw InputError("bench", "\(request.case) needs tokens") }
    let position = request.position ?? Benchmark.decodePosition
    let prepared = try preparedBenchmark(benchmark, size: size, position: position)
    let times = try prepared.times(repeats: request.repeats ?? 1)
    return Answer(
      case: benchmark.id, tokens: size, seconds: times.seconds, flops: times.work.flops, bytes: times.work.bytes,
      bound: times.work.bound, peakResidentBytes: peakResidentBytes())
  }

  private mutating func preparedBenchmark(
    _ benchmark: Benchmark, size: Int, position: Int
  ) throws -> PreparedBenchmark {
    if let first = prepared.first, first.id != benchmark.id || first.size != size {
      prepared = []  // before the next one is made: two may not fit
    }
    if let found = prepared.first(where: { $0.position == position }) { return found }
    if let first = prepared.first, let moved = try first.moved(to: position) {
      prepared.append(moved)
      return moved
    }
    prepared = []
    let made = try PreparedBenchmark(benchmark, configuration, kernels: kernels, size: size, position: position)
    prepared.append(made)
    return made
  }

  private struct Request: Decodable {
    let `case`: String
    let tokens, repeats, position: Int?
  }

  private struct Answer: Encodable {
    let `case`: String
    let tokens: Int
    let seconds: [Double]
    let flops, bytes: Double
    let bound: Work.Bound
    let peakResidentBytes: Int
  }

  private struct Ready: Encodable {
    let ready = true
    let version = "development"
    let instructionSet: String
    let threads: Int
    let cases: [Case]

    struct Case: Encodable {
      let id: String
      let tokens: [Int]
      let positions: [Int]?
    }

    init(_ kernels: KernelSet) {
      instructionSet = kernels.instructionSet.name
      threads = kernels.workers.threads
      cases = Benchmark.all.map { benchmark in
        Case(
          id: benchmark.id, tokens: benchmark.sizes,
          positions: benchmark.id == Benchmark.sparseDecode.id ? Benchmark.decodePositions : nil)
      }
    }
  }
}

/// The most memory that this process ever held; 0 where the system does not say.
private func peakResidentBytes() -> Int {
  guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
    let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
    let kibibytes = line.split(separator: " ").compactMap({ Int($0) }).first
  else { return 0 }
  return kibibytes * 1024
}
