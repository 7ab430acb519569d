import Taps
import Tensors

// Axes: h heads, c head width, n entries that a query sees.

/// How many slots the deployed attention takes at a time.
private let slotsPerBlock = 64

/// Core attention of one query as the deployed model sums it: block by block, with exponentials rounded to BF16 before
/// they meet the entries, but not before they are summed.
///
/// ```
/// for each block of 64 slots:   m′ = max(m, scores of the block)
///                               p  = exp(score − m′)
///                               sum = sum · exp(m − m′) + Σ p
///                               acc = acc · exp(m − m′) + Σ BF16(p) · entry
/// output = acc / (sum + exp(sink − m))
/// ```
///
/// - Parameters:
///   - scores: scaled, `[h, n]`
///   - slots: the slot of each entry, ascending: the window has as many slots as it is wide, filled or empty, and
///     compressed entries come after them
///   - entries: `[n, c]`
///   - sinks: `[h]`
/// - Returns: `[h, c]`
/// - Throws: `InputError` if shapes do not fit each other.
func onlineAttention<Scalar: RealScalar>(
  _ scores: Tensor<Scalar>, slots: [Int], entries: Tensor<Scalar>, sinks: Tensor<Scalar>, hooks: Hooks
) throws(InputError) -> Tensor<Scalar> {
  let heads = scores.shape[0]
  let width = entries.shape[1]
  let rows = try scores.transposed()
  var largest = Tensor<Scalar>(repeating: -.infinity, shape: [heads, 1])
  var sum = Tensor<Scalar>(repeating: 0, shape: [heads, 1])
  var accumulator = Tensor<Scalar>(repeating: 0, shape: [heads, width])
  var first = 0
  while first < slots.count {
    let block = slots[first] / slotsPerBlock
    let end = slots[first...].firstIndex { $0 / slotsPerBlock != block } ?? slots.count
    let blockScores = try rows.rows(first..<end).transposed()
    let newLargest = try blockScores.maximum(over: .rows).largerOf(largest)
    let kept = try (largest - newLargest).map(Scalar.exponential)
    let exponentials = try (blockScores - newLargest).map(Scalar.exponential)
    sum = try sum * kept + exponentials.sum(over: .rows)
    accumulator = try accumulator * kept + matrixProduct(hooks.activation(exponentials), entries.rows(first..<end))
    largest = newLargest
    first = end
  }
  let sinkColumn = try sinks.reshaped([heads, 1])
  return try accumulator / (sum + (sinkColumn - largest).map(Scalar.exponential))
}
