import Checkpoints
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

/// HDF5 and safetensors through one door.
@Suite struct TensorFileTests {
  private static let tensors: [String: StoredTensor] = [
    "x": .float32(Tensor(repeating: 0.5, shape: [3, 2])), "y": .float64(Tensor(repeating: -1, shape: [2])),
    "ids": .int64(Tensor(repeating: 7, shape: [4])), "narrow": .int32(Tensor(repeating: -7, shape: [1])),
    "codes": .uint8(Tensor(repeating: 255, shape: [2])), "mask": .bool(Tensor(repeating: true, shape: [2])),
  ]

  @Test(arguments: ["hdf5", "safetensors"])
  func bothKindsHoldTheSame(kind: String) throws {
    try withTemporaryFolder { folder in
      // The name of the file says nothing about what it is.
      let path = folder + "/file"
      if kind == "hdf5" {
        try HDF5Writer.write(path) { file in
          try file.group("a")
          try file.group("a/b")
          for (name, tensor) in Self.tensors { try file.write(tensor, at: "a/b/\(name)") }
          try file.set("producer", .text("me"))
          try file.set("start", .integer(3), of: "a/b")
        }
      } else {
        let named = Dictionary(uniqueKeysWithValues: Self.tensors.map { ("a/b/\($0)", $1) })
        try SafetensorsWriter.write(
          path, named, metadata: ["producer": "me", "a/b/start": "3", "note": String(repeating: "x", count: 9_999)])
      }
      let file = try TensorFile(path)
      #expect(file.names == Self.tensors.keys.map { "a/b/\($0)" }.sorted())
      #expect(file.groups == ["a", "a/b"])
      for (name, tensor) in Self.tensors {
        #expect(try file.read("a/b/\(name)") == tensor, "\(name)")
        let description = try file.description(of: "a/b/\(name)")
        #expect(description.shape == tensor.shape)
        #expect(description.elementType == tensor.elementType)
      }
      #expect(try file.read("a/b/x", rows: 1..<3) == .float32(Tensor(repeating: 0.5, shape: [2, 2])))
      #expect(try file.attributes(["producer", "other"]) == ["producer": .text("me")])
      let start = try file.attributes(["start"], of: "a/b")["start"]
      #expect(start == (kind == "hdf5" ? .integer(3) : .text("3")))
      #expect(throws: (any Error).self) { try file.read("a/b/z") }
      #expect(throws: (any Error).self) { try file.read("a/b/x", rows: 2..<4) }
      #expect(throws: (any Error).self) { try file.description(of: "a/b") }
    }
  }

  @Test func narrowRealsAreWidened() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      let tensors: [TensorDescription] = [
        .init("b", .bfloat16, [2]), .init("f", .float16, [2]), .init("q", .float8E4M3, [1]),
      ]
      try SafetensorsWriter.write(path, tensors: tensors) { file in
        try file.append([0x80, 0x3F, 0x80, 0x7F], to: "b")
        try file.append([0x00, 0xBC, 0x01, 0x00], to: "f")
        try file.append([0x38], to: "q")
      }
      let file = try TensorFile(path, name: "file")
      #expect(try file.read("b") == .float32(Tensor(shape: [2], elements: [1, .infinity])))
      #expect(try file.read("f") == .float32(Tensor(shape: [2], elements: [-1, 0x1p-24])))
      let description = try file.description(of: "b")
      #expect(description.elementType == .float32)
      #expect(description.stored == "bfloat16")
      #expect(throws: GoldenError("file", "q is stored as F8_E4M3, which is not read here")) { try file.read("q") }
    }
  }

  @Test func whatIsNeitherIsRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      for bytes in [Data(), Data("{}".utf8), Data("any text of more than nine bytes".utf8), Data([0x89, 0x48])] {
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(throws: GoldenError("f", "is neither an HDF5 nor a safetensors file")) {
          try TensorFile(path, name: "f")
        }
      }
      #expect(throws: GoldenError("f", "is not a file that can be read")) { try TensorFile(folder, name: "f") }
      #expect(throws: GoldenError("f", "there is no such file")) { try TensorFile(folder + "/none", name: "f") }
    }
  }

  @Test func metadataIsReadStrictlyWhereItIsAskedFor() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      let header = #"{"__metadata__": {"a": "1", "b": "2", "a": "3"}}"#
      var data = Data()
      withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
      try (data + Data(header.utf8)).write(to: URL(fileURLWithPath: path))
      let file = try TensorFile(path, name: "file")
      #expect(try file.attributes(["b", "c"]) == ["b": .text("2")])
      #expect(throws: CheckpointError("file", "__metadata__ has the key 'a' twice")) { try file.attributes(["a"]) }
    }
  }

  @Test(arguments: ["hdf5", "safetensors"])
  func truncationsNeverCrash(kind: String) throws {
    var generator = SeededGenerator(seed: 31)
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      if kind == "hdf5" {
        try HDF5Writer.write(path) { file in
          for (name, tensor) in Self.tensors { try file.write(tensor, at: name) }
        }
      } else {
        try SafetensorsWriter.write(path, Self.tensors, metadata: [:])
      }
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for _ in 0..<100 {
        let length = Int.random(in: 0..<whole.count, using: &generator)
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        #expect(throws: (any Error).self, "\(length) bytes") {
          let file = try TensorFile(path)
          for name in file.names { _ = try file.read(name) }
        }
      }
    }
  }
}
