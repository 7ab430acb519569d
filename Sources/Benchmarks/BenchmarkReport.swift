import DeepSeekV4
import FastKernels
import Tensors

/// What `v4-oracle bench` measured.
public struct BenchmarkReport: Codable, Sendable {
  public let instructionSet: String
  public let threads: Int
  public let limits: MachineLimits
  public let rows: [Row]

  /// One benchmark at one size and the widths of one model.
  public struct Row: Codable, Sendable {
    /// `flash` or `pro`.
    public let preset: String
    public let title: String
    public let times: BenchmarkTimes
    /// Which part of the machine's limit the median reaches.
    public let shareOfLimit: Double
    /// The slow path, at a size that it can do in a few seconds.
    public let slowPath: BenchmarkTimes
    /// How many times as fast as the slow path, work for work.
    public let timesSlowPath: Double
  }

  /// Measures.
  ///
  /// - Parameters:
  ///   - benchmarks: what is timed, at least one
  ///   - presets: names and widths
  ///   - kernels: instruction set and threads
  ///   - sizes: only these; nil for those of each benchmark
  ///   - repeats: of each, at least 1
  ///   - progress: hears what comes next
  /// - Throws: `InputError` if nothing is left to measure, and what a benchmark throws.
  public init(
    _ benchmarks: [Benchmark], presets: [(name: String, configuration: ModelConfiguration)], kernels: KernelSet,
    sizes: [Int]?, repeats: Int, progress: (_ done: Int, _ of: Int, _ next: String) -> Void
  ) throws {
    let work = presets.flatMap { preset in
      benchmarks.flatMap { benchmark in
        benchmark.sizes.filter { sizes?.contains($0) ?? true }.map { (preset, benchmark, $0) }
      }
    }
    guard !work.isEmpty else { throw InputError("bench", "no case has one of the sizes \(sizes ?? [])") }
    let limits = MachineLimits(kernels)
    var rows: [Row] = []
    for (done, (preset, benchmark, size)) in work.enumerated() {
      progress(done, work.count, "\(preset.name) \(benchmark.id) at \(size)")
      let fast = try PreparedBenchmark(benchmark, preset.configuration, kernels: kernels, size: size)
      _ = try fast.times(repeats: 1)  // everything is touched once
      let times = try fast.times(repeats: repeats)
      let slow = try Self.slowPath(benchmark, preset.configuration, size: size, work: times.work)
      rows.append(
        Row(
          preset: preset.name, title: benchmark.title, times: times,
          shareOfLimit: times.share(of: limits, threads: kernels.workers.threads), slowPath: slow,
          timesSlowPath: slow.median / slow.work.amount * times.work.amount / times.median))
    }
    instructionSet = kernels.instructionSet.name
    threads = kernels.workers.threads
    self.limits = limits
    self.rows = rows
  }

  /// One run of the slow path, at fewer tokens where the whole would take minutes.
  private static func slowPath(
    _ benchmark: Benchmark, _ configuration: ModelConfiguration, size: Int, work: Work
  ) throws -> BenchmarkTimes {
    let affordable = Int(Double(size) * slowPathOperations / max(work.flops, 1))
    let slowSize = max(1, min(size, affordable))
    return try PreparedBenchmark(benchmark, configuration, kernels: nil, size: slowSize).times(repeats: 1)
  }

  /// About two seconds of the slow path.
  private static let slowPathOperations = 2e10
}

extension Work {
  /// What two runs of different sizes are compared by.
  fileprivate var amount: Double { flops }
}
