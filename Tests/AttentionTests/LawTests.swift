import CompressedSparseAttention
import CoreAttention
import HeavilyCompressedAttention
import KnownBugs
import Tensors
import TestSupport
import Testing

/// The laws of decoding, each tried on at least 200 random layers, splits and inputs. A failure prints the kind of layer
/// and the seed; the same seed gives the same layer, split and input again.
@Suite struct LawTests {
  static let trials = 70  // for each of three kinds of layers

  /// Runs a law on many seeds for each kind, and counts them.
  private func forAll(
    _ law: UInt64, kinds: [RandomLayer<Float>.Kind] = RandomLayer<Float>.Kind.allCases, trials: Int = trials,
    _ trial: (RandomLayer<Float>.Kind, inout SeededGenerator) throws -> Bool
  ) throws {
    var count = 0
    for kind in kinds {
      for number in 0..<trials {
        let seed = law * 1_000_000 + UInt64(number)
        var generator = SeededGenerator(seed: seed)
        let holds = try trial(kind, &generator)
        #expect(holds, "law \(law), \(kind), seed \(seed)")
        count += 1
      }
    }
    #expect(count >= 200)
  }

  @Test func law1_anySplitIntoChunksGivesTheSameBits() throws {
    try forAll(1) { kind, generator in
      let layer = try RandomLayer<Float>(kind, &generator)
      let hidden: Tensor<Float> = try generator.normals([Int.random(in: 1...40, using: &generator), layer.width])
      var state = layer.empty()
      let split = try layer.feed(hidden, 0..<hidden.shape[0], state: &state, &generator)
      return try split == layer.prefill(hidden)
    }
  }

  @Test func law2_aTokenChangesItselfAndNothingBefore() throws {
    try forAll(2) { kind, generator in
      let layer = try RandomLayer<Float>(kind, &generator)
      let tokens = Int.random(in: 1...30, using: &generator)
      let hidden: Tensor<Float> = try generator.normals([tokens, layer.width])
      let changed = Int.random(in: 0..<tokens, using: &generator)
      var other = hidden
      for channel in 0..<layer.width { other[changed, channel] += Float(1 + generator.normal()) }
      let (before, after) = (try layer.prefill(hidden), try layer.prefill(other))
      let sameBefore = try before.rows(0..<changed) == after.rows(0..<changed)
      let differsThere = try before.rows(changed..<changed + 1) != after.rows(changed..<changed + 1)
      return sameBefore && differsThere
    }
  }

  @Test func law3_rollBackAndReplayEqualsNeverHavingSpeculated() throws {
    try forAll(3) { kind, generator in
      let layer = try RandomLayer<Float>(kind, &generator)
      let tokens = Int.random(in: 12...40, using: &generator)
      let hidden: Tensor<Float> = try generator.normals([tokens, layer.width])
      var (state, honest) = (layer.empty(), layer.empty())
      var position = Int.random(in: 1...10, using: &generator)
      var outputs = [try layer.feed(hidden, 0..<position, state: &state, &generator)]
      var expected = [try layer.feed(hidden, 0..<position, state: &honest, &generator)]
      while position < tokens {
        let speculated = Int.random(in: 1...9, using: &generator)
        let drafts: Tensor<Float> = try generator.normals([speculated, layer.width])
        _ = try layer.feed(drafts, 0..<speculated, state: &state, &generator, longest: speculated)
        try state.rollBack(to: position)
        let next = min(position + Int.random(in: 1...5, using: &generator), tokens)
        outputs.append(try layer.feed(hidden, position..<next, state: &state, &generator))
        expected.append(try layer.feed(hidden, position..<next, state: &honest, &generator))
        position = next
      }
      return outputs.map(\.elements).joined().elementsEqual(expected.map(\.elements).joined())
    }
  }

  @Test func law4_aBatchEqualsEachSequenceAlone() throws {
    try forAll(4) { kind, generator in
      let layer = try RandomLayer<Float>(kind, &generator)
      let lengths = (0..<3).map { _ in Int.random(in: 1...20, using: &generator) }
      let sequences: [Tensor<Float>] = try lengths.map { try generator.normals([$0, layer.width]) }
      let alone = try sequences.map(layer.prefill)

      var states = lengths.map { _ in layer.empty() }
      let packed = try layer.layer.packed(
        .concatenated(sequences, width: layer.width), lengths: lengths, states: &states)
      guard packed.elements.elementsEqual(alone.map(\.elements).joined()) else { return false }

      // Padding is garbage on purpose.
      let longest = lengths.max() ?? 1
      let rows = try sequences.map { sequence in
        try sequence.appending(Tensor(repeating: .nan, shape: [longest - sequence.shape[0], layer.width]))
      }
      states = lengths.map { _ in layer.empty() }
      let padded = try layer.layer.padded(.stacked(rows), lengths: lengths, states: &states)
      return try lengths.indices.allSatisfy { sequence in
        try padded.slice(sequence).rows(0..<lengths[sequence]) == alone[sequence]
      }
    }
  }

  /// Token t − W + 1 matters; token t − W does so only through compressed entries.
  @Test func law5_theEdgeOfTheWindow() throws {
    try forAll(5) { kind, generator in
      let layer = try RandomLayer<Float>(kind, &generator)
      let last = layer.window + Int.random(in: 0...10, using: &generator)
      let hidden: Tensor<Float> = try generator.normals([last + 1, layer.width])
      func outputChanges(_ token: Int) throws -> Bool {
        var other = hidden
        for channel in 0..<layer.width { other[token, channel] = -other[token, channel] + 0.5 }
        let (a, b) = (try layer.prefill(hidden), try layer.prefill(other))
        return try a.rows(last..<last + 1) != b.rows(last..<last + 1)
      }
      let inside = try outputChanges(last - layer.window + 1)
      let outside = try outputChanges(last - layer.window)
      // Without a compressed entry that holds it, what lies outside cannot be seen.
      let mayBeSeen = layer.ratio > 0 && (last + 1) / layer.ratio > (last - layer.window) / layer.ratio
      return inside && (mayBeSeen || !outside)
    }
  }

