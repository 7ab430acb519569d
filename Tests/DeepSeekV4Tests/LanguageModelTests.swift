import DeepSeekV4
import Taps
import Tensors
import TestSupport
import Testing

/// Laws of the whole model; its values are in the golden cases.
struct LanguageModelTests {
  @Test(arguments: [NumericsMode.exact, .simulated, .deployed])
  func piecesDoNotMatterByOneBit(_ mode: NumericsMode) throws {
    let configuration = mode == .exact ? ModelConfiguration.tiny : .tinyDeployed
    let model = try tinyModel(configuration)
    let ids = tokenIDs(11, of: configuration, seed: 1)
    let hooks = Hooks(numerics: Numerics(mode))
    var whole = model.emptyState
    let expected = try model(ids, state: &whole, hooks: hooks)
    var state = model.emptyState
    var logits: [Tensor<Double>] = []
    var predicted: [Tensor<Double>] = []
    for piece in [0..<1, 1..<5, 5..<6, 6..<11] {
      let output = try model(Array(ids[piece]), state: &state, hooks: hooks)
      logits.append(output.logits)
      if let prediction = output.prediction { predicted.append(prediction.logits) }
    }
    let width = configuration.vocabularySize
    let joined = try Tensor.concatenated(logits, width: width)
    let joinedPrediction = try Tensor.concatenated(predicted, width: width)
    #expect(joined == expected.logits)
    #expect(joinedPrediction == expected.prediction?.logits)
    #expect(state == whole)
  }

  @Test func rejectedTokensLeaveNothingBehind() throws {
    let model = try tinyModel()
    let ids = tokenIDs(9, of: .tiny, seed: 2)
    var plain = model.emptyState
    _ = try model(Array(ids[..<5]), state: &plain)
    var speculated = plain
    _ = try model([3, 1, 4, 1, 5, 9], state: &speculated)
    try speculated.rollBack(to: 5)
    let rest = Array(ids[5...])
    let expected = try model(rest, state: &plain)
    let got = try model(rest, state: &speculated)
    #expect(got.logits == expected.logits)
    #expect(got.prediction?.logits == expected.prediction?.logits)
  }

  @Test func rollBackRefusesTheFutureAndTheForgotten() throws {
    let model = try tinyModel(rollBackDepth: 2)
    var state = model.emptyState
    _ = try model(tokenIDs(9, of: .tiny, seed: 3), state: &state)
    let before = state
    #expect(throws: InputError.self) { try state.rollBack(to: 10) }
    #expect(throws: InputError.self) { try state.rollBack(to: 1) }
    #expect(state == before)
  }

  @Test func anErrorLeavesTheStateAsItWas() throws {
    let model = try tinyModel(.tiny.with { $0.maximumPositions = 6 })
    var state = model.emptyState
    _ = try model([1, 2, 3], state: &state)
    let before = state
    #expect(throws: InputError("model", "token id 48 at position 4 is outside the vocabulary of 48")) {
      try model([1, 48], state: &state)
    }
    #expect(throws: InputError("model", "position 6 is beyond the maximum of 6 positions")) {
      try model([1, 2, 3, 4], state: &state)
    }
    #expect(throws: InputError("model", "needs at least one token")) { try model([], state: &state) }
    #expect(state == before)
  }

  @Test func layersReadAtEveryCallGiveTheSame() throws {
    let weights = GeneratedWeights(seed: 7, configuration: .tiny, rounded: false)
    let streaming = try LanguageModel<Double>(.tiny, weights: weights, angles: .exact, keepsLayers: false)
    let kept = try tinyModel()
    var (a, b) = (streaming.emptyState, kept.emptyState)
    let ids = tokenIDs(6, of: .tiny, seed: 4)
    let fromFile = try streaming(ids, state: &a).logits
    let fromMemory = try kept(ids, state: &b).logits
    #expect(fromFile == fromMemory)
  }

  @Test func laterTokensDoNotReachEarlierOnes() throws {
    let model = try tinyModel()
    var ids = tokenIDs(10, of: .tiny, seed: 5)
    var state = model.emptyState
    let one = try model(ids, state: &state).logits
    ids[9] = (ids[9] + 1) % 48
    state = model.emptyState
    let other = try model(ids, state: &state).logits
    let (oneBefore, otherBefore) = (try one.rows(0..<9), try other.rows(0..<9))
    let (oneAfter, otherAfter) = (try one.rows(9..<10), try other.rows(9..<10))
    #expect(oneBefore == otherBefore)
    #expect(oneAfter != otherAfter)
  }

  @Test func samplingIsDeterministicAndGreedyTakesTheFirstOfEqualOnes() throws {
    let logits = try Tensor<Double>(shape: [4], elements: [1, 3, 3, 2])
    let best = try Sampling.greedy.token(logits)
    #expect(best == 1)
    let draws = try (0..<200).map { try Sampling.seeded(5, temperature: 1).token(logits, position: $0) }
    let again = try (0..<200).map { try Sampling.seeded(5, temperature: 1).token(logits, position: $0) }
    #expect(draws == again)
    #expect(Set(draws) == [0, 1, 2, 3])
    let cold = try Sampling.seeded(5, temperature: 1e-3).token(logits, position: 1)
    #expect(cold == 1 || cold == 2)
    #expect(throws: InputError.self) { try Sampling.seeded(1, temperature: 0).token(logits) }
    #expect(throws: InputError.self) {
      try Sampling.greedy.token(Tensor<Double>(shape: [2], elements: [.nan, 1]))
    }
  }
}
