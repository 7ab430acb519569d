import DeepSeekV4
import FastKernels
import Tensors

/// A kernel, or a part of a model made of kernels, that can be timed.
public struct Benchmark: Sendable {
  /// As in `--case`: `csa-core`.
  public let id: String
  /// For people.
  public let title: String
  /// What is counted by `size`: `tokens` or `matrices`.
  public let unit: String
  /// The sizes that it is timed at.
  public let sizes: [Int]
  /// Makes weights and inputs, so that only the work itself is timed afterwards.
  let prepare: @Sendable (Setting) throws -> Preparation

  init(
    _ id: String, _ title: String, unit: String = "tokens", sizes: [Int] = Benchmark.tokens,
    prepare: @escaping @Sendable (Setting) throws -> Preparation
  ) {
    self.id = id
    self.title = title
    self.unit = unit
    self.sizes = sizes
    self.prepare = prepare
  }

  static let tokens = [1, 128, 512, 2048]

  /// What a benchmark is prepared for.
  struct Setting: Sendable {
    /// The widths; its layers are one of each kind.
    let configuration: ModelConfiguration
    /// Nil for the slow path.
    let kernels: KernelSet?
    let size: Int
    /// Tokens before the decoded one.
    let position: Int

    var steps: StepSet { kernels.map(StepSet.fast) ?? StepSet() }
  }

  /// What is timed, and how much work it is.
  struct Preparation {
    let work: Work
    /// Makes the same with the same weights after another number of tokens, where one is decoded.
    var moved: ((_ position: Int) throws -> Preparation)?
    let run: () throws -> Void
  }
}

/// How much work a run is, counted from shapes.
public struct Work: Codable, Equatable, Sendable {
  /// Floating-point operations of matrix products and of Sinkhorn; a multiply-add counts as two.
  public let flops: Double
  /// What has to be read and written at least: inputs, weights and outputs.
  public let bytes: Double
  public let bound: Bound

  /// Which limit of the machine a kernel is compared with.
  public enum Bound: String, Codable, Sendable { case compute, memory }

  init(flops: Double, bytes: Double, bound: Bound = .compute) {
    self.flops = flops
    self.bytes = bytes
    self.bound = bound
  }
}

/// Times of one benchmark at one size.
public struct BenchmarkTimes: Codable, Equatable, Sendable {
  public let id, unit: String
  public let size: Int
  /// Of each run.
  public let seconds: [Double]
  public let work: Work

  /// Of the runs.
  public var median: Double { seconds.sorted()[seconds.count / 2] }

  /// Which part of the machine's limit the median reaches.
  public func share(of limits: MachineLimits, threads: Int) -> Double {
    switch work.bound {
    case .compute:
      work.flops / median / (threads == 1 ? limits.fmaPerSecondOne : limits.fmaPerSecondAll)
    case .memory:
      work.bytes / median / (threads == 1 ? limits.copyBytesPerSecondOne : limits.copyBytesPerSecondAll)
    }
  }
}

/// A benchmark with everything in memory, to be run again and again.
public final class PreparedBenchmark {
  public let id: String
  public let size: Int
  public let position: Int
  private let unit: String
  /// Positions are below this.
  private let end: Int
  private let preparation: Benchmark.Preparation

  /// - Parameters:
  ///   - benchmark: what is timed
  ///   - configuration: the widths
  ///   - kernels: nil for the slow path
  ///   - size: in the unit of the benchmark, at least 1
  ///   - position: tokens before the decoded one, where one is decoded
  /// - Throws: `InputError` for a size below 1, and what making weights throws.
  public init(
    _ benchmark: Benchmark, _ configuration: ModelConfiguration, kernels: KernelSet?, size: Int,
    position: Int = Benchmark.decodePosition
  ) throws {
    guard size >= 1 else { throw InputError("bench", "\(benchmark.unit) must be at least 1, got \(size)") }
    let end = configuration.maximumPositions - Benchmark.decodeRoom
    try Self.requirePosition(position, below: end)
    id = benchmark.id
    unit = benchmark.unit
    self.size = size
    self.position = position
    self.end = end
    preparation = try benchmark.prepare(
      .init(configuration: configuration, kernels: kernels, size: size, position: position))
  }

  private init(_ other: PreparedBenchmark, at position: Int, _ preparation: Benchmark.Preparation) {
    (id, unit, size, end) = (other.id, other.unit, other.size, other.end)
    self.position = position
    self.preparation = preparation
  }

  /// The same after another number of tokens, with weights that both share.
  ///
  /// - Returns: nil where nothing is decoded
  /// - Throws: `InputError` for a position that leaves no room.
  public func moved(to position: Int) throws -> PreparedBenchmark? {
    try Self.requirePosition(position, below: end)
    return try preparation.moved.map { PreparedBenchmark(self, at: position, try $0(position)) }
  }

  private static func requirePosition(_ position: Int, below end: Int) throws(InputError) {
    guard (0..<end).contains(position) else {
      throw InputError("bench", "position \(position) leaves no room before \(end + Benchmark.decodeRoom)")
    }
  }

  /// How much work a run is.
  public var work: Work { preparation.work }

  /// Runs it some times.
  ///
  /// - Parameter repeats: at least 1
  /// - Throws: `InputError` for less, and what the work throws.
  public func times(repeats: Int) throws -> BenchmarkTimes {
    guard repeats >= 1 else { throw InputError("bench", "repeats must be at least 1, got \(repeats)") }
    let seconds = try (0..<repeats).map { _ in try FastKernels.seconds(preparation.run) }
    return BenchmarkTimes(id: id, unit: unit, size: size, seconds: seconds, work: work)
  }
}
