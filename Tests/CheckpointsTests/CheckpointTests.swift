import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Folders of several files.
@Suite struct CheckpointTests {
  /// Ten tensors of 40 bytes.
  static let tensors = (0..<10).map { TensorDescription("t\($0)", .float32, [5, 2]) }

  @Test func singleAndShardedHoldTheSame() throws {
    for (shardBytes, files) in [(400, 1), (399, 2), (120, 4), (80, 5), (40, 10), (1, 10)] {
      try withCheckpoint(shardBytes: shardBytes) { folder throws in
        let names = try members(of: folder)
        #expect(names.count { $0.hasSuffix(".safetensors") } == files)
        #expect(names.contains("model.safetensors.index.json") == (files > 1))
        if files == 4 { #expect(names.contains("model-00002-of-00004.safetensors")) }
        let checkpoint = try Checkpoint(folder)
        #expect(checkpoint.names == Self.tensors.map(\.name))
        for (position, tensor) in Self.tensors.enumerated() {
          #expect(try checkpoint.reals(tensor.name) == Self.values(position))
          #expect(
            try checkpoint.matrix(tensor.name, as: Double.self, rows: 1..<3).elements.first == Double(position * 10 + 2)
          )
          #expect(checkpoint.entry(tensor.name)?.tensor == tensor)
        }
        #expect(checkpoint.entry("t0")?.file == (files == 1 ? "model.safetensors" : names.first))
        #expect(checkpoint.entry("other") == nil)
        #expect(throws: CheckpointError(checkpoint.name, "there is no tensor 'other'")) {
          try checkpoint.bytes("other")
        }
      }
    }
  }

  @Test func oneFileOfAnotherName() throws {
    try withCheckpoint(shardBytes: 1_000) { folder in
      try rename(folder, "model.safetensors", to: "consolidated.safetensors")
      #expect(try Checkpoint(folder).names.count == 10)
      try put(rawFile("{}"), "second.safetensors", in: folder)
      #expect(throws: CheckpointError.self) { try Checkpoint(folder) }
      try put(rawFile("{}"), "model.safetensors", in: folder)
      #expect(try Checkpoint(folder).names == [])
    }
    try withTemporaryFolder { folder in
      let name = URL(fileURLWithPath: folder).lastPathComponent
      #expect(
        throws: CheckpointError(
          name, "needs model.safetensors.index.json, model.safetensors or exactly one .safetensors file; there is none")
      ) { try Checkpoint(folder) }
      #expect(throws: CheckpointError("none", "is not a folder that can be read")) { try Checkpoint(folder + "/none") }
    }
  }

  /// Each change of the index gives its fault.
  @Test(arguments: [
    (
      #""t3":"model-00002-of-00004.safetensors""#, #""t3":"model-00001-of-00004.safetensors""#,
      "'t3' is not in model-00001-of-00004.safetensors, where the index has it"
    ),
    (#""t3":"model-00002-of-00004.safetensors","#, "", "'t3' in model-00002-of-00004.safetensors is not in the index"),
    (
      #""t3":"#, #""u":"model-00001-of-00004.safetensors","t3":"#,
      "'u' is not in model-00001-of-00004.safetensors, where the index has it"
    ),
    (
      #""t3":"#, #""u":"model-00009-of-00004.safetensors","t3":"#,
      "model-00009-of-00004.safetensors: cannot be opened: No such file or directory"
    ),
    (
      #""t3":"#, #""u":"../model.safetensors","t3":"#,
      "'u' is in '../model.safetensors', which is not the name of a .safetensors file here"
    ),
    (
      #""t3":"#, #""u":"\/model.safetensors","t3":"#,
      "'u' is in '/model.safetensors', which is not the name of a .safetensors file here"
    ),
    (#""t3":"#, #""u":"..","t3":"#, "'u' is in '..', which is not the name of a .safetensors file here"),
    (
      #""t3":"#, #""u":"config.json","t3":"#,
      "'u' is in 'config.json', which is not the name of a .safetensors file here"
    ),
    (#""t3":"#, #""t3":"model-00002-of-00004.safetensors","t3":"#, "'t3' occurs twice"),
    (#""weight_map""#, #""weights""#, "there is no weight_map"),
    (#""t3":"#, #""t3":7,"t4":"#, "the index is damaged: expected a string at byte 170 of the JSON"),
  ])
  func faultsOfTheIndex(_ old: String, _ new: String, _ problem: String) throws {
    try withCheckpoint(shardBytes: 120) { folder in
      try edit(folder, "model.safetensors.index.json", old, new)
      let error = #expect(throws: CheckpointError.self) { try Checkpoint(folder) }
      #expect(error?.problem == problem)
    }
  }

  @Test func listsAllFaults() throws {
    try withCheckpoint(shardBytes: 120) { folder in
      try edit(folder, "model.safetensors.index.json", "00001-of", "00002-of")
      try edit(folder, "model.safetensors.index.json", #""t7":"#, #""u7":"#)
      let error = #expect(throws: CheckpointError.self) { try Checkpoint(folder) }
      #expect(
        error?.problem
          == """
          't7' in model-00003-of-00004.safetensors is not in the index; \
          't0' is not in model-00002-of-00004.safetensors, where the index has it; \
          't1' is not in model-00002-of-00004.safetensors, where the index has it; \
          't2' is not in model-00002-of-00004.safetensors, where the index has it; \
          'u7' is not in model-00003-of-00004.safetensors, where the index has it
          """)
    }
  }

  @Test func aTensorInTwoFilesIsAFault() throws {
    try withCheckpoint(shardBytes: 120) { folder in
      let second = try Data(contentsOf: URL(fileURLWithPath: folder + "/model-00002-of-00004.safetensors"))
      try put(second, "model-00001-of-00004.safetensors", in: folder)
      let error = #expect(throws: CheckpointError.self) { try Checkpoint(folder) }
      #expect(
        error?.problem.hasPrefix(
          "'t3' is in model-00001-of-00004.safetensors and in model-00002-of-00004.safetensors; ") == true)
    }
  }

  // MARK: Files to try

  private static func values(_ position: Int) throws -> Tensor<Float> {
    try Tensor(shape: [5, 2], elements: (0..<10).map { Float(position * 10 + $0) })
  }

  private func withCheckpoint(shardBytes: Int, _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try CheckpointWriter.write(folder, tensors: Self.tensors, shardBytes: shardBytes) { writer in
        for position in (0..<10).reversed() {
          try writer.append(Self.values(position), to: "t\(position)", as: .float32)
        }
      }
      try body(folder)
    }
  }

  private func rename(_ folder: String, _ old: String, to new: String) throws {
    try FileManager.default.moveItem(atPath: "\(folder)/\(old)", toPath: "\(folder)/\(new)")
  }

  private func edit(_ folder: String, _ file: String, _ old: String, _ new: String) throws {
    let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
    try #require(text.contains(old))
    try put(Data(text.replacingOccurrences(of: old, with: new).utf8), file, in: folder)
  }
}
