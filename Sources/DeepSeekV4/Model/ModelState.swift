import CoreAttention
import Tensors

/// What a model remembers of a sequence: a value.
public struct ModelState<Scalar: RealScalar>: Equatable, Sendable {
  /// Of each layer.
  public internal(set) var layers: [AttentionState<Scalar>]
  /// Of the MTP block, which is always one token behind: the last token still waits for its successor.
  public internal(set) var prediction: AttentionState<Scalar>?
  /// The streams after the last layer of recent tokens, `[·, n·d]`: what the MTP block pairs with the next token.
  var recentStreams: RowStore<Scalar>
  /// The tokens seen: the position of the next one.
  public private(set) var position = 0

  init(layers: [AttentionState<Scalar>], prediction: AttentionState<Scalar>?, recentStreams: RowStore<Scalar>) {
    self.layers = layers
    self.prediction = prediction
    self.recentStreams = recentStreams
  }

  /// Bytes that it occupies, in the scalar type of the path.
  public var byteCount: Int {
    layers.reduce(0) { $0 + $1.byteCount } + (prediction?.byteCount ?? 0) + recentStreams.byteCount
  }

  /// Ends a call.
  mutating func finish(tokens: Int, depth: Int) {
    position += tokens
    recentStreams.forget(before: position - depth - 1)
  }

  /// Forgets every token from a position on, as if it had never been seen: rejected speculation.
  ///
  /// - Parameters:
  ///   - position: at most the present one
  ///   - steps: the correct ones, or those of a known bug
  /// - Throws: `InputError` if that lies in the future, or so far back that what it needs is gone.
  public mutating func rollBack(to position: Int, steps: any StateSteps = .reference) throws(InputError) {
    var earlier = self
    for index in layers.indices { try steps.rollBack(&earlier.layers[index], to: position) }
    if earlier.prediction != nil {
      try steps.rollBackPrediction(&earlier.prediction!, to: max(position - 1, 0))
    }
    earlier.recentStreams.cut(from: position)
    earlier.position = position
    self = earlier
  }
}
