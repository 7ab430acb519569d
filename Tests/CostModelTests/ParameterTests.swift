import CostModel
import DeepSeekV4
import Tensors
import Testing

/// Counts of the published models, from derivations that share nothing with this package.
@Suite struct ParameterTests {
  @Test(arguments: [
    (ModelCost.Release.flash, 284_332_240_471, 6_610_048_891, 13_270, 13_800),
    (.pro, 1_572_997_201_763, 25_840_145_979, 48_852, 49_779),
  ])
  func parametersOfV4(release: ModelCost.Release, total: Int, mtp: Int, activated: Int, withEmbedding: Int) throws {
    let parameters = try model(release).parameters
    #expect(parameters.total == total)
    #expect(parameters.multiTokenPrediction == mtp)
    #expect((parameters.activated + 500_000) / 1_000_000 == activated)
    #expect((parameters.activatedWithEmbedding + 500_000) / 1_000_000 == withEmbedding)
  }

  /// 671.88 B with the indexer, 37.48 B of them for a token.
  @Test func parametersOfV32() throws {
    let parameters = try model(.v32).parameters
    #expect((parameters.total + 5_000_000) / 10_000_000 == 67_188)
    #expect((parameters.activated + 5_000_000) / 10_000_000 == 3748)
    // V3 without multi-token prediction, and 61 indexers: wq_b, wk, weights_proj, and a norm with bias.
    let indexers = 61 * (8192 * 1536 + 128 * 7168 + 64 * 7168 + 2 * 128)
    #expect(parameters.total - indexers == 671_026_419_200)
  }

  @Test(arguments: [
    (ModelCost.Release.flash, 69_187, 158_069_433_298, 159_609_485_896),
    (.pro, 145_116, 861_608_274_846, 864_704_792_696),
  ])
  func checkpoints(release: ModelCost.Release, tensors: Int, elements: Int, bytes: Int) throws {
    let checkpoint = try #require(try model(release).checkpoint)
    #expect(checkpoint.tensors == tensors)
    #expect(checkpoint.elements == elements)
    #expect(checkpoint.bytes == bytes)
  }

  /// The tiny preset, layer by layer.
  @Test func parametersOfTheTinyPresetByHand() throws {
    let attention = 12 * 16 + 12 + 32 * 12 + 8 * 16 + 8 + 12 * 16 + 16 * 12 + 4
    let hyperConnections = 2 * (24 * 64 + 24 + 3)
    let layer = attention + hyperConnections + 2 * 16
    let (gate, bias, expert) = (4 * 16, 4, 3 * 12 * 16)
    let overlapping = 4 * 16 + 2 * 16 * 16 + 8
    let plain = 8 * 8 + 2 * 8 * 16 + 8
    let indexer = 16 * 12 + 2 * 16 + 4 * 16 + 2 * 16 * 16 + 8
    let head = 4 * 64 + 4 + 1
    let layers = 4 * (layer + gate + 5 * expert) + 2 * bias + 2 * (overlapping + indexer) + plain
    let total = layers + 2 * 48 * 16 + 16 + head

    let parameters = try ModelCost(.tiny, name: "tiny").parameters
    #expect(total == 33_789)
    #expect(parameters.total == total)
    #expect(parameters.activatedWithEmbedding == total - 4 * 2 * expert)
    #expect(parameters.activated == total - 4 * 2 * expert - 48 * 16)
    #expect(parameters.multiTokenPrediction == layer + gate + bias + 5 * expert + head + 2 * 16 * 16 + 3 * 16)
    #expect(parameters.groups.first { $0.group == .indexer }?.count == 2 * indexer)
    #expect(parameters.groups.first { $0.group == .compressors }?.count == 2 * overlapping + plain)
    #expect(parameters.groups.first { $0.group == .hyperConnections }?.count == 4 * hyperConnections + head)
  }

  @Test func aNameThatNoTensorHasIsInNoGroup() {
    for name in ["", "layers", "layers.0", "layers.0.mlp.w1", "model.norm.weight", "hc_attn_fn", "layers.0.ffn.w1"] {
      #expect(TensorGroup(officialName: name) == nil, "\(name)")
    }
  }

  /// Each size alone is allowed; forty layers of them are more than an integer holds.
  @Test func sizesThatCannotBeCountedAreRefused() throws {
    let hostile = ModelConfiguration.tiny.with {
      $0.heads = 1 << 20
      $0.headWidth = 1 << 20
      $0.queryLatentWidth = 1 << 20
      $0.ratios = Array(repeating: 0, count: 40)
    }
    #expect(hostile.faults.isEmpty)
    #expect(throws: InputError.self) { try ModelCost(hostile, name: "hostile") }
    #expect(throws: InputError.self) { try ModelCost(.tiny.with { $0.experts = 0 }, name: "invalid") }
  }
}
