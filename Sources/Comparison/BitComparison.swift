import GoldenTensors
import Tensors

/// The first place where two tensors of one type and shape have other bits.
public struct BitDifference: Codable, Equatable, Sendable {
  public let index: [Int]
  /// In hexadecimal, as many digits as the elements have.
  public let expected: String
  public let got: String
  /// How many elements differ.
  public let count: Int

  /// Nil if no bit differs.
  ///
  /// - Throws: what reading throws.
  /// - Precondition: both are of one type and shape.
  init?(expected: TensorSource, got: TensorSource) throws {
    precondition(expected.elementType == got.elementType && expected.shape == got.shape)
    var found: (offset: Int, expected: String, got: String)?
    var count = 0
    try TensorSource.forEachPiece(expected, got) { first, x, y in
      let before = first * expected.rowLength
      func compare<Element, Bits: FixedWidthInteger>(
        _ x: Tensor<Element>, _ y: Tensor<Element>, _ bits: (Element) -> Bits
      ) {
        for offset in 0..<x.count where bits(x.elements[offset]) != bits(y.elements[offset]) {
          count += 1
          guard found == nil else { continue }
          found = (before + offset, hexadecimal(bits(x.elements[offset])), hexadecimal(bits(y.elements[offset])))
        }
      }
      switch (x, y) {
      case (.float32(let x), .float32(let y)): compare(x, y) { $0.bitPattern }
      case (.float64(let x), .float64(let y)): compare(x, y) { $0.bitPattern }
      case (.int32(let x), .int32(let y)): compare(x, y) { $0 }
      case (.int64(let x), .int64(let y)): compare(x, y) { $0 }
      case (.uint8(let x), .uint8(let y)): compare(x, y) { $0 }
      case (.bool(let x), .bool(let y)): compare(x, y) { UInt8($0 ? 1 : 0) }
      default: preconditionFailure("a source gives its own type")
      }
    }
    guard let found else { return nil }
    var rest = found.offset
    var index = expected.shape
    for axis in index.indices.reversed() {
      (rest, index[axis]) = rest.quotientAndRemainder(dividingBy: expected.shape[axis])
    }
    (self.index, self.expected, self.got, self.count) = (index, found.expected, found.got, count)
  }
}

private func hexadecimal(_ bits: some FixedWidthInteger) -> String {
  let digits = String(UInt64(truncatingIfNeeded: bits), radix: 16, uppercase: true)
  let width = bits.bitWidth / 4
  return "0x" + String(repeating: "0", count: max(width - digits.count, 0)) + digits.suffix(width)
}
