import GoldenTensors
import Tensors
import Traces

/// A tensor that can be read in pieces of rows, from a file or from memory.
public struct TensorSource {
  public let shape: [Int]
  /// As it is read.
  public let elementType: ElementType
  /// As it is stored, in the words of the file.
  public let stored: String
  private let read: (Range<Int>?) throws -> StoredTensor

  /// A tensor of a file.
  ///
  /// - Throws: `GoldenError` or `CheckpointError` if there is none of that name, or it is of no kind that can be read.
  public init(_ name: String, in file: TensorFile) throws {
    let description = try file.description(of: name)
    shape = description.shape
    elementType = description.elementType
    stored = description.stored
    read = { try file.read(name, rows: $0) }
  }

  /// A tensor in memory.
  public init(_ tensor: StoredTensor) {
    shape = tensor.shape
    elementType = tensor.elementType
    stored = tensor.elementType.rawValue
    read = { rows in try rows.map { try tensor.applying(Slice(axis: 0, range: $0)) } ?? tensor }
  }

  /// A tensor that is made when it is asked for.
  ///
  /// - Parameter make: is called now, and again whenever something is read
  /// - Throws: what `make` throws.
  init(stored: String, _ make: @escaping () throws -> StoredTensor) throws {
    let tensor = try make()
    shape = tensor.shape
    elementType = tensor.elementType
    self.stored = stored
    read = { rows in
      let tensor = try make()
      return try rows.map { try tensor.applying(Slice(axis: 0, range: $0)) } ?? tensor
    }
  }

  /// All of it.
  public func whole() throws -> StoredTensor { try read(nil) }

  /// Some rows of the first axis.
  func rows(_ range: Range<Int>) throws -> StoredTensor { try read(range) }

  var isReal: Bool { elementType == .float32 || elementType == .float64 }

  /// Rows of the first axis; a scalar is one row.
  var rows: Int { shape.first ?? 1 }
  var rowLength: Int { shape.dropFirst().reduce(1, *) }

  /// Elements of a piece, at most, unless a row has more. It bounds the memory that a comparison takes.
  private static let pieceLength = 1 << 20

  /// Goes through two tensors of one shape piece by piece.
  ///
  /// - Parameter visit: gets the number of the first row of a piece, and the piece of each tensor
  static func forEachPiece(
    _ a: TensorSource, _ b: TensorSource, _ visit: (Int, StoredTensor, StoredTensor) throws -> Void
  ) throws {
    guard !a.shape.isEmpty else { return try visit(0, a.whole(), b.whole()) }
    let step = max(pieceLength / max(a.rowLength, 1), 1)
    for first in stride(from: 0, to: a.rows, by: step) {
      let rows = first..<min(first + step, a.rows)
      try visit(first, a.read(rows), b.read(rows))
    }
  }
}
