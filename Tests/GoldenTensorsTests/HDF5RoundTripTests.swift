import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

@Suite struct HDF5RoundTripTests {
  @Test func everyElementTypeComesBackAsItWas() throws {
    var generator = SeededGenerator(seed: 21)
    let large: Tensor<Float> = try generator.normals([7, 11, 13])
    let tensors: [String: StoredTensor] = [
      "large": .float32(large),
      "float32": .float32(
        try Tensor(shape: [4], elements: [0, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude])),
      "infinite": .float64(try Tensor(shape: [2], elements: [.infinity, -.infinity])),
      "int32": .int32(try Tensor(shape: [2], elements: [.min, .max])),
      "int64": .int64(try Tensor(shape: [1, 2], elements: [.min, .max])),
      "uint8": .uint8(try Tensor(shape: [3], elements: [0, 128, 255])),
      "bool": .bool(try Tensor(shape: [2, 2], elements: [true, false, false, true])),
      "scalar": .float64(try Tensor(shape: [], elements: [.pi])),
      "empty": .float32(try Tensor(shape: [0, 3], elements: [])),
    ]
    try withTemporaryFolder { folder in
      let path = folder + "/all.h5"
      try HDF5Writer.write(path) { writer in
        try writer.group("inputs")
        for (name, tensor) in tensors { try writer.write(tensor, at: "inputs/\(name)") }
      }
      let reader = try HDF5Reader(path)
      #expect(try reader.members(of: "inputs") == tensors.keys.sorted())
      #expect(try reader.members(of: "weights") == nil)
      for (name, tensor) in tensors { #expect(try reader.tensor(at: "inputs/\(name)") == tensor, "\(name)") }
    }
  }

  @Test(arguments: [true, false])
  func rowsAreReadWithoutTheOthers(compresses: Bool) throws {
    var generator = SeededGenerator(seed: 24)
    let whole: Tensor<Double> = try generator.normals([9, 5, 7])
    try withTemporaryFolder { folder in
      let path = folder + "/rows.h5"
      try HDF5Writer.write(path, compresses: compresses) { writer in
        try writer.group("a")
        try writer.group("a/b")
        try writer.write(.float64(whole), at: "a/b/x")
        try writer.write(.int64(Tensor(shape: [], elements: [1])), at: "scalar")
      }
      let reader = try HDF5Reader(path, name: "rows.h5")
      for rows in [0..<9, 0..<1, 3..<7, 8..<9, 4..<4] {
        let part = try Tensor(
          shape: [rows.count, 5, 7], elements: Array(whole.elements[rows.lowerBound * 35..<rows.upperBound * 35]))
        #expect(try reader.tensor(at: "a/b/x", rows: rows) == .float64(part), "\(rows)")
      }
      for (name, rows) in [("a/b/x", 8..<10), ("a/b/x", -1..<1), ("scalar", 0..<0)] {
        #expect(throws: GoldenError.self, "\(name) \(rows)") { try reader.tensor(at: name, rows: rows) }
      }
      let contents = try reader.contents()
      #expect(contents.datasets == ["a/b/x", "scalar"])
      #expect(contents.groups == ["a", "a/b"])
      let description = try reader.description(of: "a/b/x")
      #expect(description == ([9, 5, 7], .float64))
    }
  }

  @Test func nanKeepsItsBits() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/nan.h5"
      let nan = Float(bitPattern: 0x7FC0_1234)
      try HDF5Writer.write(path) { try $0.write(.float32(Tensor(shape: [2], elements: [nan, 1])), at: "x") }
      guard case .float32(let back) = try HDF5Reader(path).tensor(at: "x") else {
        Issue.record("x is not float32")
        return
      }
      #expect(back[0].bitPattern == nan.bitPattern)
    }
  }

  @Test func attributesComeBack() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/attributes.h5"
      try HDF5Writer.write(path) { writer in
        try writer.group("parameters")
        try writer.set("iterations", .integer(20), of: "parameters")
        try writer.set("epsilon", .real(1e-6), of: "parameters")
        try writer.set("case", .text("tiny/x/y"))
        try writer.set("empty", .text(""))
      }
      let reader = try HDF5Reader(path)
      #expect(try reader.attributes(of: "parameters") == ["iterations": .integer(20), "epsilon": .real(1e-6)])
      #expect(try reader.attributes(of: "/") == ["case": .text("tiny/x/y"), "empty": .text("")])
    }
  }

  @Test func theSameContentIsTheSameFile() throws {
    try withTemporaryFolder { folder in
      let files = try ["a", "b"].map { name in
        let path = "\(folder)/\(name).h5"
        try HDF5Writer.write(path) { writer in
          try writer.group("expected")
          try writer.write(.float64(Tensor(repeating: 1.5, shape: [40, 40])), at: "expected/x")
          try writer.set("scale", .real(1.5), of: "expected/x")
        }
        return try Data(contentsOf: URL(fileURLWithPath: path))
      }
      #expect(files[0] == files[1])
    }
  }

  @Test func aWriterThatFailsLeavesNothingBehind() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/half.h5"
      #expect(throws: GoldenError.self) {
        try HDF5Writer.write(path) { writer in
          try writer.write(.uint8(Tensor(shape: [1], elements: [1])), at: "x")
          try writer.set("description", .text("naïve"))
        }
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func sha256IsTheStandardOne() {
    // The examples of FIPS 180-2.
    #expect(sha256(Data()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(sha256(Data("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}
