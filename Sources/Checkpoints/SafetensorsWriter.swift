import Foundation
import Tensors

/// Writes a safetensors file in pieces, so that its tensors need not fit in memory.
///
/// All tensors are declared first; then their bytes may come in any order of tensors. The file appears under its name
/// only when all of them are there; until then it has a temporary name beside it.
public final class SafetensorsWriter: TensorSink {
  public let name: String
  private let path: String
  private let temporary: String
  private let descriptor: Int32
  /// Where the next byte of each tensor goes, and where the tensor ends, in bytes from the start of the file.
  private var rest: [String: Range<Int>] = [:]

  /// Writes a file.
  ///
  /// - Parameters:
  ///   - path: where it should stand; what stood there is replaced
  ///   - tensors: everything that it will hold
  ///   - metadata: transformers wants to see the format
  ///   - fill: writes all bytes of all tensors
  /// - Throws: `CheckpointError` if the tensors make no valid file, or a tensor lacks bytes, or something cannot be
  ///   written; and what `fill` throws. The path is then as it was, and nothing else is left behind.
  public static func write(
    _ path: String, tensors: [TensorDescription], metadata: [String: String] = ["format": "pt"],
    _ fill: (SafetensorsWriter) throws -> Void
  ) throws {
    let writer = try SafetensorsWriter(path, tensors: tensors, metadata: metadata)
    defer { writer.discard() }
    try fill(writer)
    try writer.requireComplete()
    try writer.putInPlace()
  }

  /// Creates the temporary file and writes the header.
  init(_ path: String, tensors: [TensorDescription], metadata: [String: String]) throws(CheckpointError) {
    let name = URL(fileURLWithPath: path).lastPathComponent
    let header = try SafetensorsLayout(tensors, metadata: metadata, file: name)
    self.name = name
    self.path = path
    self.temporary = "\(path).\(UUID().uuidString).tmp"
    self.descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError(name, "cannot be created: \(systemError())") }
    self.rest = header.ranges
    do throws(CheckpointError) {
      try write(header.bytes, at: 0)
    } catch {
      discard()
      throw error
    }
  }

  deinit { close(descriptor) }

  public func append(_ bytes: [UInt8], to tensor: String) throws(CheckpointError) {
    guard let range = rest[tensor] else { throw CheckpointError(name, "\(quoted(tensor)) was not declared") }
    guard bytes.count <= range.count else {
      throw CheckpointError(name, "\(quoted(tensor)) lacks \(range.count) bytes, got \(bytes.count)")
    }
    try write(bytes, at: range.lowerBound)
    rest[tensor] = range.lowerBound + bytes.count..<range.upperBound
  }

  /// - Throws: `CheckpointError` if bytes are missing, with all tensors that lack some.
  func requireComplete() throws(CheckpointError) {
    var faults = Faults()
    for (tensor, range) in rest.sorted(by: { $0.key < $1.key }) where !range.isEmpty {
      faults.add("\(quoted(tensor)) lacks \(range.count) bytes")
    }
    try faults.throwIfAny(in: name)
  }

  /// Gives the file its name.
  func putInPlace() throws(CheckpointError) {
    guard rename(temporary, path) == 0 else {
      throw CheckpointError(name, "cannot be put in place: \(systemError())")
    }
  }

  /// Removes the temporary file, if it is still there.
  func discard() { unlink(temporary) }

  /// Removes the file that was put in place.
  func remove() { unlink(path) }

  private func write(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(descriptor, buffer.baseAddress! + written, buffer.count - written, off_t(offset + written))
      }
      guard count > 0 || (count < 0 && errno == EINTR) else {
        throw CheckpointError(name, "cannot be written: \(systemError())")
      }
      written += max(count, 0)
    }
  }
}
