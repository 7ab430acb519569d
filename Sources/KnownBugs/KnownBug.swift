import ExpertRouting
import HyperConnections

/// The steps of every component: what a model runs on, and what a known bug replaces one of.
public struct StepSet: Sendable {
  public var hyperConnection: any HyperConnectionSteps = .reference
  public var routing: any RoutingSteps = .reference
  public var expert: any ExpertSteps = .reference

  /// The correct steps.
  public init() {}
}

/// A mistake that a real DeepSeek-V4 implementation shipped, as a variant that replaces exactly one step.
public struct KnownBug: Sendable {
  /// A short name that says what is wrong, unique among all bugs.
  public let id: String
  /// The component it belongs to, as in `golden/FORMAT.md`.
  public let component: String
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
  public static let all: [KnownBug] = hyperConnections + expertRouting

  init(
    _ id: String, hyperConnection steps: any HyperConnectionSteps, wrong: String, right: String,
    references: [String] = [], visibility: Visibility = .visible
  ) {
    var set = StepSet()
    set.hyperConnection = steps
    self.init(id, "hyper-connections", wrong, right, references, visibility, set)
  }

  init(
    _ id: String, routing steps: any RoutingSteps, wrong: String, right: String,
    references: [String] = [], visibility: Visibility = .visible
  ) {
    var set = StepSet()
    set.routing = steps
    self.init(id, "expert-routing", wrong, right, references, visibility, set)
  }

  init(
    _ id: String, expert steps: any ExpertSteps, wrong: String, right: String,
    references: [String] = [], visibility: Visibility = .visible
  ) {
    var set = StepSet()
    set.expert = steps
    self.init(id, "expert-routing", wrong, right, references, visibility, set)
  }

  init(
    _ id: String, notAStepOf component: String, wrong: String, right: String, references: [String], reason: String
  ) {
    self.init(id, component, wrong, right, references, .notAStep(reason), nil)
  }

  private init(
    _ id: String, _ component: String, _ wrong: String, _ right: String, _ references: [String],
    _ visibility: Visibility, _ steps: StepSet?
  ) {
    self.id = id
    self.component = component
    self.wrong = wrong
    self.right = right
    self.references = references
    self.visibility = visibility
    self.steps = steps
  }
}
