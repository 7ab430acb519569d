import DeepSeekV4
import RotaryEmbedding
import Tensors

extension StepSet {
  /// The rotary embedding wherever there is one.
  var everyRotary: any RotarySteps {
    get { rotary }
    set { (rotary, indexRotary) = (newValue, newValue) }
  }
}

/// A mistake that a DeepSeek-V4 implementation shipped (then with a reference), or one right beside such a mistake, as a
/// variant that replaces exactly one step.
public struct KnownBug: Sendable {
  /// A short name that says what is wrong, unique among all bugs.
  public let id: String
  /// The components whose cases may show it, as in `golden/FORMAT.md`; its own first.
  public let components: [String]
  /// What the wrong code does.
  public let wrong: String
  /// What the right code does.
  public let right: String
  /// Where it happened; empty for a mistake that is only near at hand.
  public let references: [String]
  public let visibility: Visibility
  /// Which set of steps the wrong one belongs to; nil where the bug is not a step.
  public let step: (PartialKeyPath<StepSet> & Sendable)?
  private let replace: (@Sendable (inout StepSet) -> Void)?

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
    + decodeState + lowPrecision + wholeModel + multiTokenPrediction

  /// Steps with a known bug among them.
  ///
  /// - Parameters:
  ///   - id: of a bug that is one wrong step; nil for none
  ///   - steps: the others: the correct ones, or their fast twins
  /// - Throws: `InputError` if there is no such bug, or it is not one wrong step.
  public static func steps(with id: String?, among steps: StepSet = StepSet()) throws(InputError) -> StepSet {
    guard let id else { return steps }
    guard let bug = all.first(where: { $0.id == id }) else {
      throw InputError("known bugs", "there is no '\(id)'; v4-oracle bugs lists them")
    }
    guard let steps = bug.planted(in: steps) else {
      throw InputError("known bugs", "\(id) is not one wrong step and cannot be planted")
    }
    return steps
  }

  /// The component it belongs to.
  public var component: String { components[0] }

  /// The correct steps with one replaced; nil where the bug is not a step.
  public var steps: StepSet? { planted(in: StepSet()) }

  /// Steps with this wrong one among them; nil where the bug is not a step.
  public func planted(in steps: StepSet) -> StepSet? {
    guard let replace else { return nil }
    var steps = steps
    replace(&steps)
    return steps
  }

  /// A bug that cannot be put as one step in one process.
  init(
    _ id: String, notAStepOf component: String, wrong: String, right: String, references: [String] = [], reason: String
  ) {
    self.init(
      id: id, components: [component], wrong: wrong, right: right, references: references,
      visibility: .notAStep(reason), step: nil, replace: nil)
  }

  private init(
    id: String, components: [String], wrong: String, right: String, references: [String], visibility: Visibility,
    step: (PartialKeyPath<StepSet> & Sendable)?, replace: (@Sendable (inout StepSet) -> Void)?
  ) {
    self.id = id
    self.components = components
    self.wrong = wrong
    self.right = right
    self.references = references
    self.visibility = visibility
    self.step = step
    self.replace = replace
  }
}

extension KnownBug {
  /// A bug that is one wrong step of a set, looked for in the cases of every component that takes that step.
  ///
  /// - Parameters:
  ///   - step: which set it belongs to
  ///   - variant: the correct steps with one replaced
  ///   - components: where to look for it instead, its own first
  init<Steps: Sendable>(
    _ id: String, _ step: WritableKeyPath<StepSet, Steps> & Sendable, _ variant: Steps, in components: [String]? = nil,
    wrong: String, right: String, references: [String] = [], visibility: Visibility = .visible
  ) {
    self.init(
      id: id, components: components ?? Self.components(of: step), wrong: wrong, right: right, references: references,
      visibility: visibility, step: step
    ) { $0[keyPath: step] = variant }
  }

  /// The components whose cases are whole models.
  static let modelComponents = ["language-model", "multi-token-prediction"]

  /// The components whose cases take a step, the one that it belongs to first.
  private static func components(of step: PartialKeyPath<StepSet>) -> [String] {
    let layers = ["compressed-sparse-attention", "heavily-compressed-attention"]
    return switch step {
    case \.hyperConnection: ["hyper-connections"]
    case \.routing, \.expert: ["expert-routing"]
    case \.everyRotary: ["rotary-embedding", "token-compression", "core-attention"] + layers
    case \.compression: ["token-compression"] + layers
    case \.attention, \.state: ["core-attention"] + layers
    case \.quantization: ["low-precision", "core-attention"] + layers + modelComponents
    case \.model: modelComponents
    default: ["compressed-sparse-attention"]  // the indexer and its rotary embedding
    }
  }
}
