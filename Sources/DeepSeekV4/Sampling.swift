import Tensors

/// How the next token is chosen from logits: for demonstrations.
public enum Sampling: Sendable {
  /// The largest logit; of equal ones the lowest id.
  case greedy
  /// By softmax of logits / temperature, from a seed; the same seed and position give the same token.
  case seeded(Int, temperature: Double)

  /// - Parameters:
  ///   - logits: `[V]`
  ///   - position: of the token that is chosen; what makes each draw another one
  /// - Throws: `InputError` if a logit is NaN, or the temperature is unusable.
  public func token<Scalar: RealScalar>(_ logits: Tensor<Scalar>, position: Int = 0) throws(InputError) -> Int {
    guard let best = logits.elements.indices.max(by: { logits.elements[$0] < logits.elements[$1] }),
      !logits.elements.contains(where: \.isNaN)
    else { throw InputError("sampling", "logits are empty or NaN") }
    switch self {
    case .greedy:
      return logits.elements.firstIndex(of: logits.elements[best]) ?? best
    case .seeded(let seed, let temperature):
      guard temperature.isFinite, temperature > 0 else {
        throw InputError("sampling", "the temperature must be positive, got \(temperature)")
      }
      let largest = logits.elements[best]
      let weights = logits.elements.map { Double.exponential(Double($0 - largest) / temperature) }
      let bits = splitmix64(UInt64(bitPattern: Int64(seed)) &* 1_000_003 &+ UInt64(position))
      var rest = Double(bits >> 11) * 0x1p-53 * weights.reduce(0, +)
      for (token, weight) in weights.enumerated() {
        rest -= weight
        if rest < 0 { return token }
      }
      return weights.lastIndex { $0 > 0 } ?? best
    }
  }
}
