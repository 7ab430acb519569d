import DeepSeekV4
import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors

/// A small whole model and the calls that it runs, in which known bugs are planted.
public struct Scenario: Sendable {
  public let name: String
  public let configuration: ModelConfiguration
  public let numerics: NumericsMode
  /// How many tokens each call takes. A negative number stands for as many speculative tokens, which the next call takes
  /// back.
  public let pieces: [Int]
  public let seed: Int
  /// Whether weights are rounded to the formats of the configuration.
  public let roundsWeights: Bool
  private let changes: WeightChanges

  /// A scenario by its name, its model, and how many tokens each call takes.
  public init(
    _ name: String, _ configuration: ModelConfiguration, pieces: [Int], numerics: NumericsMode = .exact, seed: Int = 1,
    roundsWeights: Bool = false, changes: WeightChanges = WeightChanges()
  ) {
    self.name = name
    self.configuration = configuration
    self.pieces = pieces
    self.numerics = numerics
    self.seed = seed
    self.roundsWeights = roundsWeights
    self.changes = changes
  }

  /// The model, correct or with a wrong step.
  ///
  /// - Parameters:
  ///   - steps: correct, or with known bugs
  ///   - angles: of the rotary embedding
  ///   - keepsLayers: false where each part is needed once
  ///   - changed: the weights that it has in place of its own
  public func model<Scalar: RealScalar>(
    _ steps: StepSet, angles: AnglePolicy, keepsLayers: Bool = false,
    changed: (any WeightSource) -> any WeightSource = { $0 }
  ) throws -> LanguageModel<Scalar> {
    let weights = ScenarioWeights(seed: seed, configuration, rounded: roundsWeights, changes)
    return try LanguageModel(
      configuration, weights: changed(weights.read(by: steps.quantization)), steps: steps, angles: angles,
      keepsLayers: keepsLayers)
  }

  /// What an engine with these steps records: every tap, in float32. Where the model refuses its own wrong values, the
  /// trace ends.
  public func trace(_ steps: StepSet) throws -> MemoryTrace {
    let trace = MemoryTrace(precision: .fp32, numerics: numerics, angles: .float32)
    let model: LanguageModel<Float> = try model(steps, angles: .float32, keepsLayers: true)
    try run(
      model, steps: steps, into: trace, Hooks(numerics: Numerics(numerics, steps: steps.quantization), recorder: trace))
    return trace
  }

  /// Feeds a model all pieces, as far as it takes them.
  ///
  /// - Parameters:
  ///   - model: of this scenario
  ///   - steps: those of the model, for roll-backs
  ///   - trace: is told where each call begins
  ///   - hooks: with a recorder that hands on to the trace
  public func run<Scalar: RealScalar>(
    _ model: LanguageModel<Scalar>, steps: StepSet, into trace: MemoryTrace, _ hooks: Hooks
  ) throws {
    var state = model.emptyState
    for (number, piece) in pieces.enumerated() {
      let start = state.position
      let ids = (0..<abs(piece)).map { place in
        let word = UInt64(start + place) &+ (piece < 0 ? UInt64(number) &* 7919 : 0)
        return Int(splitmix64(UInt64(seed) &* 1_000_003 &+ word) % UInt64(configuration.vocabularySize))
      }
      trace.begin(start: start, tokenIDs: ids)
      guard (try? model(ids, state: &state, hooks: hooks)) != nil else { break }
      if piece < 0 { try state.rollBack(to: start, steps: steps.state) }
    }
  }
}
