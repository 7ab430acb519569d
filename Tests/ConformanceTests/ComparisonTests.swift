import GoldenTensors
import Tensors
import Testing

@testable import Conformance

@Suite struct ComparisonTests {
  private func compare(
    _ got: [Double], _ expected: [Double], _ judge: Judge = .absolute, tolerance: Double? = 0.1
  ) throws -> TensorComparison {
    TensorComparison.compare(
      "x", got: .reals(try Tensor(shape: [got.count], elements: got)),
      expected: .float64(try Tensor(shape: [expected.count], elements: expected)), judge: judge, tolerance: tolerance)
  }

  @Test func theToleranceIsTheLimit() throws {
    let inside = try compare([1, 2.05], [1, 2])
    #expect(inside.passed)
    #expect(abs(inside.multiple.value - 0.5) < 1e-12)
    let outside = try compare([1, 2.5, 3.2], [1, 2, 3])
    #expect(!outside.passed)
    #expect(outside.mismatch?.index == [1])
    #expect(abs(outside.multiple.value - 5) < 1e-12)
  }

  @Test func nanAndInfinityPositionsComeFirst() throws {
    #expect(try compare([.nan, 1], [.nan, 1]).passed)
    #expect(try compare([.infinity, 1], [.infinity, 1]).passed)
    for got in [[.nan, 1], [0.0, .infinity], [-.infinity, 1]] as [[Double]] {
      let comparison = try compare(got, got[0] == 0 ? [0, -.infinity] : [.infinity, 1])
      #expect(!comparison.passed)
      #expect(comparison.multiple.value.isNaN)
      #expect(comparison.error == nil)
    }
    #expect(try compare([1, 1], [.nan, 1]).mismatch?.index == [0])
  }

  @Test func relativeErrorsCountEachElementByItsOwnSize() throws {
    #expect(try compare([1e-20, 1], [1.05e-20, 1], .relative).passed)
    #expect(try !compare([1e-20, 1], [2e-20, 1], .relative).passed)
    #expect(try !compare([1e-20, 1], [0, 1], .relative).passed)
    #expect(try compare([0, 1], [0, 1], .relative).passed)
  }

  @Test func exactMeansExact() throws {
    #expect(try compare([1, 2], [1, 2], .exact, tolerance: nil).passed)
    let comparison = try compare([1, 2.0.nextUp], [1, 2], .exact, tolerance: nil)
    #expect(!comparison.passed)
    #expect(comparison.multiple.value == .infinity)
    #expect(try compare([0], [0], .absolute, tolerance: 0).passed)
    #expect(try !compare([1e-300], [0], .absolute, tolerance: 0).passed)
  }

  @Test func shapeAndTypeAreComparedBeforeValues() throws {
    #expect(try compare([1, 2, 3], [1, 2]).mismatch?.problem == "it has shape [3], expected [2]")
    let integers = try Tensor(shape: [1], elements: [1])
    let comparison = TensorComparison.compare(
      "x", got: .integers(integers), expected: .float64(try Tensor(shape: [1], elements: [1])), judge: .absolute,
      tolerance: 1)
    #expect(comparison.mismatch?.problem == "it should hold float64, and does not")
  }
}
