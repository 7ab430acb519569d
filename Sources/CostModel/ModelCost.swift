import DeepSeekV4
import Tensors

/// What a model costs: parameters, checkpoint, key-value cache and operations, from its configuration alone.
public struct ModelCost: Sendable {
  /// The models that numbers have been published about.
  public enum Release: String, CaseIterable, Sendable {
    case flash = "V4-Flash"
    case pro = "V4-Pro"
    case v32 = "V3.2"
  }

  /// What it is called in tables.
  public let name: String
  /// Nil for a configuration that is none of the published ones.
  public let release: Release?
  public let layers: Int
  public let parameters: ParameterCount
  /// Nil for V3.2, whose checkpoint is not described here.
  public let checkpoint: CheckpointInventory?
  private let model: any CostedModel
  private let weights: [TokenWork]

  /// - Parameters:
  ///   - configuration: of a DeepSeek-V4 model
  ///   - name: for one that is not published
  /// - Throws: `InputError` or `CheckpointError` if it is not valid, or its formats do not fit its sizes.
  public init(_ configuration: ModelConfiguration, name: String) throws {
    try configuration.validate()
    let release: Release? =
      switch configuration {
      case .flash: .flash
      case .pro: .pro
      default: nil
      }
    try self.init(configuration, release, name: name, CheckpointInventory(configuration))
  }

  /// The model that V4 is compared with.
  public init(_ model: DeepSeekV32) throws(InputError) { try self.init(model, .v32, name: "", nil) }

  private init(
    _ model: any CostedModel, _ release: Release?, name: String, _ checkpoint: CheckpointInventory?
  ) throws(InputError) {
    let tensors = try model.costedTensors()
    self.name = release?.rawValue ?? name
    self.release = release
    layers = model.layers
    parameters = try ParameterCount(tensors, experts: model.experts, expertsPerToken: model.expertsPerToken)
    self.checkpoint = checkpoint
    self.model = model
    weights = weightProducts(tensors, experts: model.experts, expertsPerToken: model.expertsPerToken)
  }

  /// The longest context that can be asked for: what a configuration may have at most.
  public static let contexts = 1...1 << 32

  /// The operations for the last of some tokens.
  ///
  /// - Parameters:
  ///   - context: in tokens, the last one included; of `contexts`
  ///   - rule: what an operation counts
  public func flops(context: Int, _ rule: CountingRule) -> DecodeFLOPs {
    DecodeFLOPs(weights + model.attentionWork(context: context), rule: rule)
  }

  /// The key-value cache of one sequence, multi-token prediction not counted.
  ///
  /// - Parameters:
  ///   - context: in tokens; of `contexts`
  ///   - format: how entries are stored
  public func cache(context: Int, _ format: CacheFormat) -> KeyValueCache {
    KeyValueCache(
      model.cacheEntries(context: context), entryBytes: model.entryBytes(format),
      indexKeyBytes: model.indexKeyBytes(format))
  }

  /// What one more token adds to the cache on average, in bytes.
  public func cacheBytesPerToken(_ format: CacheFormat) -> Double {
    let growth = model.cacheGrowth
    return growth.main * Double(model.entryBytes(format)) + growth.indexKeys * Double(model.indexKeyBytes(format))
  }

  /// How much larger the cache of compressed entries would be if it held every token of every layer: ∞ if there are none.
  public var uncompressedToCompressed: Double { Double(layers) / model.cacheGrowth.main }

  /// The cache as a part of what grouped-query attention of as many layers would hold: BF16, 8 key-value heads of 128
  /// channels.
  public func shareOfGroupedQueries(context: Int, _ format: CacheFormat) -> Double {
    let keyAndValueBytes = 2 * 8 * 128 * 2
    return cache(context: context, format).bytes / (Double(layers) * Double(keyAndValueBytes) * Double(context))
  }
}
