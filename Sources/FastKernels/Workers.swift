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
    let pieces = Self.pieces(of: units, threads: threads, atLeast: (least + multiple - 1) / multiple)
    let next = Counter()
    Self.run(onThreads: threads) {
      while let taken = next.take(below: pieces.count) {
        let piece = pieces[taken]
        let units = backwards ? units - piece.upperBound..<units - piece.lowerBound : piece
        body(units.lowerBound * multiple..<min(units.upperBound * multiple, count))
      }
    }
  }

  /// Cuts units into pieces that get smaller, so that threads end at nearly the same time; where there are few, into equal
  /// ones, as many for each thread.
  ///
  /// - Parameter least: units of a piece, unless a thread would have none
  static func pieces(of units: Int, threads: Int, atLeast least: Int) -> [Range<Int>] {
    let equal = max(units / max(least, 1) / threads, 1) * threads
    let smallest = max(least, units / (smallPiecesOfAThread * threads), 1)
    var pieces: [Range<Int>] = []
    var first = 0
    while first < units {
      let share =
        equal < 4 * threads
        ? (units + equal - 1) / equal : max(smallest, (units - first) / (partsOfWhatIsLeft * threads))
      pieces.append(first..<min(first + share, units))
      first += share
    }
    return pieces
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

  /// What a thread takes of the work that is left, as one part of so many for each thread.
  private static let partsOfWhatIsLeft = 3
  /// The last pieces even out what the system does beside.
  private static let smallPiecesOfAThread = 16
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
