import CHDF5
import Foundation

/// The ground that reader and writer share: one lock, HDF5's own words for an error, identifiers that close themselves.
enum HDF5 {
  /// Debian's HDF5 is built thread-safe, others may not be: every call into the library happens inside this lock.
  private static let lock = NSRecursiveLock()

  static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    chdf5_silence_errors()
    return try body()
  }

  /// The error for a call that just failed, ending in HDF5's innermost message.
  static func failure(_ file: String, _ problem: String) -> GoldenError {
    guard let text = chdf5_innermost_error() else { return GoldenError(file, problem) }
    return GoldenError(file, "\(problem) (HDF5: \(String(cString: text)))")
  }
}

/// An open HDF5 identifier; closed when the last reference goes.
final class Identifier {
  let id: hid_t
  private let close: (hid_t) -> herr_t

  /// - Throws: `GoldenError` with HDF5's message if the call that made `id` failed.
  init(_ id: hid_t, close: @escaping (hid_t) -> herr_t, _ file: String, _ problem: @autoclosure () -> String) throws {
    guard id >= 0 else { throw HDF5.failure(file, problem()) }
    self.id = id
    self.close = close
  }

  deinit {
    HDF5.locked { _ = close(id) }
  }
}
