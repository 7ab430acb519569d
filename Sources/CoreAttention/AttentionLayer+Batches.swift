import Tensors

// Axes: B sequences, T tokens of the longest or of all, d model width.

extension AttentionLayer {
  /// Sequences packed one after another, each with a state of its own.
  ///
  /// - Parameters:
  ///   - hidden: `[Σ lengths, d]`
  ///   - lengths: tokens of each sequence, at least 1
  ///   - states: one for each sequence
  /// - Returns: the outputs, `[Σ lengths, d]`
  /// - Throws: `InputError` if lengths, states and tokens do not fit each other, and as for one sequence; all
  ///   states are then as they were.
  public func packed(
    _ hidden: Tensor<Scalar>, lengths: [Int], states: inout [AttentionState<Scalar>]
  ) throws(InputError) -> Tensor<Scalar> {
    guard hidden.rank == 2, lengths.count == states.count, !lengths.isEmpty, lengths.allSatisfy({ $0 >= 1 }),
      lengths.reduce(0, +) == hidden.shape[0]
    else {
      throw InputError("attention", "lengths \(lengths) do not fit \(states.count) states and hidden \(hidden.shape)")
    }
    let width = hidden.shape[1]
    var first = 0
    var moved = states  // all sequences move on, or none
    var outputs: [Tensor<Scalar>] = []
    for (sequence, length) in lengths.enumerated() {
      let elements = Array(hidden.elements[first * width..<(first + length) * width])
      outputs.append(try self(Tensor(shape: [length, width], elements: elements), state: &moved[sequence]).output)
      first += length
    }
    states = moved
    return try .concatenated(outputs, width: width)
  }

  /// Sequences padded on the right to one length, each with a state of its own. Padding is not looked at and gives 0.
  ///
  /// - Parameters:
  ///   - hidden: `[B, T, d]`
  ///   - lengths: tokens of each sequence, between 1 and T
  ///   - states: one for each sequence
  /// - Returns: the outputs, `[B, T, d]`
  /// - Throws: `InputError` if lengths, states and tokens do not fit each other, and as for one sequence; all
  ///   states are then as they were.
  public func padded(
    _ hidden: Tensor<Scalar>, lengths: [Int], states: inout [AttentionState<Scalar>]
  ) throws(InputError) -> Tensor<Scalar> {
    guard hidden.rank == 3, hidden.shape[0] == lengths.count, !lengths.isEmpty,
      lengths.allSatisfy({ (1...hidden.shape[1]).contains($0) })
    else { throw InputError("attention", "lengths \(lengths) do not fit hidden \(hidden.shape)") }
    let (longest, width) = (hidden.shape[1], hidden.shape[2])
    var tokens: [Tensor<Scalar>] = []
    for (sequence, length) in lengths.enumerated() {
      let elements = Array(try hidden.slice(sequence).elements[..<(length * width)])
      tokens.append(try Tensor(shape: [length, width], elements: elements))
    }
    let outputs = try packed(.concatenated(tokens, width: width), lengths: lengths, states: &states)
    var first = 0
    var result: [Scalar] = []
    for length in lengths {
      result += outputs.elements[first * width..<(first + length) * width]
      result += Array(repeating: 0, count: (longest - length) * width)
      first += length
    }
    return try Tensor(shape: hidden.shape, elements: result)
  }
}
