import CKernels
import Dispatch
import Foundation

/// What a machine can do at most, measured: the ceiling that times of kernels are compared with.
public struct MachineLimits: Codable, Equatable, Sendable {
  /// Multiply-adds in registers count as two floating-point operations each; per second, on one thread.
  public let fmaPerSecondOne: Double
  /// The same on all threads.
  public let fmaPerSecondAll: Double
  /// Bytes read and bytes written by a copy of memory that no cache holds; per second, on one thread.
  public let copyBytesPerSecondOne: Double
  /// The same on all threads.
  public let copyBytesPerSecondAll: Double

  /// Measures, in about a second.
  public init(_ kernels: KernelSet) {
    let all = kernels.workers.threads
    fmaPerSecondOne = Self.multiplyAdds(kernels, threads: 1)
    fmaPerSecondAll = Self.multiplyAdds(kernels, threads: all)
    let memory = CopiedMemory()
    copyBytesPerSecondOne = memory.bytesPerSecond(threads: 1)
    copyBytesPerSecondAll = memory.bytesPerSecond(threads: all)
  }

  /// The best of some runs: what disturbs a run is not the machine's limit.
  private static let runs = 7

  private static func multiplyAdds(_ kernels: KernelSet, threads: Int) -> Double {
    let repeats: Int64 = 2_000_000
    let loop = kernels.instructionSet.kernels.pointee.limits.multiply_adds
    var sink: Float = 0
    let operations = (loop?(1, &sink) ?? 0) * Double(repeats)
    let best = (0..<runs).map { _ in
      seconds {
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
          var sink: Float = 0
          _ = kernels.instructionSet.kernels.pointee.limits.multiply_adds(repeats, &sink)
        }
      }
    }.min()
    return operations * Double(threads) / (best ?? .infinity)
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

    func bytesPerSecond(threads: Int) -> Double {
      let part = Self.bytes / threads
      let best = (0..<runs).map { _ in
        seconds {
          DispatchQueue.concurrentPerform(iterations: threads) { thread in
            memcpy(self.target + thread * part, self.source + thread * part, part)
          }
        }
      }.min()
      return 2 * Double(part * threads) / (best ?? .infinity)
    }
  }
}

/// How long a body takes.
public func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  return start.duration(to: .now) / .seconds(1)
}
