import CKernels
import Foundation

/// What a machine can do at most, measured: the ceiling that times of kernels are compared with.
public struct MachineLimits: Codable, Equatable, Sendable {
  /// Multiply-adds in registers count as two floating-point operations each; per second, on one thread.
  public let fmaPerSecondOne: Double
  /// The same on all threads.
  public let fmaPerSecondAll: Double
  /// Bytes read and bytes written by `memcpy` of memory that no cache holds; per second, on one thread.
  public let copyBytesPerSecondOne: Double
  /// The same on all threads.
  public let copyBytesPerSecondAll: Double
  /// The same on all threads by a loop that stores past the caches, so that nothing is read but what is copied.
  public let streamedCopyBytesPerSecondAll: Double

  /// Measures, in about a second with seven runs.
  ///
  /// - Parameters:
  ///   - kernels: whose instruction set and threads
  ///   - runs: the best one counts: what disturbs a run is not the machine's limit; at least 1
  public init(_ kernels: KernelSet, runs: Int = 7) {
    fmaPerSecondOne = Self.multiplyAdds(kernels, on: .one, runs: runs)
    fmaPerSecondAll = Self.multiplyAdds(kernels, on: kernels.workers, runs: runs)
    let memory = CopiedMemory()
    copyBytesPerSecondOne = memory.bytesPerSecond(on: .one, runs: runs) { memcpy($0, $1, $2) }
    copyBytesPerSecondAll = memory.bytesPerSecond(on: kernels.workers, runs: runs) { memcpy($0, $1, $2) }
    streamedCopyBytesPerSecondAll = memory.bytesPerSecond(on: kernels.workers, runs: runs) { target, source, bytes in
      let floats = bytes / MemoryLayout<Float>.size
      kernels.kernels.limits.copy_past_caches(
        source.assumingMemoryBound(to: Float.self), Int64(floats), target.assumingMemoryBound(to: Float.self))
    }
  }

  private static func multiplyAdds(_ kernels: KernelSet, on workers: Workers, runs: Int) -> Double {
    let repeats: Int64 = 100_000
    let rounds = 20 * workers.threads
    var sink: Float = 0
    let operations = kernels.kernels.limits.multiply_adds(1, &sink) * Double(repeats)
    let best = (0..<runs).map { _ in
      seconds {
        workers.forEach(of: rounds) { _ in
          var sink: Float = 0
          _ = kernels.kernels.limits.multiply_adds(repeats, &sink)
        }
      }
    }.min()
    return operations * Double(rounds) / (best ?? .infinity)
  }

  /// Two pieces of memory, larger than any cache.
  private final class CopiedMemory: @unchecked Sendable {
    private static let bytes = 256 << 20
    private let source = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
    private let target = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)

    init() {
      v4_expect_large(source, Int64(Self.bytes))
      v4_expect_large(target, Int64(Self.bytes))
      memset(source, 1, Self.bytes)
      memset(target, 2, Self.bytes)
    }

    deinit {
      source.deallocate()
      target.deallocate()
    }

    func bytesPerSecond(
      on workers: Workers, runs: Int,
      copy: @Sendable (UnsafeMutableRawPointer, UnsafeRawPointer, _ bytes: Int) -> Void
    ) -> Double {
      let best = (0..<runs).map { _ in
        seconds {
          workers.forRanges(of: Self.bytes, multipleOf: 1 << 21) { range in
            copy(self.target + range.lowerBound, self.source + range.lowerBound, range.count)
          }
        }
      }.min()
      return 2 * Double(Self.bytes) / (best ?? .infinity)
    }
  }
}

/// How long a body takes.
public func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  return start.duration(to: .now) / .seconds(1)
}
