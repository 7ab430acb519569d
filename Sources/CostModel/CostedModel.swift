import Tensors

// N: the context in tokens, the decoded one included.

/// What an architecture has to say about itself to be costed.
protocol CostedModel: Sendable {
  /// E, routed experts of a layer.
  var experts: Int { get }
  /// k, routed experts of a token.
  var expertsPerToken: Int { get }
  /// Layers with a cache.
  var layers: Int { get }

  /// Every tensor of parameters.
  func costedTensors() throws(InputError) -> [CostedTensor]
  /// Core attention and index scores of the last of N tokens.
  func attentionWork(context: Int) -> [TokenWork]
  /// What the caches hold after N tokens.
  func cacheEntries(context: Int) -> CacheEntries
  /// What the caches grow by.
  var cacheGrowth: CacheGrowth { get }
  /// The bytes of an entry.
  func entryBytes(_ format: CacheFormat) -> Int
  /// The bytes of an index key.
  func indexKeyBytes(_ format: CacheFormat) -> Int
}