  /// With k at least the visible blocks, selecting changes nothing: the same entries, in another order.
  @Test func law6_withALargeTopKCSAIsDense() throws {
    try forAll(6, kinds: [.sparse], trials: 200) { _, generator in
      let tokens = Int.random(in: 1...40, using: &generator)
      let layer = try RandomLayer<Double>(.sparse, &generator, topK: 10)
      let hidden: Tensor<Double> = try generator.normals([tokens, layer.width])
      var state = layer.empty()
      let output = try layer.layer(hidden, state: &state)
      let everything = try #require(output.indexing)
      guard everything.selection.enumerated().allSatisfy({ $1.sorted() == Array(0..<($0 + 1) / 4) }) else {
        return false
      }

      // The same layer, its indexer replaced by one that takes every visible entry in order.
      let csa = try #require(layer.layer as? CompressedSparseLayer<Double>)
      var dense = layer.empty()
      let expected = try csa.core(hidden, state: &dense, hooks: .none) { (_, state) throws(InputError) in
        _ = try csa.core.compress(hidden, with: csa.compressor, state: &state, .none)
        return AttentionChoice(chosen: (0..<tokens).map { Array(0..<($0 + 1) / 4) })
      }.output
      return largestDifference(output.output, expected) < 1e-12
    }
  }

  @Test func law7_hadamardOnBothSidesChangesScoresByRoundingOnly() throws {
    try forAll(7, kinds: [.sparse], trials: 200) { _, generator in
      let heads = Int.random(in: 1...4, using: &generator)
      let width = 1 << Int.random(in: 0...6, using: &generator)
      let entries = Int.random(in: 1...9, using: &generator)
      let query: Tensor<Double> = try generator.normals([heads, width])
      let keys: Tensor<Double> = try generator.normals([entries, width])
      let weights: Tensor<Double> = try generator.normals([heads])
      let steps = ReferenceIndexerSteps()
      let plain = try steps.scores(query: query, keys: keys, weights: weights, hooks: .none)
      let both = try steps.scores(query: hadamard(query), keys: hadamard(keys), weights: weights, hooks: .none)
      guard largestDifference(plain, both) < 1e-12 * Double(width) else { return false }
      // One side alone is the known bug: it must not be the same.
      let oneSide = try steps.scores(query: hadamard(query), keys: keys, weights: weights, hooks: .none)
      return width == 1 || largestDifference(plain, oneSide) > 1e-9 || plain.elements.allSatisfy { $0 == 0 }
    }
  }

  /// A law that no wrong code breaks is worth nothing: known bugs of states and chunks have to break theirs.
  @Test(arguments: [
    "compressor-overlap-lost-in-decode", "compressor-never-runs-in-decode", "pool-masked-off-in-prefill",
  ])
  func law1_goesRedForBugsOfChunks(id: String) throws {
    let steps = try #require(KnownBug.all.first { $0.id == id }?.steps)
    var broken = 0
    for seed in 0..<20 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let layer = try RandomLayer<Float>(.sparse, &generator, steps: steps)
      let hidden: Tensor<Float> = try generator.normals([30, layer.width])
      var state = layer.empty()
      if try layer.feed(hidden, 0..<30, state: &state, &generator) != layer.prefill(hidden) { broken += 1 }
    }
    #expect(broken > 10)
  }

  @Test(arguments: ["state-write-pad-4", "state-save-tail-only", "state-rejected-rows-stay"])
  func law3_goesRedForBugsOfRollBack(id: String) throws {
    let steps = try #require(KnownBug.all.first { $0.id == id }?.steps)
    var broken = 0
    for seed in 0..<20 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let layer = try RandomLayer<Float>(.sparse, &generator)
      let hidden: Tensor<Float> = try generator.normals([30, layer.width])
      var state = layer.empty()
      _ = try layer.layer(hidden.rows(0..<14), state: &state)
      _ = try layer.layer(generator.normals([7, layer.width]), state: &state)
      try steps.state.rollBack(&state, to: 14)
      let output = try layer.layer(hidden.rows(14..<30), state: &state).output
      if try output != layer.prefill(hidden).rows(14..<30) { broken += 1 }
    }
    #expect(broken > 10)
  }

  @Test(arguments: ["pool-not-causal", "pool-visibility-one-more"])
  func law2_goesRedForLeaksFromTheFuture(id: String) throws {
    let steps = try #require(KnownBug.all.first { $0.id == id }?.steps)
    var leaks = 0
    for seed in 0..<20 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let layer = try RandomLayer<Float>(.heavy, &generator, steps: steps)
      let hidden: Tensor<Float> = try generator.normals([20, layer.width])
      // The last token of a block: seen too early by those before it in the block.
      let changed = 2 * max(layer.ratio, 1) - 1
      var other = hidden
      for channel in 0..<layer.width { other[changed, channel] += 3 }
      if try layer.prefill(hidden).rows(0..<changed) != layer.prefill(other).rows(0..<changed) { leaks += 1 }
    }
    #expect(leaks > 5)
  }
}
