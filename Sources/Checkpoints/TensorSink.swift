import Tensors

/// Something that tensors are written to, each in pieces of any size, its bytes in order.
public protocol TensorSink {
  /// What errors call it.
  var name: String { get }

  /// Adds bytes to a tensor that was declared.
  ///
  /// - Throws: `CheckpointError` if there is no such tensor, if it would hold more bytes than declared, or if they cannot
  ///   be written.
  func append(_ bytes: [UInt8], to tensor: String) throws(CheckpointError)
}

extension TensorSink {
  /// Adds values, or some rows of a matrix, to a tensor declared by `MatrixEncoding.tensors`, and to its scales.
  ///
  /// - Parameters:
  ///   - values: `[R, C]` or `[C]`; a multiple of 128 rows for FP8, unless they are the last
  ///   - tensor: the name of what was declared
  ///   - encoding: what it was declared for
  /// - Throws: `CheckpointError` if they cannot be encoded or written.
  public func append(
    _ values: Tensor<Float>, to tensor: String, as encoding: MatrixEncoding
  ) throws(CheckpointError) {
    let parts = try explaining(tensor, in: name) { () throws(InputError) in
      try encoding.bytes(of: values, tensor)
    }
    for part in parts { try append(part.bytes, to: part.tensor) }
  }

  /// Adds integers to a tensor declared as I64.
  ///
  /// - Throws: `CheckpointError` if they cannot be written.
  public func append(_ values: Tensor<Int>, to tensor: String) throws(CheckpointError) {
    try append(littleEndian(values.elements) { Int64($0) }, to: tensor)
  }
}
