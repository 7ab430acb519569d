import CostModel
import DeepSeekV4
import Testing

@Suite struct CacheTests {
  @Test(arguments: [
    (ModelCost.Release.flash, CacheFormat.serving, 584, 68, 3514.25), (.pro, .serving, 584, 68, 5031.4375),
    (.v32, .serving, 656, 132, 48_068), (.flash, .withoutScales, 576, 64, 3450),
    (.v32, .withoutScales, 640, 128, 46_848),
    (.flash, .bfloat16, 1024, 256, 6880), (.pro, .bfloat16, 1024, 256, 9848), (.v32, .bfloat16, 1152, 256, 85_888),
  ])
  func bytesOfAnEntryAndOfAToken(
    release: ModelCost.Release, format: CacheFormat, entry: Int, key: Int, perToken: Double
  ) throws {
    let cache = try model(release).cache(context: million, format)
    #expect(cache.entryBytes == entry)
    #expect(cache.indexKeyBytes == key)
    #expect(try model(release).cacheBytesPerToken(format) == perToken)
    // 1M tokens are whole blocks of every ratio, so what grows is exactly that much for each token.
    #expect(cache.growingBytes == perToken * Double(million))
  }

  /// 43 and 61 windows of 128 entries; V3.2 has none.
  @Test func windowsComeOnTop() throws {
    #expect(try model(.flash).cache(context: million, .serving).windowBytes == 43 * 128 * 584)
    #expect(try model(.pro).cache(context: million, .withoutScales).windowBytes == 61 * 128 * 576)
    #expect(try model(.v32).cache(context: million, .serving).windowBytes == 0)
    #expect(try model(.flash).cache(context: 127, .serving).windowBytes == 43 * 127 * 584)
  }

  @Test(arguments: [
    (ModelCost.Release.flash, CacheFormat.serving, 3.688, 7.32, 13.67), (.pro, .serving, 5.280, 10.48, 9.545),
    (.flash, .withoutScales, 3.621, 7.37, 13.57), (.pro, .withoutScales, 5.184, 10.55, 9.48),
  ])
  func atAMillionTokens(
    release: ModelCost.Release, format: CacheFormat, gigabytes: Double, percent: Double, times: Double
  ) throws {
    let comparison = try CostComparison(model(release), baseline: model(.v32), .raw, format)
    #expect(abs(try model(release).cache(context: million, format).bytes / 1e9 - gigabytes) <= 0.0005)
    #expect(abs(100 * comparison.cacheShare(context: million) - percent) <= 0.005)
    #expect(abs(1 / comparison.cacheShare(context: million) - times) <= 0.005)
  }

  @Test(arguments: [(ModelCost.Release.flash, 6.72), (.pro, 9.62), (.v32, 83.88)])
  func allInBF16(release: ModelCost.Release, gibibytes: Double) throws {
    let bytes = try model(release).cache(context: million, .bfloat16).bytes
    #expect(abs(bytes / 1_073_741_824 - gibibytes) <= 0.005)
  }

  @Test(arguments: [(ModelCost.Release.flash, 2.00, 8.0), (.pro, 2.02, 7.9)])
  func besideOtherCaches(release: ModelCost.Release, ofGroupedQueries: Double, fullWindows: Double) throws {
    let share = try model(release).shareOfGroupedQueries(context: million, .serving)
    #expect(abs(100 * share - ofGroupedQueries) <= 0.005)
    #expect(abs(try model(release).uncompressedToCompressed - fullWindows) <= 0.05)
  }

  /// Layers of ratio 0, 4, 8, 4 and a window of 6 at 9 tokens; 4 FP8 channels, 4 of 2 bytes and a scale make 13 bytes.
  @Test func theTinyPresetByHand() throws {
    let tiny = try ModelCost(.tiny, name: "tiny")
    let cache = tiny.cache(context: 9, .serving)
    #expect(cache.entries == CacheEntries(window: 4 * 6, main: 2 + 1 + 2, indexKeys: 2 + 2))
    #expect(cache.entryBytes == 16)
    #expect(cache.indexKeyBytes == 4 + 1)
    #expect(cache.bytes == (24 + 5) * 16 + 4 * 5)
    #expect(tiny.cache(context: 9, .withoutScales).bytes == (24 + 5) * 12 + 4 * 4)
    #expect(tiny.cache(context: 9, .bfloat16).bytes == (24 + 5) * 16 + 4 * 16)
    #expect(tiny.cacheBytesPerToken(.bfloat16) == (0.25 + 0.125 + 0.25) * 16 + 0.5 * 16)
  }
}
