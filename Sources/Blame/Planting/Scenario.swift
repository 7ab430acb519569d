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

  public init(
    _ name: String, _ configuration: ModelConfiguration, pieces: [Int], numerics: NumericsMode = .exact, seed: Int = 1,
    roundsWeights: Bool = false
  ) {
    self.name = name
    self.configuration = configuration
    self.pieces = pieces
    self.numerics = numerics
    self.seed = seed
    self.roundsWeights = roundsWeights
  }

  /// The model, correct or with a wrong step.
  public func model<Scalar: RealScalar>(_ steps: StepSet, angles: AnglePolicy) throws -> LanguageModel<Scalar> {
    let weights = GeneratedWeights(
      seed: seed, configuration: configuration, rounded: roundsWeights, steps: steps.quantization)
    return try LanguageModel(configuration, weights: weights, steps: steps, angles: angles)
  }

  /// What an engine with these steps records: every tap, in float32.
  ///
  /// - Throws: `InputError` if the wrong step makes the model refuse its own values.
  public func trace(_ steps: StepSet) throws -> MemoryTrace {
    let trace = MemoryTrace(precision: .fp32, numerics: numerics, angles: .float32)
    let model: LanguageModel<Float> = try model(steps, angles: .float32)
    let hooks = Hooks(numerics: Numerics(numerics, steps: steps.quantization), recorder: trace)
    var state = model.emptyState
    for (number, piece) in pieces.enumerated() {
      let start = state.position
      let ids = (0..<abs(piece)).map { place in
        let word = UInt64(start + place) &+ (piece < 0 ? UInt64(number) &* 7919 : 0)
        return Int(splitmix64(UInt64(seed) &* 1_000_003 &+ word) % UInt64(configuration.vocabularySize))
      }
      trace.begin(start: start, tokenIDs: ids)
      _ = try model(ids, state: &state, hooks: hooks)
      if piece < 0 { try state.rollBack(to: start, steps: steps.state) }
    }
    return trace
  }
}
