/// How many entries the caches of all layers of a model hold, multi-token prediction not counted.
public struct CacheEntries: Equatable, Codable, Sendable {
  /// Uncompressed entries of the last tokens.
  public var window: Int
  /// Entries of compressed blocks; in V3.2 one for each token.
  public var main: Int
  /// Keys of the indexers.
  public var indexKeys: Int

  /// Numbers of entries, summed over all layers.
  public init(window: Int, main: Int, indexKeys: Int) {
    self.window = window
    self.main = main
    self.indexKeys = indexKeys
  }
}

/// The key-value cache of one sequence: entries times their widths.
///
/// Not counted: the rows of blocks that are not full yet, which do not grow with the context.
public struct KeyValueCache: Equatable, Sendable {
  public let entries: CacheEntries
  /// Of an entry, in the window or compressed.
  public let entryBytes: Int
  public let indexKeyBytes: Int

  /// Entries, and the bytes that an entry and an index key take.
  public init(_ entries: CacheEntries, entryBytes: Int, indexKeyBytes: Int) {
    self.entries = entries
    self.entryBytes = entryBytes
    self.indexKeyBytes = indexKeyBytes
  }

  public var windowBytes: Double { Double(entries.window) * Double(entryBytes) }
  public var mainBytes: Double { Double(entries.main) * Double(entryBytes) }
  public var indexKeyTotalBytes: Double { Double(entries.indexKeys) * Double(indexKeyBytes) }
  /// Without the windows: what grows with the context.
  public var growingBytes: Double { mainBytes + indexKeyTotalBytes }
  public var bytes: Double { windowBytes + growingBytes }
}

/// How many entries one more token adds to the caches of all layers, on average.
public struct CacheGrowth: Equatable, Sendable {
  /// Σ 1/m over the layers with compression.
  public let main: Double
  /// Σ 1/m over the layers with an indexer.
  public let indexKeys: Double

  /// Entries for each token, summed over all layers.
  public init(main: Double, indexKeys: Double) {
    self.main = main
    self.indexKeys = indexKeys
  }
}
