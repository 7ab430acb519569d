import GoldenTensors
import Tensors

/// How far a tensor of reals is from the expected one: NaN and infinity first, then the finite elements.
///
/// Made piece by piece, so that tensors need not fit in memory.
public struct TensorErrors: Codable, Equatable, Sendable {
  /// An element, and what it is on both sides.
  public struct Place: Codable, Equatable, Sendable {
    /// One position for each axis.
    public let index: [Int]
    public let expected: Double
    public let got: Double

    /// An index with one position for each axis, and both values there.
    public init(index: [Int], expected: Double, got: Double) {
      (self.index, self.expected, self.got) = (index, expected, got)
    }
  }

  public private(set) var elements = 0
  /// Elements with NaN or infinity on one side and something else on the other, and the first of them.
  public private(set) var misplaced = 0
  public private(set) var firstMisplaced: Place?
  /// The largest |got − expected|, and where; nil where no finite element differs.
  public private(set) var largest = 0.0
  public private(set) var worst: Place?
  /// The largest |got − expected| ÷ |expected|, and where; infinite where something else than 0 stands for 0.
  public private(set) var largestRelative = 0.0
  public private(set) var worstRelative: Place?
  /// The largest finite |expected|.
  public private(set) var scale = 0.0
  /// √(Σ error²) ÷ √(Σ expected²): the RMS error relative to the RMS.
  public private(set) var relativeRMS = 0.0
  /// The row of the first axis with the largest RMS error, and that relative to the RMS of the whole tensor: one bad
  /// token cannot hide among many good ones.
  public private(set) var worstRow = 0
  public private(set) var worstRowRMS = 0.0
  /// Of the angle between both; for information only, since nearly everything has a cosine near 1.
  public private(set) var cosine = 1.0
  /// Whether all values are the same, the signs of zeros included.
  public private(set) var isIdentical = true
  /// How far the expected tensor is from itself with its rows rotated by one (of a single row: its elements): what a
  /// comparison with a wrong token would give. Absolute and relative as above; infinite if NaN or infinity moves.
  public private(set) var rotated = 0.0
  public private(set) var rotatedRelative = 0.0

  /// - Throws: what reading throws.
  /// - Precondition: both are reals, of one shape.
  public init(expected: TensorSource, got: TensorSource) throws {
    precondition(expected.isReal && got.isReal && expected.shape == got.shape)
    var sums = Sums(shape: expected.shape, rows: expected.rows, rowLength: expected.rowLength)
    elements = expected.rows * expected.rowLength
    guard elements > 0 else { return }
    try TensorSource.forEachPiece(expected, got) { first, expected, got in
      switch (expected, got) {
      case (.float32(let x), .float32(let y)): add(x, y, first, &sums)
      case (.float32(let x), .float64(let y)): add(x, y, first, &sums)
      case (.float64(let x), .float32(let y)): add(x, y, first, &sums)
      case (.float64(let x), .float64(let y)): add(x, y, first, &sums)
      default: preconditionFailure("a source of reals gives reals")
      }
    }
    finish(sums)
  }

  /// Sums over the rows so far.
  private struct Sums {
    let shape: [Int]
    let rows: Int
    let rowLength: Int
    var squaredErrors = 0.0
    var squaredExpected = 0.0
    var squaredGot = 0.0
    var product = 0.0
    var worstRow = 0.0
    /// Of the expected tensor: its first row and the last one of the piece before, in Double.
    var firstRow: [Double] = []
    var lastRow: [Double] = []

    func index(row: Int, offset: Int) -> [Int] {
      var rest = row * rowLength + offset
      var index = shape
      for axis in shape.indices.reversed() { (rest, index[axis]) = rest.quotientAndRemainder(dividingBy: shape[axis]) }
      return index
    }
  }

  private mutating func add<A: RealScalar, B: RealScalar>(
    _ expected: Tensor<A>, _ got: Tensor<B>, _ first: Int, _ sums: inout Sums
  ) {
    let width = sums.rowLength
    expected.elements.withUnsafeBufferPointer { expected in
      got.elements.withUnsafeBufferPointer { got in
        for row in 0..<expected.count / width {
          let range = row * width..<(row + 1) * width
          let (x, y) = (UnsafeBufferPointer(rebasing: expected[range]), UnsafeBufferPointer(rebasing: got[range]))
          note(RowSums(expected: x, got: y), row: first + row, &sums) { (Double(x[$0]), Double(y[$0])) }
          guard row > 0 else { continue }
          rotate(
            largestDifference(x, UnsafeBufferPointer(rebasing: expected[range.lowerBound - width..<range.lowerBound])))
        }
        let (head, tail) = (expected.prefix(width).map { Double($0) }, expected.suffix(width).map { Double($0) })
        if first == 0 { sums.firstRow = head } else { rotate(difference(head, sums.lastRow)) }
        sums.lastRow = tail
      }
    }
  }

  private mutating func note(
    _ row: RowSums, row number: Int, _ sums: inout Sums, values: (Int) -> (Double, Double)
  ) {
    func place(_ offset: Int) -> Place {
      let (expected, got) = values(offset)
      return Place(index: sums.index(row: number, offset: offset), expected: expected, got: got)
    }
    if misplaced == 0, row.misplaced > 0 { firstMisplaced = place(row.firstMisplaced) }
    misplaced += row.misplaced
    if row.largest > largest { (largest, worst) = (row.largest, place(row.largestOffset)) }
    if row.largestRelative > largestRelative {
      (largestRelative, worstRelative) = (row.largestRelative, place(row.largestRelativeOffset))
    }
    if row.squaredErrors > sums.worstRow { (sums.worstRow, worstRow) = (row.squaredErrors, number) }
    sums.squaredErrors += row.squaredErrors
    sums.squaredExpected += row.squaredExpected
    sums.squaredGot += row.squaredGot
    sums.product += row.product
    scale = max(scale, row.scale)
    if row.differs { isIdentical = false }
  }

  private mutating func rotate(_ difference: (absolute: Double, relative: Double)) {
    rotated = max(rotated, difference.absolute)
    rotatedRelative = max(rotatedRelative, difference.relative)
  }

  private func difference(_ row: [Double], _ other: [Double]) -> (absolute: Double, relative: Double) {
    row.withUnsafeBufferPointer { row in other.withUnsafeBufferPointer { largestDifference(row, $0) } }
  }

  private mutating func finish(_ sums: Sums) {
    if sums.rows > 1 {
      rotate(difference(sums.firstRow, sums.lastRow))
    } else {
      rotate(difference(sums.firstRow, Array(sums.firstRow.suffix(1) + sums.firstRow.dropLast())))
    }
    func relative(_ squares: Double, of all: Double) -> Double { squares == 0 ? 0 : (squares / all).squareRoot() }
    relativeRMS = relative(sums.squaredErrors, of: sums.squaredExpected)
    worstRowRMS = relative(sums.worstRow * Double(sums.rows), of: sums.squaredExpected)
    let lengths = (sums.squaredExpected * sums.squaredGot).squareRoot()
    cosine = lengths > 0 ? sums.product / lengths : sums.squaredExpected == sums.squaredGot ? 1 : 0
  }
}
