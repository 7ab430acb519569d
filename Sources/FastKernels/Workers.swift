import CKernels
import Foundation
import Tensors

/// The threads that kernels are spread over.
///
/// Work is cut along axes that no kernel sums over, so the number of threads changes nothing but the time.
public struct Workers: Equatable, Sendable {
  public let threads: Int

  /// - Parameter threads: at least 1; nil for all cores
  /// - Throws: `InputError` for less than 1.
  public init(threads: Int? = nil) throws(InputError) {
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    guard threads >= 1 else { throw InputError("threads", "there must be at least 1, got \(threads)") }
    self.threads = threads
  }

  /// The calling thread alone.
  static let one = Workers(count: 1)

  private init(count: Int) { threads = count }

  /// Calls a body for ranges that together are `0..<count`, each of them once, on all threads.
  ///
  /// - Parameters:
  ///   - count: of the items
  ///   - multiple: ranges begin at multiples of this
  ///   - least: shorter ranges than this are not worth while, unless a thread would have none
  ///   - work: what an item costs, in floating-point operations or so: little work stays on one thread
  ///   - backwards: whether the last range comes first
  ///   - body: is called from several threads at once
  func forRanges(
    of count: Int, multipleOf multiple: Int = 1, atLeast least: Int = 1, work: Int = .max,
    backwards: Bool = false, _ body: @Sendable (Range<Int>) -> Void
  ) {
    let units = (count + multiple - 1) / multiple
    let total = work.multipliedReportingOverflow(by: max(count, 1))
    let worthwhile = total.overflow ? Int.max : total.partialValue / Self.workOfOneThread
    let threads = min(threads, units, worthwhile)
    guard threads > 1 else {
      if count > 0 { body(0..<count) }
      return
    }
    let pieces = min(units, max(threads, min(threads * Self.piecesOfAThread, count / max(least, 1))))
    let next = Counter()
    Self.run(onThreads: threads) {
      while let taken = next.take(below: pieces) {
        let piece = backwards ? pieces - 1 - taken : taken
        let first = units * piece / pieces * multiple
        body(first..<min(units * (piece + 1) / pieces * multiple, count))
      }
    }
  }

  /// Calls a body on up to so many threads at the same time, at least once.
  static func run(onThreads threads: Int, _ body: @Sendable () -> Void) {
    withoutActuallyEscaping(body) { body in
      let work = Work(body)
      withExtendedLifetime(work) {
        v4_run(
          Int64(threads),
          { context in
            if let context { Unmanaged<Work>.fromOpaque(context).takeUnretainedValue().body() }
          }, Unmanaged.passUnretained(work).toOpaque())
      }
    }
  }

  /// A body as an object, for C to hand on.
  private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// The same for items one by one.
  func forEach(of count: Int, work: Int = .max, _ body: @Sendable (Int) -> Void) {
    forRanges(of: count, work: work) { range in
      for item in range { body(item) }
    }
  }

  /// Pieces are taken as threads come free; a few for each even out what the system does beside.
  private static let piecesOfAThread = 8
  /// Less than this is done before a second thread has woken up.
  private static let workOfOneThread = 50_000
}

/// A number that threads count up together.
private final class Counter: @unchecked Sendable {
  private let value = UnsafeMutablePointer<Int64>.allocate(capacity: 1)

  init() { value.initialize(to: 0) }
  deinit { value.deallocate() }

  func take(below end: Int) -> Int? {
    let taken = Int(v4_take(value, 1))
    return taken < end ? taken : nil
  }
}
