import DeepSeekV4
import HyperConnections
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+Model.swift.

// MARK: Configuration

/// A model that is built with other numbers than those of its config.json.
struct OtherNumbers: ModelSteps {
  let change: @Sendable (inout ModelConfiguration) -> Void

  func configuration(_ read: ModelConfiguration) -> ModelConfiguration { read.with(change) }
}

// MARK: Layers

/// Blocks for multi-token prediction are counted among the layers, or taken from them.
struct MoreDecoderLayers: ModelSteps {
  let morePerBlock: Int

  func decoderLayers(_ layers: Int, predictionBlocks: Int) -> Int { layers + morePerBlock * predictionBlocks }
}

struct OneMoreHashLayer: ModelSteps {
  func routesByTable(layer: Int, hashLayers: Int) -> Bool { layer <= hashLayers }
}

// MARK: Multi-token prediction

struct TokenNotShifted: ModelSteps {
  func pairedToken(position: Int) -> Int { position }
}

/// The head of the model collapses the streams, and n copies of the result go on.
struct StreamsCollapsed: ModelSteps {
  func predictionStreams<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, head: HyperConnectionHead<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try head(streams).collapsed.repeated(as: streams.shape)
  }
}

struct FirstStreamOnly: ModelSteps {
  func predictionStreams<Scalar: RealScalar>(
    _ streams: Tensor<Scalar>, head: HyperConnectionHead<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let (tokens, width) = (streams.shape[0], streams.shape[2])
    let first = try streams.reshaped([tokens, streams.shape[1] * width]).lastAxis(0..<width)
    return try first.repeated(as: streams.shape)
  }
}

struct EmbeddingInFirstStreamOnly: ModelSteps {
  func predictionJoined<Scalar: RealScalar>(
    embedding: Tensor<Scalar>, streams: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    let (tokens, count, width) = (streams.shape[0], streams.shape[1], streams.shape[2])
    let rest = Tensor<Scalar>(repeating: 0, shape: [tokens, (count - 1) * width])
    return try streams + embedding.joiningLastAxis(rest).reshaped(streams.shape)
  }
}

struct HeadOfTheModel: ModelSteps {
  func predictionHead<Scalar: RealScalar>(
    own: HyperConnectionHead<Scalar>, ofTheModel: HyperConnectionHead<Scalar>
  ) -> HyperConnectionHead<Scalar> {
    ofTheModel
  }
}

extension Tensor where Element: RealScalar {
  /// `[T, d]` to `[T, n, d]`: the same in every stream.
  fileprivate func repeated(as shape: [Int]) throws(InputError) -> Tensor {
    try reshaped([shape[0], 1, shape[2]]) + Tensor(repeating: 0, shape: shape)
  }
}
