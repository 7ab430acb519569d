import Dispatch
import Foundation

/// The results of a function on each element, in order, computed on all cores.
///
/// Each result depends on its own element alone, so the number of cores changes nothing but the time.
public func concurrentMap<Element: Sendable, Result: Sendable>(
  _ elements: [Element], _ transform: @Sendable (Element) -> Result
) -> [Result] {
  let results = ResultBox<Result>(count: elements.count)
  DispatchQueue.concurrentPerform(iterations: elements.count) { index in
    results.set(transform(elements[index]), at: index)
  }
  return results.all
}

/// Results as they come in, behind a lock.
private final class ResultBox<Result: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var results: [Result?]

  init(count: Int) { results = Array(repeating: nil, count: count) }

  func set(_ result: Result, at index: Int) {
    lock.lock()
    defer { lock.unlock() }
    results[index] = result
  }

  var all: [Result] {
    lock.lock()
    defer { lock.unlock() }
    return results.compactMap { $0 }
  }
}
