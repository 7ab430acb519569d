import Tensors
import TestSupport
import Testing

@Suite struct TensorTests {
  @Test func refusesElementsThatDoNotFillTheShape() {
    #expect(throws: InputError("tensor", "shape [2, 3] holds 6 elements, got 5")) {
      try Tensor(shape: [2, 3], elements: [1.0, 2, 3, 4, 5])
    }
    #expect(throws: InputError("tensor", "[-1, 2] is not a shape")) {
      try Tensor<Double>(shape: [-1, 2], elements: [])
    }
    #expect(elementCount(of: [Int.max, 2]) == nil)
  }

  @Test func indexesRowMajor() throws {
    let cube = try Tensor(shape: [2, 3, 4], elements: Array(0..<24))
    #expect(cube[1, 2, 3] == 23)
    #expect(cube[0, 1, 0] == 4)
    #expect(cube.index(ofOffset: 23) == [1, 2, 3])
    #expect(try cube.slice(1).shape == [3, 4])
    #expect(try cube.slice(1)[0, 0] == 12)
    #expect(try cube.lastAxis(1..<3).slice(0).elements == [1, 2, 5, 6, 9, 10])
    #expect(try cube.transposed()[1, 3, 2] == 23)
  }

  @Test func broadcastsLikeNumPy() throws {
    let matrix = try Tensor(shape: [2, 3], elements: [1.0, 2, 3, 4, 5, 6])
    let row = try Tensor(shape: [3], elements: [10.0, 20, 30])
    let column = try Tensor(shape: [2, 1], elements: [100.0, 200])
    #expect(try (matrix + row).elements == [11, 22, 33, 14, 25, 36])
    #expect(try (matrix * column).elements == [100, 200, 300, 800, 1000, 1200])
    #expect(try (column - row).shape == [2, 3])
    #expect(throws: InputError("quotient", "shapes [2, 3] and [2] do not fit each other")) {
      try matrix / Tensor(shape: [2], elements: [1.0, 2])
    }
  }

  @Test func reducesRowsAndColumns() throws {
    let cube = try Tensor(shape: [2, 2, 3], elements: (1...12).map(Double.init))
    #expect(try cube.sum(over: .rows).elements == [6, 15, 24, 33])
    #expect(try cube.sum(over: .columns).elements == [5, 7, 9, 17, 19, 21])
    #expect(try cube.sum(over: .columns).shape == [2, 1, 3])
    #expect(try cube.maximum(over: .rows).elements == [3, 6, 9, 12])
    let withNaN = try Tensor(shape: [1, 3], elements: [1, Double.nan, 2])
    #expect(try withNaN.maximum(over: .rows)[0, 0].isNaN)
  }

  @Test func softmaxRowsSumToOneAtAnyMagnitude() throws {
    var generator = SeededGenerator(seed: 1)
    let logits: Tensor<Float> = try generator.normals([20, 7], scale: 100)
    let sums = try logits.softmax().sum(over: .rows)
    #expect(sums.elements.allSatisfy { abs($0 - 1) < 1e-6 })
  }

  @Test(arguments: [1, 15, 16, 17, 100]) func linearAgreesWithANaiveSum(width: Int) throws {
    var generator = SeededGenerator(seed: UInt64(width))
    let x: Tensor<Double> = try generator.normals([3, width])
    let weight: Tensor<Double> = try generator.normals([5, width])
    let result = try linear(x, weight)
    #expect(result.shape == [3, 5])
    for row in 0..<3 {
      for output in 0..<5 {
        let naive = (0..<width).reduce(0.0) { $0 + x[row, $1] * weight[output, $1] }
        #expect(abs(result[row, output] - naive) < 1e-12)
      }
    }
  }

  @Test func aRowOfAProductDoesNotDependOnItsNeighbours() throws {
    var generator = SeededGenerator(seed: 2)
    let x: Tensor<Float> = try generator.normals([9, 50])
    let weight: Tensor<Float> = try generator.normals([11, 50])
    let whole = try linear(x, weight)
    for row in 0..<9 {
      #expect(try linear(x.slice(row), weight).elements == whole.slice(row).elements)
    }
  }

  @Test func matrixProductAgreesWithANaiveSum() throws {
    var generator = SeededGenerator(seed: 3)
    let a: Tensor<Double> = try generator.normals([2, 3, 4])
    let b: Tensor<Double> = try generator.normals([2, 4, 5])
    let c = try matrixProduct(a, b)
    #expect(c.shape == [2, 3, 5])
    let naive = (0..<4).reduce(0.0) { $0 + a[1, 2, $1] * b[1, $1, 3] }
    #expect(abs(c[1, 2, 3] - naive) < 1e-14)
    #expect(throws: InputError("matrixProduct", "shapes [2, 3, 4] and [2, 3, 4] do not fit each other")) {
      try matrixProduct(a, a)
    }
  }

  @Test func checksNameOperationAndBothShapes() throws {
    let tensor = try Tensor(shape: [2, 2], elements: [1, 2, Float.nan, 4])
    #expect(throws: InputError("site", "base has shape [2, 2], expected [4]")) {
      try tensor.requireShape([4], "base", in: "site")
    }
    #expect(throws: InputError("site", "base holds nan at [1, 0]")) { try tensor.requireFinite("base", in: "site") }
    #expect(throws: InputError("router", "needs at least one token")) {
      try Tensor<Float>(shape: [0, 3], elements: []).requireAxes(["T", "d"], "hidden", in: "router")
    }
    #expect(throws: InputError("sinkhorn", "epsilon must be finite and not negative, got nan")) {
      try requireEpsilon(Float.nan, in: "sinkhorn")
    }
  }

  @Test func sigmoidDoesNotOverflow() {
    #expect(sigmoid(Float(-200)) == 0)
    #expect(sigmoid(Float(200)) == 1)
    #expect(sigmoid(0.0) == 0.5)
    #expect(abs(sigmoid(-30.0) / 9.357622968839299e-14 - 1) < 1e-14)
  }

  @Test func rowsAreReplacedWhereTheyBelong() throws {
    var tensor = try Tensor(shape: [3, 2], elements: [0, 1, 2, 3, 4, 5])
    try tensor.replaceRows(at: [2, 0], with: Tensor(shape: [2, 2], elements: [6, 7, 8, 9]))
    #expect(try tensor == Tensor(shape: [3, 2], elements: [8, 9, 2, 3, 6, 7]))
    let before = tensor
    #expect(throws: InputError("replace", "position 3 is outside the first axis of shape [3, 2]")) {
      try tensor.replaceRows(at: [0, 3], with: Tensor(shape: [2, 2], elements: [1, 1, 1, 1]))
    }
    #expect(throws: InputError.self) {
      try tensor.replaceRows(at: [0], with: Tensor(shape: [1, 3], elements: [1, 1, 1]))
    }
    #expect(tensor == before)
  }
}
