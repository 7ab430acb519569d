import Tensors

/// What is done to a state between calls, with the correct default; a known bug overrides it.
public protocol StateSteps: Sendable {
  func rollBack<Scalar: RealScalar>(_ state: inout AttentionState<Scalar>, to position: Int) throws(InputError)

  func rollBackPrediction<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError)
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceStateSteps: StateSteps {
  public init() {}
}

extension StateSteps where Self == ReferenceStateSteps {
  /// The correct steps.
  public static var reference: ReferenceStateSteps { ReferenceStateSteps() }
}

extension StateSteps {
  /// Takes speculative tokens back: the state is as if they had never been seen.
  ///
  /// - Throws: `InputError` if `position` lies in the future or too far back.
  public func rollBack<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    try state.rollBack(to: position)
  }

  /// The same for the state of a block for multi-token prediction, which is one token behind.
  ///
  /// - Throws: `InputError` if `position` lies in the future or too far back.
  public func rollBackPrediction<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    try rollBack(&state, to: position)
  }
}
