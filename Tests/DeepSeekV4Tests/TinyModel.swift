import DeepSeekV4
import Taps
import TestSupport

/// A tiny model of generated weights.
func tinyModel(
  _ configuration: ModelConfiguration = .tiny, seed: Int = 7, steps: StepSet = StepSet(), rollBackDepth: Int = 16
) throws -> LanguageModel<Double> {
  try LanguageModel(
    configuration, weights: GeneratedWeights(seed: seed, configuration: configuration, rounded: false), steps: steps,
    angles: .exact, rollBackDepth: rollBackDepth)
}

/// Token ids of a seeded generator.
func tokenIDs(_ count: Int, of configuration: ModelConfiguration, seed: UInt64) -> [Int] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Int(generator.next() % UInt64(configuration.vocabularySize)) }
}
