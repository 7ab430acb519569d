import CoreAttention
import LowPrecision
import RotaryEmbedding
import Taps
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+Attention.swift.

private let correct = ReferenceAttentionSteps()

// MARK: Which rotary embedding

/// The YaRN of the released models, for layers that should have none.
private let releasedYarn = YaRN(factor: 16, originalLength: 65_536, betaFast: 32, betaSlow: 1)

struct MainThetaOnCompressedLayers: AttentionSteps {
  func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration {
    ratio > 0 ? rotary.replacing(theta: rotary.theta == 10_000 ? 500 : 10_000, yarn: nil) : rotary
  }
}

struct CompressThetaOnSlidingLayers: AttentionSteps {
  func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration {
    ratio == 0 ? rotary.replacing(theta: 160_000, yarn: releasedYarn) : rotary
  }
}

struct YarnOnSlidingLayers: AttentionSteps {
  func rotaryForTokens(_ rotary: RotaryConfiguration, ratio: Int) -> RotaryConfiguration {
    ratio == 0 ? rotary.replacing(theta: rotary.theta, yarn: releasedYarn) : rotary
  }
}

struct YarnScalesSoftmax: AttentionSteps {
  func scale<Scalar: RealScalar>(headWidth: Int, rotary: RotaryConfiguration) -> Scalar {
    let factor = rotary.yarn.map(mscale) ?? 1
    return correct.scale(headWidth: headWidth, rotary: rotary) * Scalar(factor * factor)
  }
}

struct NotDerotated: AttentionSteps {
  func derotated<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, positions: [Int], rotary: RotaryConfiguration, rotarySteps: any RotarySteps
  ) throws(InputError) -> Tensor<Scalar> {
    attended
  }
}

// MARK: Norms

struct HeadsNotNormalized: AttentionSteps {
  func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    queries
  }
}

struct LatentNotNormalized: AttentionSteps {
  func normalizedLatent<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    projected
  }
}

struct WindowNormOffset: AttentionSteps {
  func normalizedEntry<Scalar: RealScalar>(
    _ projected: Tensor<Scalar>, norm: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.normalizedEntry(projected, norm: norm + 1, epsilon: epsilon)
  }
}

// MARK: What a token sees

struct WindowUnbounded: AttentionSteps {
  func visibleWindow(at position: Int, window: Int) -> Range<Int> { 0..<position + 1 }
}

struct WindowOneMore: AttentionSteps {
  func visibleWindow(at position: Int, window: Int) -> Range<Int> {
    correct.visibleWindow(at: position, window: window + 1)
  }
}

struct WindowOneLess: AttentionSteps {
  func visibleWindow(at position: Int, window: Int) -> Range<Int> {
    correct.visibleWindow(at: position, window: max(window - 1, 1))
  }
}

struct BlockOfTheQueryVisible: AttentionSteps {
  func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int {
    ratio > 0 ? min(position / ratio + 1, finished) : 0
  }
}

struct OwnBlockHidden: AttentionSteps {
  func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int {
    ratio > 0 ? position / ratio : 0
  }
}

struct AllBlocksVisible: AttentionSteps {
  func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int { finished }
}

struct PoolMaskedInPrefill: AttentionSteps {
  func visibleBlocks(at position: Int, ratio: Int, finished: Int, chunkLength: Int) -> Int {
    chunkLength > 1
      ? 0 : correct.visibleBlocks(at: position, ratio: ratio, finished: finished, chunkLength: chunkLength)
  }
}

// MARK: The softmax

struct SinkMissing: AttentionSteps {
  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try scores.softmax()
  }
}

/// The sink as an entry of zeros with logit 0.
struct SinkAsEmptyEntry: AttentionSteps {
  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.probabilities(
      scores, sinks: Tensor(repeating: 0, shape: sinks.shape), window: window, visibleWindow: visibleWindow)
  }
}

struct SinksMisread: AttentionSteps {
  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.probabilities(
      scores, sinks: misreadAsBFloat16(sinks), window: window, visibleWindow: visibleWindow)
  }
}

/// Every empty slot of the window counts as an entry of zeros with logit 0.
struct EmptySlotsCounted: AttentionSteps {
  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    let (heads, seen) = (scores.shape[0], scores.shape[1])
    let empty = Tensor<Scalar>(repeating: 0, shape: [max(window - visibleWindow, 0), heads])
    let all = try scores.transposed().appending(empty).transposed()
    return try correct.probabilities(all, sinks: sinks, window: window, visibleWindow: visibleWindow)
      .lastAxis(0..<seen)
  }
}

struct ProbabilitiesInBFloat16: AttentionSteps {
  func probabilities<Scalar: RealScalar>(
    _ scores: Tensor<Scalar>, sinks: Tensor<Scalar>, window: Int, visibleWindow: Int
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.probabilities(scores, sinks: sinks, window: window, visibleWindow: visibleWindow)
      .map(SmallFloat.bfloat16.rounded)
  }
}

// MARK: The output

/// Group j takes heads j, j + g, … instead of neighbours.
struct GroupsInterleaved: AttentionSteps {
  func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let (tokens, heads) = (attended.shape[0], attended.shape[1])
    var rows: [Tensor<Scalar>] = []
    for token in 0..<tokens {
      let row = try attended.slice(token)
      let order = (0..<groups).flatMap { group in stride(from: group, to: heads, by: groups) }
      var picked: [Tensor<Scalar>] = []
      for head in order { picked.append(try row.slice(head)) }
      rows.append(try .stacked(picked))
    }
    return try correct.groupedOutput(.stacked(rows), groups: groups, down: down, up: up, hooks: hooks)
  }
}

/// The input of the first matrices in FP8, too, with one scale for each head. Only where linear inputs are quantized.
struct GroupInputsQuantized: AttentionSteps {
  func groupedOutput<Scalar: RealScalar>(
    _ attended: Tensor<Scalar>, groups: Int, down: Tensor<Scalar>, up: Tensor<Scalar>, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    let input =
      hooks.numerics.rounds(.linearInput)
      ? try BlockQuantization(.float8E4M3, columns: attended.shape[2]).rounded(attended) : attended
    return try correct.groupedOutput(input, groups: groups, down: down, up: up, hooks: hooks)
  }
}

// MARK: Deployed numerics

struct HeadNormUnrounded: AttentionSteps {
  func normalizedHeads<Scalar: RealScalar>(
    _ queries: Tensor<Scalar>, epsilon: Scalar, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try hooks.activation(correct.normalizedHeads(queries, epsilon: epsilon, hooks: .none))
  }
}

struct ExponentialsUnrounded: AttentionSteps {
  func attend<Scalar: RealScalar>(
    _ query: Tensor<Scalar>, entries: Tensor<Scalar>, sinks: Tensor<Scalar>, rotary: RotaryConfiguration,
    window: Int, visibleWindow: Int, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.attend(
      query, entries: entries, sinks: sinks, rotary: rotary, window: window, visibleWindow: visibleWindow, hooks: .none)
  }
}

/// Blocks of 64 slots are counted as if the window had no empty slots.
struct EmptySlotsSkipped: AttentionSteps {
  func attend<Scalar: RealScalar>(
    _ query: Tensor<Scalar>, entries: Tensor<Scalar>, sinks: Tensor<Scalar>, rotary: RotaryConfiguration,
    window: Int, visibleWindow: Int, hooks: Hooks
  ) throws(InputError) -> Tensor<Scalar> {
    try correct.attend(
      query, entries: entries, sinks: sinks, rotary: rotary, window: visibleWindow, visibleWindow: visibleWindow,
      hooks: hooks)
  }
}
