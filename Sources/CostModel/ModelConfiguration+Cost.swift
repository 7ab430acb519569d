import DeepSeekV4

// N: the context in tokens, the decoded one included. h heads, c head width, r rotated channels, m compression ratio,
// W window, H index heads, i index width, k index top-k.

extension ModelConfiguration: CostedModel {
  /// The layers that compress, by their ratios.
  private var compressedRatios: [Int] { ratios.filter { $0 > 0 } }
  private var layersWithIndexer: Int { ratios.count { LayerKind(ratio: $0) == .compressedSparse } }
  /// The ratios of the layers that see every compressed entry.
  private var heavyRatios: [Int] {
    ratios.filter { if case .heavilyCompressed = LayerKind(ratio: $0) { true } else { false } }
  }

  /// Core attention takes 2hc multiply-adds for an entry, since keys are values: hc for the scores, hc for the sum. An index
  /// score takes Hi.
  ///
  /// ```
  /// window    every layer   min(N, W) entries
  /// selected  CSA           min(k, ⌊N/4⌋) entries
  /// HCA       HCA           ⌊N/m⌋ entries
  /// index     CSA           ⌊N/4⌋ keys
  /// ```
  func attentionWork(context: Int) -> [TokenWork] {
    let entryWork = 2 * Double(heads) * Double(headWidth)
    let selected = layersWithIndexer * min(indexTopK, context / 4)
    let heavy = heavyRatios.reduce(0) { $0 + context / $1 }
    let indexWork = Double(indexHeads) * Double(indexWidth)
    let cached = cacheEntries(context: context)
    return [
      TokenWork(.windowAttention, multiplyAdds: Double(cached.window) * entryWork, .bfloat16),
      TokenWork(.selectedAttention, multiplyAdds: Double(selected) * entryWork, .bfloat16),
      TokenWork(.heavilyCompressedAttention, multiplyAdds: Double(heavy) * entryWork, .bfloat16),
      TokenWork(.indexScores, multiplyAdds: Double(cached.indexKeys) * indexWork, .float4),
    ]
  }

  /// min(N, W) entries in the window of every layer, ⌊N/m⌋ compressed ones, and as many index keys in CSA.
  func cacheEntries(context: Int) -> CacheEntries {
    CacheEntries(
      window: layers * min(context, window), main: compressedRatios.reduce(0) { $0 + context / $1 },
      indexKeys: layersWithIndexer * (context / 4))
  }

  var cacheGrowth: CacheGrowth {
    CacheGrowth(main: compressedRatios.reduce(0) { $0 + 1 / Double($1) }, indexKeys: Double(layersWithIndexer) / 4)
  }

  /// `serving`: c − r channels in FP8, r in BF16, a scale byte for 64 FP8 channels, padded to a multiple of 8 bytes. The
  /// layout is published for c = 512 and r = 64; other widths follow the same rule here.
  func entryBytes(_ format: CacheFormat) -> Int {
    let codes = headWidth - ropeDims + 2 * ropeDims
    switch format {
    case .serving: return 8 * blocks(of: 8, in: codes + blocks(of: 64, in: headWidth - ropeDims))
    case .withoutScales: return codes
    case .bfloat16: return 2 * headWidth
    }
  }

  /// `serving`: two FP4 channels in a byte, and a scale byte for 32 of them.
  func indexKeyBytes(_ format: CacheFormat) -> Int {
    switch format {
    case .serving: blocks(of: 2, in: indexWidth) + blocks(of: 32, in: indexWidth)
    case .withoutScales: blocks(of: 2, in: indexWidth)
    case .bfloat16: 2 * indexWidth
    }
  }
}
