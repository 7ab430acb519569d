import Checkpoints
import DeepSeekV4
import Foundation
import Tensors
import TestSupport
import Testing

struct CheckpointWeightsTests {
  @Test func aSynthesizedCheckpointGivesTheModelOfItsGenerator() throws {
    try withTemporaryFolder { folder in
      let configuration = ModelConfiguration.tinyDeployed
      let path = URL(fileURLWithPath: folder + "/checkpoint")
      try CheckpointSynthesis(configuration, seed: 3).write(to: path) { _, _ in }
      let reading = try ModelConfiguration.read(Data(contentsOf: path.appendingPathComponent("config.json")))
      #expect(reading.configuration == configuration)
      #expect(reading.warnings == [])
      let weights = try CheckpointWeights(NamedCheckpoint(Checkpoint(path.path)), configuration: configuration)
      #expect(weights.predicts)
      let generated = GeneratedWeights(seed: 3, configuration: configuration, rounded: true)
      for weight in configuration.inventory {
        if case .int64 = weight.storage {
          let stored = try weights.integers(weight.name, shape: weight.shape)
          let made = try generated.integers(weight.name, shape: weight.shape)
          #expect(stored == made)
        } else {
          let stored: Tensor<Float> = try weights.reals(weight.name, weight.shape)
          let made: Tensor<Float> = try generated.reals(weight.name, weight.shape)
          #expect(stored == made, "\(weight.name)")
        }
      }
    }
  }

  @Test func everyFaultOfTheInventoryIsListed() throws {
    try withTemporaryFolder { folder in
      let path = URL(fileURLWithPath: folder + "/checkpoint")
      try CheckpointSynthesis(.tiny, seed: 3).write(to: path) { _, _ in }
      let checkpoint = try NamedCheckpoint(Checkpoint(path.path))
      let other = ModelConfiguration.tiny.with {
        $0.width = 20
        $0.hashLayers = 1
      }
      let error = #expect(throws: CheckpointError.self) {
        try CheckpointWeights(checkpoint, configuration: other)
      }
      let sentence = try #require(error).description
      #expect(sentence.contains("embed.weight has shape [48, 16], expected [48, 20]"))
      let right = ModelConfiguration.tiny.inventory
      let wrong = zip(right, other.inventory).filter { $0.name == $1.name && $0.shape != $1.shape }
      #expect(wrong.count > 100)
      for (weight, _) in wrong { #expect(sentence.contains("\(weight.name) has shape"), "\(weight.name)") }
      let hash = ModelConfiguration.tiny.with { $0.hashLayers = 1 }
      let both = #expect(throws: CheckpointError.self) { try CheckpointWeights(checkpoint, configuration: hash) }
      #expect(
        try #require(both).description.hasSuffix(
          ": layers.1.ffn.gate.bias is missing; layers.1.ffn.gate.tid2eid is no tensor of this model"))
    }
  }

  /// Scales that are missing, of another shape or type, or where there should be none.
  @Test(arguments: [
    ("layers.0.attn.wq_a.scale", nil, "layers.0.attn.wq_a.weight is F8_E4M3, but has no scales"),
    (
      "layers.0.attn.wq_a.scale", TensorDescription("layers.0.attn.wq_a.scale", .float8E8M0, [1, 2]),
      "layers.0.attn.wq_a.scale has shape [1, 2], expected [1, 1]"
    ),
    (
      "layers.1.ffn.experts.2.w1.scale", TensorDescription("layers.1.ffn.experts.2.w1.scale", .int32, [128, 4]),
      "layers.1.ffn.experts.2.w1.scale is I32, expected F8_E8M0 or reals"
    ),
  ])
  func scalesAreCheckedBeforeAnythingIsRead(name: String, changed: TensorDescription?, fault: String) throws {
    try withTemporaryFolder { folder in
      let configuration = ModelConfiguration.tinyDeployed
      try CheckpointSynthesis(configuration, seed: 3).write(to: URL(fileURLWithPath: folder + "/made")) { _, _ in }
      let made = try Checkpoint(folder + "/made")
      try FileManager.default.createDirectory(atPath: folder + "/changed", withIntermediateDirectories: true)
      let tensors = made.names.compactMap { $0 == name ? changed : made.entry($0)?.tensor }
      try CheckpointWriter.write(folder + "/changed", tensors: tensors) { writer in
        for tensor in tensors {
          let bytes = tensor.shape.reduce(1, *) * tensor.type.size
          try writer.append([UInt8](repeating: 0, count: bytes), to: tensor.name)
        }
      }
      let checkpoint = try NamedCheckpoint(Checkpoint(folder + "/changed"))
      let error = #expect(throws: CheckpointError.self) {
        try CheckpointWeights(checkpoint, configuration: configuration)
      }
      #expect(try #require(error).problem == fault)
    }
  }

  @Test func aModuleOfALaterReleaseIsLeftOut() throws {
    try withTemporaryFolder { folder in
      try CheckpointSynthesis(.tiny, seed: 3).write(to: URL(fileURLWithPath: folder + "/made")) { _, _ in }
      let made = try Checkpoint(folder + "/made")
      try FileManager.default.createDirectory(atPath: folder + "/dspark", withIntermediateDirectories: true)
      let backbone = made.names.compactMap { made.entry($0)?.tensor }.filter { !$0.name.hasPrefix("mtp.") }
      let module = ["mtp.0.main_proj.weight", "dspark.markov.weight"].map { TensorDescription($0, .float32, [2]) }
      try CheckpointWriter.write(folder + "/dspark", tensors: backbone + module) { writer in
        for tensor in backbone + module {
          let bytes = tensor.shape.reduce(1, *) * tensor.type.size
          try writer.append([UInt8](repeating: 0, count: bytes), to: tensor.name)
        }
      }
      let configuration = ModelConfiguration.tiny.with { $0.multiTokenPredictionLayers = 0 }
      let checkpoint = try Checkpoint(folder + "/dspark")
      #expect(throws: CheckpointError.self) { try NamedCheckpoint(checkpoint) }
      let named = try NamedCheckpoint(checkpoint, ignoring: ["mtp.", "dspark"])
      let weights = try CheckpointWeights(named, configuration: configuration)
      #expect(!weights.predicts)
    }
  }

  @Test func theInventoryOfFlashHasThePublishedNumberOfTensorsAndBytes() throws {
    var elements = 0
    var tensors = 0
    for weight in ModelConfiguration.flash.inventory {
      let count = weight.shape.reduce(1, *)
      tensors += 1
      switch weight.storage {
      case .int64: elements += count
      case .reals(.float8):
        tensors += 1
        elements += count + (weight.shape[0] + 127) / 128 * ((weight.shape[1] + 127) / 128)
      case .reals(.float4):
        tensors += 1
        elements += count / 2 + count / 32
      case .reals: elements += count
      }
    }
    #expect(tensors == 69_187)
    #expect(elements == 158_069_433_298)
  }

  @Test func aFolderThatIsNotEmptyIsLeftAlone() throws {
    try withTemporaryFolder { folder in
      let file = URL(fileURLWithPath: folder + "/something")
      try Data("x".utf8).write(to: file)
      #expect(throws: CheckpointError.self) {
        try CheckpointSynthesis(.tiny, seed: 1).write(to: URL(fileURLWithPath: folder)) { _, _ in }
      }
      let members = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(members == ["something"])
    }
  }
}
