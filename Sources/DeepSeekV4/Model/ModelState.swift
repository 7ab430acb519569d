import CoreAttention
import Tensors

/// What a model remembers of a sequence: a value.
public struct ModelState<Scalar: RealScalar>: Equatable, Sendable {
  /// Of each layer.
  public internal(set) var layers: [AttentionState<Scalar>]
  /// Of the MTP block; nil in a model without one.
  public internal(set) var prediction: PredictionState<Scalar>?
  /// The tokens seen: the position of the next one.
  public private(set) var position = 0

  init(layers: [AttentionState<Scalar>], prediction: PredictionState<Scalar>?) {
    self.layers = layers
    self.prediction = prediction
  }

  /// Bytes that it occupies, in the scalar type of the path.
  public var byteCount: Int {
    layers.reduce(0) { $0 + $1.byteCount } + (prediction?.byteCount ?? 0)
  }

  /// Ends a call.
  mutating func finish(tokens: Int) { position += tokens }

  /// Forgets every token from a position on, as if it had never been seen: rejected speculation.
  ///
  /// - Parameters:
  ///   - position: at most the present one
  ///   - steps: the correct ones, or those of a known bug
  /// - Throws: `InputError` if that lies in the future, or so far back that what it needs is gone.
  public mutating func rollBack(to position: Int, steps: any StateSteps = .reference) throws(InputError) {
    var earlier = self
    for index in layers.indices { try steps.rollBack(&earlier.layers[index], to: position) }
    try earlier.prediction?.rollBack(to: position, steps: steps)
    earlier.position = position
    self = earlier
  }
}

/// What a block for multi-token prediction remembers of a sequence: a value.
public struct PredictionState<Scalar: RealScalar>: Equatable, Sendable {
  /// Always one token behind: the last token still waits for its successor.
  public internal(set) var attention: AttentionState<Scalar>
  /// The streams after the last layer of recent tokens, `[·, n·d]`: what the block pairs with the next token.
  var recentStreams: RowStore<Scalar>

  /// Bytes that it occupies, in the scalar type of the path.
  public var byteCount: Int { attention.byteCount + recentStreams.byteCount }

  /// Ends a call.
  ///
  /// - Parameter position: of the next token
  mutating func finish(position: Int, depth: Int) { recentStreams.forget(before: position - depth - 1) }

  /// Forgets every token from a position on.
  ///
  /// - Throws: `InputError` if that lies in the future, or so far back that what it needs is gone.
  public mutating func rollBack(to position: Int, steps: any StateSteps = .reference) throws(InputError) {
    try steps.rollBackPrediction(&attention, to: max(position - 1, 0))
    recentStreams.cut(from: position)
  }
}
