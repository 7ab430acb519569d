import CompressedSparseAttention
import CoreAttention
import ExpertRouting
import HyperConnections
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

  /// The correct steps.
  public init() {}
}

/// A mistake that a real DeepSeek-V4 implementation shipped, as a variant that replaces exactly one step.
public struct KnownBug: Sendable {
  /// A short name that says what is wrong, unique among all bugs.
  public let id: String
  /// The components whose cases may show it, as in `golden/FORMAT.md`; its own first.
  public let components: [String]
  /// What the wrong code does.
  public let wrong: String
  /// What the right code does.
  public let right: String
  /// Where it happened.
  public let references: [String]
  public let visibility: Visibility
  /// The correct steps with one replaced; nil where the bug is not a step.
  public let steps: StepSet?

  /// Whether a golden case can show a bug.
  public enum Visibility: Equatable, Sendable {
    /// At least one case must show it by 100 times its tolerance.
    case visible
    /// It changes nothing beyond rounding, for this reason.
    case invisible(String)
    /// It cannot be put as one step in one process, for this reason.
    case notAStep(String)
  }

  /// Every known bug, in the order of the components.
  public static let all: [KnownBug] =
    hyperConnections + expertRouting + rotaryEmbedding + tokenCompression + coreAttention + lightningIndexer
    + decodeState

  /// The component it belongs to.
  public var component: String { components[0] }

  /// A bug that is one wrong step.
  ///
  /// - Parameter replace: puts the wrong step into the correct set
  init(
    _ id: String, in components: [String], wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible, replace: (inout StepSet) -> Void
  ) {
    var steps = StepSet()
    replace(&steps)
    self.init(
      id: id, components: components, wrong: wrong, right: right, references: references, visibility: visibility,
      steps: steps)
  }

  /// A bug that cannot be put as one step in one process.
  init(
    _ id: String, notAStepOf component: String, wrong: String, right: String, references: [String] = [], reason: String
  ) {
    self.init(
      id: id, components: [component], wrong: wrong, right: right, references: references,
      visibility: .notAStep(reason), steps: nil)
  }

  private init(
    id: String, components: [String], wrong: String, right: String, references: [String], visibility: Visibility,
    steps: StepSet?
  ) {
    self.id = id
    self.components = components
    self.wrong = wrong
    self.right = right
    self.references = references
    self.visibility = visibility
    self.steps = steps
  }
}

// How the registries below name the component of a bug.
extension KnownBug {
  init(
    _ id: String, hyperConnection steps: any HyperConnectionSteps, wrong: String, right: String,
    references: [String] = [], visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["hyper-connections"], wrong: wrong, right: right, references: references, visibility: visibility
    ) { $0.hyperConnection = steps }
  }

  init(
    _ id: String, routing steps: any RoutingSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["expert-routing"], wrong: wrong, right: right, references: references, visibility: visibility
    ) { $0.routing = steps }
  }

  init(
    _ id: String, expert steps: any ExpertSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["expert-routing"], wrong: wrong, right: right, references: references, visibility: visibility
    ) { $0.expert = steps }
  }

  init(
    _ id: String, rotary steps: any RotarySteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id,
      in: [
        "rotary-embedding", "token-compression", "core-attention", "compressed-sparse-attention",
        "heavily-compressed-attention",
      ], wrong: wrong, right: right, references: references, visibility: visibility
    ) {
      $0.rotary = steps
      $0.indexRotary = steps
    }
  }

  init(
    _ id: String, compression steps: any CompressionSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["token-compression", "compressed-sparse-attention", "heavily-compressed-attention"], wrong: wrong,
      right: right, references: references, visibility: visibility
    ) { $0.compression = steps }
  }

  init(
    _ id: String, attention steps: any AttentionSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["core-attention", "compressed-sparse-attention", "heavily-compressed-attention"], wrong: wrong,
      right: right, references: references, visibility: visibility
    ) { $0.attention = steps }
  }

  init(
    _ id: String, state steps: any StateSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["core-attention", "compressed-sparse-attention", "heavily-compressed-attention"], wrong: wrong,
      right: right, references: references, visibility: visibility
    ) { $0.state = steps }
  }

  init(
    _ id: String, indexer steps: any IndexerSteps, wrong: String, right: String, references: [String] = [],
    visibility: Visibility = .visible
  ) {
    self.init(
      id, in: ["compressed-sparse-attention"], wrong: wrong, right: right, references: references,
      visibility: visibility
    ) { $0.indexer = steps }
  }
}
