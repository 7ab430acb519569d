import Tensors

// N: the context in tokens, the decoded one included. d width, h heads, q query latent, v key-value latent, r rotated channels.

/// DeepSeek-V3.2, which the report compares V4 with: as much of it as its cost needs.
///
/// Its numbers are those of its public configuration: V3 with the indexer of sparse attention. Assumed, since the report says
/// nothing about it:
///
/// - Decoding absorbs `kv_b` into queries and outputs, so a head meets keys of v + r channels and values of v.
/// - `kv_b` is multiplied in BF16, as core attention is; index scores in FP8.
/// - Every layer has an indexer. Multi-token prediction is left out, as it is for V4.
public struct DeepSeekV32: Equatable, Sendable {
  public let width = 7168
  public let vocabularySize = 129280
  public let layers = 61

  public let heads = 128
  public let queryLatentWidth = 1536
  public let keyValueLatentWidth = 512
  /// Channels of a query head that are not rotated, before absorption.
  public let plainDims = 128
  public let ropeDims = 64
  /// Channels of a value head, before absorption.
  public let valueDims = 128

  public let indexHeads = 64
  public let indexWidth = 128
  /// Tokens that the indexer selects.
  public let indexTopK = 2048

  /// The first layers, which have one feed-forward layer and no experts.
  public let denseLayers = 3
  public let denseWidth = 18432
  public let experts = 256
  public let sharedExperts = 1
  public let expertsPerToken = 8
  public let expertWidth = 2048

  public init() {}
}

extension DeepSeekV32: CostedModel {
  /// Core attention takes h(2v + r) multiply-adds for a token, of min(N, top-k) tokens; index scores see all N.
  func attentionWork(context: Int) -> [TokenWork] {
    let entryWork = heads * (2 * keyValueLatentWidth + ropeDims)
    return [
      TokenWork(
        .selectedAttention, multiplyAdds: Double(layers * min(context, indexTopK)) * Double(entryWork), .bfloat16),
      TokenWork(
        .indexScores, multiplyAdds: Double(layers * context) * Double(indexHeads * indexWidth), .float8),
    ]
  }

  /// One latent and one index key for each token in each layer; no window.
  func cacheEntries(context: Int) -> CacheEntries {
    CacheEntries(window: 0, main: layers * context, indexKeys: layers * context)
  }

  var cacheGrowth: CacheGrowth { CacheGrowth(main: Double(layers), indexKeys: Double(layers)) }

  /// `serving`: the latent in FP8 with a float32 scale for 128 channels, the rotated channels in BF16.
  func entryBytes(_ format: CacheFormat) -> Int {
    switch format {
    case .serving: keyValueLatentWidth + 2 * ropeDims + 4 * blocks(of: 128, in: keyValueLatentWidth)
    case .withoutScales: keyValueLatentWidth + 2 * ropeDims
    case .bfloat16: 2 * (keyValueLatentWidth + ropeDims)
    }
  }

  /// `serving`: FP8 with one float32 scale.
  func indexKeyBytes(_ format: CacheFormat) -> Int {
    switch format {
    case .serving: indexWidth + 4
    case .withoutScales: indexWidth
    case .bfloat16: 2 * indexWidth
    }
  }
}
