import CompressedSparseAttention
import CoreAttention
import ExpertRouting
import HyperConnections
import LowPrecision
import RotaryEmbedding
import TokenCompression

/// The steps of every component: what a model runs on, and what a known bug replaces one of.
public struct StepSet: Sendable {
  public var hyperConnection: any HyperConnectionSteps = .reference
  public var routing: any RoutingSteps = .reference
  public var expert: any ExpertSteps = .reference
  public var rotary: any RotarySteps = .reference
  /// Of the indexer alone, which some engines rotate by other code.
  public var indexRotary: any RotarySteps = .reference
  public var compression: any CompressionSteps = .reference
  public var attention: any AttentionSteps = .reference
  public var indexer: any IndexerSteps = .reference
  public var state: any StateSteps = .reference
  public var quantization: any QuantizationSteps = .reference
  public var model: any ModelSteps = .reference
  /// Nil for experts whose weights are read as values.
  public var storedExperts: (any StoredExpertSteps)?

  /// The correct steps.
  public init() {}
}
