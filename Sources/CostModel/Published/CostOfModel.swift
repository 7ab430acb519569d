/// What one model costs, in numbers that can be written down.
public struct CostOfModel: Codable, Sendable {
  /// What its files hold.
  public struct Checkpoint: Codable, Sendable {
    public let tensors: Int
    public let elements: Int
    public let bytes: Int
    public let rows: [CheckpointInventory.Row]
  }

  /// How many parameters it has, and a token uses.
  public struct Parameters: Codable, Sendable {
    /// The parameters of one kind of tensor.
    public struct Group: Codable, Sendable {
      public let group: TensorGroup
      public let count: Int
    }

    /// Without multi-token prediction.
    public let total: Int
    public let multiTokenPrediction: Int
    /// LM head in, embedding out.
    public let activated: Int
    public let activatedWithEmbedding: Int
    public let groups: [Group]
  }

  /// The key-value cache of one sequence, in one format.
  public struct Cache: Codable, Sendable {
    public let format: String
    public let entryBytes: Int
    public let indexKeyBytes: Int
    public let bytesPerToken: Double
    public let entries: CacheEntries
    public let windowBytes: Double
    public let bytesWithoutWindows: Double
    public let bytes: Double
    public let ofV32: Double
    public let ofGroupedQueries: Double
  }

  /// What it takes to decode one token.
  public struct Operations: Codable, Sendable {
    /// The operations of one component.
    public struct Part: Codable, Sendable {
      public let component: String
      public let flops: Double
      /// Of the total.
      public let share: Double
    }

    public let weights: Double
    public let windowAndSelected: Double
    public let heavilyCompressed: Double
    public let indexScores: Double
    public let total: Double
    public let ofV32: Double
    public let parts: [Part]
  }

  public let name: String
  public let layers: Int
  /// Absent for V3.2.
  public let checkpoint: Checkpoint?
  public let parameters: Parameters
  /// In every format.
  public let caches: [Cache]
  /// Of the last token of the context.
  public let flops: Operations
}

extension CostOfModel {
  init(_ comparison: CostComparison, context: Int) {
    let model = comparison.model
    name = model.name
    layers = model.layers
    checkpoint = model.checkpoint.map {
      Checkpoint(tensors: $0.tensors, elements: $0.elements, bytes: $0.bytes, rows: $0.rows)
    }
    parameters = Parameters(model.parameters)
    caches = CacheFormat.allCases.map { format in
      Cache(CostComparison(model, baseline: comparison.baseline, comparison.rule, format), context: context)
    }
    flops = Operations(comparison, context: context)
  }
}

extension CostOfModel.Parameters {
  init(_ count: ParameterCount) {
    total = count.total
    multiTokenPrediction = count.multiTokenPrediction
    activated = count.activated
    activatedWithEmbedding = count.activatedWithEmbedding
    groups = count.groups.map { Group(group: $0.group, count: $0.count) }
  }
}

extension CostOfModel.Cache {
  init(_ comparison: CostComparison, context: Int) {
    let (model, format) = (comparison.model, comparison.format)
    let cache = model.cache(context: context, format)
    self.format = format.rawValue
    entryBytes = cache.entryBytes
    indexKeyBytes = cache.indexKeyBytes
    bytesPerToken = model.cacheBytesPerToken(format)
    entries = cache.entries
    windowBytes = cache.windowBytes
    bytesWithoutWindows = cache.growingBytes
    bytes = cache.bytes
    ofV32 = comparison.cacheShare(context: context)
    ofGroupedQueries = model.shareOfGroupedQueries(context: context, format)
  }
}

extension CostOfModel.Operations {
  init(_ comparison: CostComparison, context: Int) {
    let flops = comparison.model.flops(context: context, comparison.rule)
    weights = flops.weights
    windowAndSelected = flops.windowAndSelected
    heavilyCompressed = flops.heavilyCompressed
    indexScores = flops.indexScores
    total = flops.total
    ofV32 = comparison.flopsShare(context: context)
    parts = flops.parts.map { Part(component: $0.component.name, flops: $0.flops, share: $0.flops / flops.total) }
  }
}
