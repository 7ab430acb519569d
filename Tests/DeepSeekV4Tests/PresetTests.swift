import DeepSeekV4
import Tensors
import Testing

@Suite struct PresetTests {
  /// Report 4.2.1 and the released configurations.
  @Test func flashAndProHaveThePublishedLayers() {
    let flash = ModelConfiguration.flash
    #expect(flash.layers == 43)
    #expect(flash.ratios.filter { $0 == 0 }.count == 2)
    #expect(flash.ratios.filter { $0 == 4 }.count == 21)
    #expect(flash.ratios.filter { $0 == 128 }.count == 20)
    #expect(flash.compressRatios.count == 44)
    #expect(flash.compressRatios.suffix(2) == [4, 0])

    let pro = ModelConfiguration.pro
    #expect(pro.layers == 61)
    #expect(pro.ratios.filter { $0 == 4 }.count == 30)
    #expect(pro.ratios.filter { $0 == 128 }.count == 31)
    #expect(pro.kind(ofLayer: 0) == .heavilyCompressed(ratio: 128))
    #expect(pro.kind(ofLayer: 2) == .compressedSparse)
  }

  @Test func aPresetIsFoundByItsName() throws {
    #expect(try ModelConfiguration.preset("tiny") == .tiny)
    #expect(try ModelConfiguration.preset("flash-3-layers").ratios == [0, 4, 128])
    #expect(
      throws: InputError(
        "config",
        "there is no preset \"lite\"; the presets are tiny, tiny-pro, tiny-deployed, flash-3-layers, flash, pro")
    ) { try ModelConfiguration.preset("lite") }
  }

  /// The block sizes of FORMAT.md: 128 and 32 channels along a row, 64 for key-value entries.
  @Test func theDeployedPresetFitsTheBlocks() {
    let tiny = ModelConfiguration.tinyDeployed
    let rows = [
      tiny.width, tiny.queryLatentWidth, tiny.outputGroups * tiny.outputRank, tiny.expertWidth,
      tiny.heads * tiny.headWidth / tiny.outputGroups,
    ]
    for row in rows { #expect(row % 128 == 0, "\(row)") }
    #expect((tiny.headWidth - tiny.ropeDims) % 64 == 0)
    #expect(tiny.indexWidth % 32 == 0)
  }
}
