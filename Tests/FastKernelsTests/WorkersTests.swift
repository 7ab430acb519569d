import Dispatch
import Foundation
import Testing

@testable import FastKernels

/// Work is cut into ranges, and every item of it is done once, whoever does it.
@Suite struct WorkersTests {
  @Test(arguments: [1, 2, 3, 5, 16, 40]) func everyItemComesOnce(threads: Int) throws {
    let workers = try Workers(threads: threads)
    for count in [0, 1, 2, 7, 31, 32, 33, 1000] {
      for (multiple, least) in [(1, 1), (4, 1), (32, 1), (1, 100), (32, 256)] {
        for backwards in [false, true] {
          let tally = Tally(count)
          workers.forRanges(of: count, multipleOf: multiple, atLeast: least, backwards: backwards) { range in
            tally.add(range, isWellCut: range.lowerBound % multiple == 0 && !range.isEmpty)
          }
          #expect(tally.isOne, "\(count) items, ranges at multiples of \(multiple), of \(least) or more")
        }
      }
    }
  }

  /// The crew works for one caller at a time; the others, and calls from within, work alone.
  @Test func severalCallersAtOnce() throws {
    let workers = try Workers(threads: 3)
    let tallies = (0..<8).map { _ in Tally(500) }
    DispatchQueue.concurrentPerform(iterations: 8) { caller in
      for first in stride(from: 0, to: 500, by: 100) {
        workers.forEach(of: 10) { part in
          workers.forEach(of: 10) { item in
            let index = first + 10 * part + item
            tallies[caller].add(index..<index + 1)
          }
        }
      }
    }
    let areDone = tallies.allSatisfy { $0.isOne }
    #expect(areDone)
  }

  /// Two items that wait for each other are both begun: there are two threads. Other tests may hold the crew for a while.
  @Test func threadsWorkAtTheSameTime() throws {
    let workers = try Workers(threads: 2)
    let end = Date(timeIntervalSinceNow: 600)
    var met = false
    while !met, Date() < end {
      let begun = Tally(2)
      let together = Tally(1)
      workers.forEach(of: 2) { item in
        begun.add(item..<item + 1)
        let deadline = Date(timeIntervalSinceNow: 0.2)
        while !begun.isOne, Date() < deadline { usleep(100) }
        if begun.isOne, item == 0 { together.add(0..<1) }
      }
      met = together.isOne
    }
    #expect(met)
  }
}

/// How often each item came.
private final class Tally: @unchecked Sendable {
  private let lock = NSLock()
  private var counts: [Int]
  private var isWellCut = true

  init(_ count: Int) { counts = Array(repeating: 0, count: count) }

  func add(_ range: Range<Int>, isWellCut: Bool = true) {
    lock.withLock {
      for item in range { counts[item] += 1 }
      self.isWellCut = self.isWellCut && isWellCut
    }
  }

  /// Every item once, in ranges that are cut well.
  var isOne: Bool { lock.withLock { isWellCut && counts.allSatisfy { $0 == 1 } } }
}
