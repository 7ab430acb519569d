/// Named counts and tensors: what a value becomes to be written to a file, and is made from again.
public struct TensorArchive<Scalar: RealScalar>: Equatable, Sendable {
  public var counts: [String: Int]
  public var tensors: [String: Tensor<Scalar>]

  /// Without arguments an empty archive, to be filled. Tensors may have any shape, `[…]`.
  public init(counts: [String: Int] = [:], tensors: [String: Tensor<Scalar>] = [:]) {
    self.counts = counts
    self.tensors = tensors
  }

  /// - Throws: `InputError` if there is no such count.
  public func count(_ name: String) throws(InputError) -> Int {
    guard let count = counts[name] else { throw InputError("archive", "there is no count \(name)") }
    return count
  }

  /// A tensor in the shape that it was put in with, `[…]`.
  ///
  /// - Throws: `InputError` if there is no such tensor.
  public func tensor(_ name: String) throws(InputError) -> Tensor<Scalar> {
    guard let tensor = tensors[name] else { throw InputError("archive", "there is no tensor \(name)") }
    return tensor
  }

  /// Adds rows and where they start.
  ///
  /// - Throws: `InputError` never in practice: a store has all of its own rows.
  public mutating func add(_ rows: RowStore<Scalar>, as name: String) throws(InputError) {
    counts["\(name)_start"] = rows.start
    tensors[name] = try rows.rows(rows.start..<rows.end)
  }

  /// The rows of that name.
  ///
  /// - Throws: `InputError` if they are missing or not `[n, width]`.
  public func rows(_ name: String, width: Int) throws(InputError) -> RowStore<Scalar> {
    let (tensor, start) = (try tensor(name), try count("\(name)_start"))
    guard tensor.rank == 2, tensor.shape[1] == width, start >= 0 else {
      throw InputError("archive", "\(name) has shape \(tensor.shape), expected [n, \(width)]")
    }
    var rows = RowStore<Scalar>(width: width, start: start)
    try rows.append(tensor)
    return rows
  }
}
