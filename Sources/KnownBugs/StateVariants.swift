import CoreAttention
import Tensors

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+State.swift, or for multi-token
// prediction in KnownBug+Model.swift.

/// After more than four speculative tokens, the rows of the unfinished block are lost.
struct WideSpeculationLosesRows: StateSteps {
  func rollBack<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    let speculated = state.position - position
    try state.rollBack(to: position)
    guard speculated > 4, state.layout.ratio > 0 else { return }
    let block = position / state.layout.ratio * state.layout.ratio
    try state.erase(["compressor_key_values", "index_key_values"], from: block)
  }
}

/// Only the unfinished block is kept: what the next block needs of the one before it is lost.
struct OnlyTheTailIsSaved: StateSteps {
  func rollBack<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    try state.rollBack(to: position)
    guard state.layout.ratio > 0 else { return }
    let block = position / state.layout.ratio * state.layout.ratio
    try state.erase(["compressor_key_values", "index_key_values"], before: block)
  }
}

/// Compressed entries come back, the window does not.
struct WindowNotRestored: StateSteps {
  func rollBack<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    try state.rollBack(to: position)
    try state.erase(["window"], from: 0)
  }
}

/// The projected rows of rejected tokens stay where those of accepted ones should be.
struct RejectedRowsStay: StateSteps {
  func rollBack<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    // The tail that the rejected tokens left is what the next block is pooled from.
    let rejected = try state.archive()
    try state.rollBack(to: position)
    var archive = try state.archive()
    for name in ["compressor_key_values", "index_key_values"] {
      guard let tail = archive.tensors[name], let stale = rejected.tensors[name], tail.count > 0 else { continue }
      let elements = Array(stale.elements.suffix(tail.count))
      guard elements.count == tail.count else { continue }
      archive.tensors[name] = try Tensor(shape: tail.shape, elements: elements)
    }
    state = try AttentionState(archive)
  }
}

// MARK: Multi-token prediction

struct PredictionNotRolledBack: StateSteps {
  func rollBackPrediction<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {}
}

/// As far as the layers, which are one token ahead.
struct PredictionRolledBackLikeLayers: StateSteps {
  func rollBackPrediction<Scalar: RealScalar>(
    _ state: inout AttentionState<Scalar>, to position: Int
  ) throws(InputError) {
    try state.rollBack(to: min(position + 1, state.position))
  }
}

extension AttentionState {
  /// Sets rows to zero, in the parts of these names.
  fileprivate mutating func erase(
    _ names: [String], from first: Int = 0, before last: Int = .max
  ) throws(InputError) {
    var archive = try archive()
    for name in names {
      guard let rows = archive.tensors[name], let start = archive.counts["\(name)_start"] else { continue }
      let width = rows.shape[1]
      let elements = rows.elements.enumerated().map { offset, value in
        (first..<last).contains(start + offset / width) ? 0 : value
      }
      archive.tensors[name] = try Tensor(shape: rows.shape, elements: elements)
    }
    self = try AttentionState(archive)
  }
}
