#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file in memory without having been read: the system fetches a page when it is first looked at.
///
/// A file must not be made shorter while it is mapped. Looking at a page that is no longer there ends the process with a
/// bus error (SIGBUS), which no check here can prevent.
final class MappedFile: @unchecked Sendable {
  // Sendable, because the memory is never written and lives as long as this object.
  fileprivate let start: UnsafeRawPointer?
  /// What errors call it.
  let name: String
  /// Its size in bytes.
  let count: Int

  /// - Throws: `CheckpointError` if there is no such file, or it is no plain file, or may not be read.
  init(_ path: String, name: String) throws(CheckpointError) {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CheckpointError(name, "cannot be opened: \(systemError())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(name, "is not a plain file")
    }
    self.name = name
    self.count = Int(status.st_size)
    guard count > 0 else {
      self.start = nil
      return
    }
    let memory = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let memory, memory != MAP_FAILED else {
      throw CheckpointError(name, "cannot be mapped into memory: \(systemError())")
    }
    self.start = UnsafeRawPointer(memory)
  }

  deinit {
    if let start { munmap(UnsafeMutableRawPointer(mutating: start), count) }
  }

  /// Lends the bytes of a range.
  ///
  /// - Precondition: the range is inside the file.
  func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is outside the file")
    return try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(start: start, count: count)[range]))
  }
}

extension MappedFile {
  /// Says that a range will not be looked at again soon, so that its pages count no longer as memory of this process.
  /// Looking at it all the same fetches them again.
  func forget(_ range: Range<Int>) {
    let page = Int(getpagesize())
    let first = range.lowerBound / page * page
    guard let start, !range.isEmpty else { return }
    madvise(UnsafeMutableRawPointer(mutating: start + first), range.upperBound - first, MADV_DONTNEED)
  }
}

/// The reason why the last system call failed, in words.
func systemError() -> String { String(cString: strerror(errno)) }
