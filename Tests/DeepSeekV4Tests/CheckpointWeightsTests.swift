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
      #expect(sentence.contains("and "))
      let hash = ModelConfiguration.tiny.with { $0.hashLayers = 1 }
      let both = #expect(throws: CheckpointError.self) { try CheckpointWeights(checkpoint, configuration: hash) }
      #expect(
        try #require(both).description.hasSuffix(
          "2 faults: layers.1.ffn.gate.bias is missing; layers.1.ffn.gate.tid2eid is no tensor of this model"))
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
