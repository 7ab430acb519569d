import CostModel
import DeepSeekV4
import Testing

@Suite struct FLOPsTests {
  /// GEMM, window and selected, HCA, indexer, total, raw total: G FLOPs at 1M tokens.
  @Test(arguments: [
    (ModelCost.Release.flash, [28.37, 4.26, 42.95, 45.10], 120.7, 140.3),
    (.pro, [101.64, 20.20, 133.14, 64.42], 319.4, 303.2),
    (.v32, [79.12, 69.59, 0, 1047.97], 1196.7, 1157.7),
  ])
  func componentsAtAMillionTokens(
    release: ModelCost.Release, components: [Double], total: Double, raw: Double
  ) throws {
    let flops = try model(release).flops(context: million, .fp8Equivalent)
    let computed = [flops.weights, flops.windowAndSelected, flops.heavilyCompressed, flops.indexScores]
    for (value, expected) in zip(computed, components) { #expect(abs(value / 1e9 - expected) <= 0.005) }
    #expect(abs(flops.total / 1e9 - total) <= 0.05)
    #expect(flops.total == computed.reduce(0, +))
    #expect(abs(try model(release).flops(context: million, .raw).total / 1e9 - raw) <= 0.05)
  }

  @Test(arguments: [
    (ModelCost.Release.flash, CountingRule.fp8Equivalent, 10.1), (.pro, .fp8Equivalent, 26.7), (.flash, .raw, 12.1),
    (.pro, .raw, 26.2),
  ])
  func percentOfV32(release: ModelCost.Release, rule: CountingRule, percent: Double) throws {
    let comparison = try CostComparison(model(release), baseline: model(.v32), rule, .serving)
    #expect(abs(100 * comparison.flopsShare(context: million) - percent) <= 0.05)
  }

  /// G FLOPs of V3.2, Pro and Flash, then GB of their caches.
  ///
  /// By hand for Flash at 262,144: 28.3726 + 4.2614 of fixed work, 20 · 2048 entries of HCA at 262,144 FLOPs and
  /// 21 · 65,536 index keys at 8192 are 22.0117 more, 54.646 in all.
  @Test(arguments: [
    (4096, [152.8, 122.6, 33.0], [0.197, 0.025, 0.018]), (32_768, [181.5, 128.0, 35.4], [1.575, 0.169, 0.118]),
    (131_072, [279.7, 146.5, 43.6], [6.300, 0.664, 0.464]), (262_144, [410.7, 171.2, 54.6], [12.60, 1.324, 0.924]),
    (524_288, [672.7, 220.6, 76.7], [25.20, 2.642, 1.846]),
    (1_048_576, [1196.7, 319.4, 120.7], [50.40, 5.280, 3.688]),
  ])
  func overTheContext(context: Int, gigaFLOPs: [Double], gigabytes: [Double]) throws {
    for (index, release) in [ModelCost.Release.v32, .pro, .flash].enumerated() {
      let flops = try model(release).flops(context: context, .fp8Equivalent).total
      #expect(abs(flops / 1e9 - gigaFLOPs[index]) <= 0.05)
      let bytes = try model(release).cache(context: context, .serving).bytes
      #expect(abs(bytes / 1e9 - gigabytes[index]) <= (release == .v32 && context > 200_000 ? 0.005 : 0.0005))
    }
  }

  /// Slopes and intercepts of the lines of Figure 1, read off the drawing to half a percent.
  @Test(arguments: [
    (ModelCost.Release.v32, 998_800, 0.1489e12, 48_046), (.pro, 188_301, 0.1214e12, 5025),
    (.flash, 83_904, 0.0326e12, 3514),
  ])
  func theLinesOfFigure1(
    release: ModelCost.Release, slope: Double, intercept: Double, bytesPerToken: Double
  ) throws {
    let cost = try model(release)
    let (half, whole) = (cost.flops(context: million / 2, .fp8Equivalent), cost.flops(context: million, .fp8Equivalent))
    let rise = (whole.total - half.total) / Double(million / 2)
    #expect(abs(rise / slope - 1) < 0.005)
    #expect(abs((whole.total - rise * Double(million)) / intercept - 1) < 0.005)
    #expect(abs(cost.cacheBytesPerToken(.serving) / bytesPerToken - 1) < 0.005)
  }

  /// Layers of ratio 0, 4, 8, 4. All weights are float32, so they count like BF16.
  @Test func theTinyPresetByHand() throws {
    let tiny = try ModelCost(.tiny, name: "tiny")
    let attention = 12 * 16 + 32 * 12 + 8 * 16 + 12 * 16 + 16 * 12
    let layer = attention + 2 * 24 * 64 + 4 * 16 + 3 * 3 * 12 * 16
    let compressors = 2 * (2 * 16 * 16) + 2 * 8 * 16
    let indexers = 2 * (16 * 12 + 2 * 16 + 2 * 16 * 16)
    let weights = 4 * layer + compressors + indexers + 48 * 16 + 4 * 64
    let entry = 2 * 4 * 8  // q·k and p·v, 4 heads of 8 channels
    // After 9 tokens: a window of 6 in 4 layers; 2 entries of the 3 that may be selected in 2 layers; 1 entry of HCA.
    let core = (4 * 6 + 2 * 2 + 1) * entry
    let scores = 2 * 2 * (2 * 8)
    #expect(tiny.flops(context: 9, .raw).total == Double(2 * (weights + core + scores)))
    #expect(tiny.flops(context: 9, .fp8Equivalent).total == Double(4 * (weights + core) + scores))
    // After 16: 3 of 4 entries are selected, and all 4 are scored.
    let later = tiny.flops(context: 16, .raw)
    #expect(later.windowAndSelected == Double(2 * (4 * 6 + 2 * 3) * entry))
    #expect(later.heavilyCompressed == Double(2 * 2 * entry))
    #expect(later.indexScores == Double(2 * 2 * 4 * (2 * 8)))
    // A block counts from its last token on.
    #expect(tiny.flops(context: 3, .raw).indexScores == 0)
    #expect(tiny.flops(context: 7, .raw).heavilyCompressed == 0)
    #expect(tiny.flops(context: 8, .raw).heavilyCompressed == Double(2 * entry))
  }

  /// In FP8 and FP4 the large matrices count half of what they do in float32.
  @Test func formatsOfWeightsDecideWhatTheyCount() throws {
    let deployed = try ModelCost(.tinyDeployed, name: "")
    let plain = try ModelCost(
      .tinyDeployed.with { ($0.denseFormat, $0.expertFormat) = (.bfloat16, .bfloat16) }, name: "")
    func flops(_ cost: ModelCost, _ group: TensorGroup) -> Double? {
      cost.flops(context: 1, .fp8Equivalent).parts.first { $0.component == .weights(group) }?.flops
    }
    for group in [TensorGroup.attention, .sharedExperts, .routedExperts] {
      let expected = try #require(flops(plain, group)) / 2
      #expect(flops(deployed, group) == expected, "\(group)")
    }
    for group in [TensorGroup.router, .compressors, .hyperConnections, .languageModelHead] {
      #expect(flops(deployed, group) == flops(plain, group), "\(group)")
    }
    #expect(deployed.flops(context: 1, .raw).total == plain.flops(context: 1, .raw).total)
  }
}
