import Comparison
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Each figure by hand.
@Suite struct TensorErrorsTests {
  private func errors<A: RealScalar, B: RealScalar>(
    _ expected: Tensor<A>, _ got: Tensor<B>
  ) throws -> TensorErrors {
    try TensorErrors(expected: TensorSource(stored(expected)), got: TensorSource(stored(got)))
  }

  private func stored<Scalar: RealScalar>(_ tensor: Tensor<Scalar>) -> StoredTensor {
    Scalar.self == Float.self ? .float32(tensor.map { Float($0) }) : .float64(tensor.map { Double($0) })
  }

  @Test func figuresOfASmallTensor() throws {
    let expected = try Tensor<Double>(shape: [3, 2], elements: [3, 4, 0, -12, 0, 0])
    let got = try Tensor<Double>(shape: [3, 2], elements: [3, 4.5, 0, -11, 0, 0])
    let found = try errors(expected, got)
    #expect(found.elements == 6)
    #expect(found.misplaced == 0)
    #expect(found.largest == 1)
    #expect(found.worst == .init(index: [1, 1], expected: -12, got: -11))
    #expect(found.largestRelative == 0.125)
    #expect(found.worstRelative == .init(index: [0, 1], expected: 4, got: 4.5))
    #expect(found.scale == 12)
    #expect(abs(found.relativeRMS - (1.25 / 169).squareRoot()) < 1e-15)
    #expect(found.worstRow == 1)
    #expect(abs(found.worstRowRMS - (1.0 / 169 * 3).squareRoot()) < 1e-15)
    #expect(abs(found.cosine - (9 + 18 + 132) / (169.0 * (9 + 20.25 + 121)).squareRoot()) < 1e-15)
    #expect(!found.isIdentical)
    // Rows rotated by one: (3,4) against (0,0), (0,−12) against (3,4), (0,0) against (0,−12).
    #expect(found.rotated == 16)
  }

  @Test func theSameInAnotherTypeIsIdentical() throws {
    let expected = try Tensor<Double>(shape: [2], elements: [0.5, -3])
    let found = try errors(expected, expected.map { Float($0) })
    #expect(found.isIdentical)
    #expect(found.largest == 0)
    #expect(found.worst == nil)
    #expect(found.cosine == 1)
    #expect(
      try !errors(Tensor<Float>(shape: [1], elements: [0]), Tensor<Float>(shape: [1], elements: [-0.0])).isIdentical)
  }

  @Test func anomaliesComeFirstAndHideNothing() throws {
    let expected = try Tensor<Float>(shape: [6], elements: [1, .nan, .infinity, -.infinity, 2, 3])
    let right = try errors(expected, expected)
    #expect(right.misplaced == 0)
    let got = try Tensor<Float>(shape: [6], elements: [1.5, .nan, -.infinity, 0, .nan, 3])
    let found = try errors(expected, got)
    #expect(found.misplaced == 3)
    #expect(found.firstMisplaced?.index == [2])
    #expect(found.largest == 0.5)
    #expect(found.scale == 3)
  }

  @Test func aRelativeErrorOfZeroIsInfinite() throws {
    let found = try errors(
      Tensor<Double>(shape: [2], elements: [0, 1]), Tensor<Double>(shape: [2], elements: [1e-300, 1]))
    #expect(found.largestRelative == .infinity)
    #expect(found.worstRelative?.index == [0])
  }

  @Test func oneBadTokenCannotHide() throws {
    var generator = SeededGenerator(seed: 41)
    let expected: Tensor<Float> = try generator.normals([4096, 64])
    var got = expected
    for column in 0..<64 { got[1234, column] = 0 }
    let found = try errors(expected, got)
    #expect(found.relativeRMS < 0.02)
    #expect(found.cosine > 0.999)
    #expect(found.worstRow == 1234)
    #expect(found.worstRowRMS > 0.7)
  }

  /// More than a piece: places and rows are counted on, and the rotation goes across the border.
  @Test func piecesMakeNoDifference() throws {
    let (rows, width) = (3_000, 1_000)
    let expected = Tensor<Float>(repeating: 1, shape: [rows, width])
    var got = expected
    got[2_999, 7] = 3
    let found = try errors(expected, got)
    #expect(found.worst == .init(index: [2_999, 7], expected: 1, got: 3))
    #expect(found.worstRow == 2_999)
    #expect(found.rotated == 0)
    let ramp = try Tensor<Double>(
      shape: [rows, width], elements: (0..<rows * width).map { Double($0 / width % 1_048) })
    // 2²⁰ ÷ 1000 rows are a piece; only there does the ramp fall, by 1047.
    #expect(try errors(ramp, ramp).rotated == 1_047)
  }

  @Test func rotationOfASingleRowAndOfOneElement() throws {
    let row = try Tensor<Double>(shape: [1, 3], elements: [1, 2, 4])
    #expect(try errors(row, row).rotated == 3)
    let one = try Tensor<Double>(shape: [], elements: [7])
    let found = try errors(one, one)
    #expect(found.elements == 1)
    #expect(found.rotated == 0)
    let empty = Tensor<Double>(repeating: 0, shape: [0, 4])
    #expect(try errors(empty, empty).elements == 0)
    let wandering = try Tensor<Double>(shape: [2, 1], elements: [1, .infinity])
    #expect(try errors(wandering, wandering).rotated == .infinity)
  }
}
