import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// A file appears when it is complete, or not at all.
@Suite struct WriterTests {
  static let tensors = [TensorDescription("a", .float32, [2]), TensorDescription("b", .uint8, [3])]

  @Test func nothingIsLeftAfterAnError() throws {
    let failures: [(String?, (any TensorSink) throws -> Void)] = [
      (nil, { _ in throw Interruption() }),
      (
        nil,
        { sink in
          try sink.append([1, 2, 3], to: "b")
          throw Interruption()
        }
      ),
      ("'a' lacks 8 bytes; 'b' lacks 3 bytes", { _ in }),
      ("'a' lacks 1 bytes; 'b' lacks 3 bytes", { sink in try sink.append([1, 2, 3, 4, 5, 6, 7], to: "a") }),
      ("'b' lacks 1 bytes, got 2", { sink in for _ in 0..<2 { try sink.append([1, 2], to: "b") } }),
      ("'c' was not declared", { sink in try sink.append([], to: "c") }),
    ]
    for (problem, fill) in failures {
      try withTemporaryFolder { folder throws in
        try expectError(problem, "x.safetensors", or: nil) {
          try SafetensorsWriter.write(folder + "/x.safetensors", tensors: Self.tensors) { try fill($0) }
        }
        #expect(try members(of: folder) == [])
        for shardBytes in [1, 1_000] {
          let name = URL(fileURLWithPath: folder).lastPathComponent
          try expectError(problem, "model", or: name) {
            try CheckpointWriter.write(folder, tensors: Self.tensors, shardBytes: shardBytes) { try fill($0) }
          }
          #expect(try members(of: folder) == [])
        }
      }
    }
  }

  @Test func whatStoodThereStaysAfterAnErrorAndIsReplacedWithoutOne() throws {
    try withTemporaryFolder { folder throws in
      let path = try put(Data("old".utf8), "x.safetensors", in: folder)
      #expect(throws: Interruption.self) {
        try SafetensorsWriter.write(path, tensors: Self.tensors) { _ in throw Interruption() }
      }
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
      try SafetensorsWriter.write(path, tensors: []) { writer throws in
        #expect(try members(of: folder).count == 2)
        #expect(writer.name == "x.safetensors")
      }
      #expect(try SafetensorsFile(path).tensors == [])
      #expect(try members(of: folder) == ["x.safetensors"])
    }
  }

  @Test func aFolderThatCannotTakeAFileAtTheEndIsLeftAsItWas() throws {
    try withTemporaryFolder { folder throws in
      #expect(throws: CheckpointError.self) {
        try CheckpointWriter.write(folder, tensors: Self.tensors, shardBytes: 1) { writer in
          try writer.append(Array(repeating: 0, count: 8), to: "a")
          try writer.append([1, 2, 3], to: "b")
          // A folder with a member stands where the second file should go, so the first must be taken away again.
          try FileManager.default.createDirectory(
            atPath: folder + "/model-00002-of-00002.safetensors/x", withIntermediateDirectories: true)
        }
      }
      #expect(try members(of: folder) == ["model-00002-of-00002.safetensors"])
    }
  }

  @Test func refusesWhatMakesNoFile() throws {
    try withTemporaryFolder { folder throws in
      let cases: [([TensorDescription], String)] = [
        ([Self.tensors[0], Self.tensors[0]], "'a' occurs twice"),
        ([TensorDescription("__metadata__", .uint8, [1])], "'__metadata__' cannot be the name of a tensor"),
        ([TensorDescription("a", .uint8, [-1])], "'a' has the shape [-1], which no file can hold"),
        (
          [TensorDescription("a", .float64, [1 << 61])],
          "'a' has the shape [2305843009213693952], which no file can hold"
        ),
      ]
      for (tensors, problem) in cases {
        #expect(throws: CheckpointError("x.safetensors", problem)) {
          try SafetensorsWriter.write(folder + "/x.safetensors", tensors: tensors) { _ in }
        }
      }
      let name = URL(fileURLWithPath: folder).lastPathComponent
      #expect(throws: CheckpointError(name, "'a' occurs twice")) {
        try CheckpointWriter.write(folder, tensors: [Self.tensors[0], Self.tensors[0]], shardBytes: 1) { _ in }
      }
      #expect(try members(of: folder) == [])
      try put(rawFile("{}"), "old.safetensors", in: folder)
      #expect(
        throws: CheckpointError(name, "already holds 'old.safetensors'; a checkpoint needs a folder without one")
      ) { try CheckpointWriter.write(folder, tensors: []) { _ in } }
      #expect(throws: CheckpointError("x.safetensors", "cannot be created: No such file or directory")) {
        try SafetensorsWriter.write(folder + "/none/x.safetensors", tensors: []) { _ in }
      }
    }
  }

  /// What other readers rely on: the length in 8 bytes, JSON padded to a multiple of 8, metadata, wide elements first.
  @Test func bytesOfAFile() throws {
    try withTemporaryFolder { folder throws in
      let path = folder + "/x.safetensors"
      try SafetensorsWriter.write(path, tensors: Self.tensors.reversed()) { writer in
        try writer.append([7, 8, 9], to: "b")
        try writer.append(Tensor(shape: [2], elements: [1, -2]), to: "a", as: .float32)
      }
      let json =
        #"{"__metadata__":{"format":"pt"},"a":{"data_offsets":[0,8],"dtype":"F32","shape":[2]},"#
        + #""b":{"data_offsets":[8,11],"dtype":"U8","shape":[3]}}"#
      let padding = String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
      let expected = rawFile(json + padding, data: [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 7, 8, 9])
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == expected)
    }
  }

  private func expectError(
    _ problem: String?, _ file: String, or folder: String?, _ body: () throws -> Void
  ) throws {
    do {
      try body()
      Issue.record("no error")
    } catch is Interruption {
      #expect(problem == nil)
    } catch let error as CheckpointError {
      let expected = try #require(problem)
      // Of several files the first incomplete one is named.
      #expect(expected.hasPrefix(error.problem), "\(error)")
      #expect(error.file.hasPrefix(file) || error.file == folder, "\(error)")
    }
  }
}
