/// What the toy refuses.
public struct BadInput: Error {}

/// A toy engine's own Sinkhorn in float32: `shape` is `[T, n, n]`, the matrices row-major.
///
/// - Throws: `BadInput` if the matrices are not square, there are no iterations or epsilon is negative.
public func toySinkhorn(_ logits: [Float], shape: [Int], iterations: Int, epsilon: Float) throws -> [Float] {
  guard shape.count == 3, shape[1] == shape[2], iterations >= 1, epsilon >= 0 else { throw BadInput() }
  let (n, size) = (shape[1], shape[1] * shape[1])
  return stride(from: 0, to: logits.count, by: size).flatMap { start in
    toySinkhorn(Array(logits[start..<start + size]), n: n, iterations: iterations, epsilon: epsilon)
  }
}

/// One n × n matrix.
private func toySinkhorn(_ logits: [Float], n: Int, iterations: Int, epsilon: Float) -> [Float] {
  var matrix = logits
  for row in 0..<n {
    let range = row * n..<(row + 1) * n
    let largest = matrix[range].max() ?? 0
    let exponentials = matrix[range].map { exponential($0 - largest) }
    let sum = exponentials.reduce(0, +)
    matrix.replaceSubrange(range, with: exponentials.map { $0 / sum + epsilon })
  }
  divideColumns(&matrix, n, epsilon)
  for _ in 1..<iterations {
    for row in 0..<n {
      let range = row * n..<(row + 1) * n
      let sum = matrix[range].reduce(0, +) + epsilon
      for index in range { matrix[index] /= sum }
    }
    divideColumns(&matrix, n, epsilon)
  }
  return matrix
}

private func divideColumns(_ matrix: inout [Float], _ n: Int, _ epsilon: Float) {
  for column in 0..<n {
    let sum = stride(from: column, to: n * n, by: n).reduce(epsilon) { $0 + matrix[$1] }
    for index in stride(from: column, to: n * n, by: n) { matrix[index] /= sum }
  }
}

/// eˣ for x ≤ 0, so that the toy needs no library: e^(x/2ᵏ) by its series, squared k times, in Double.
private func exponential(_ x: Float) -> Float {
  let small = Double(x) / 1024
  var (term, sum) = (1.0, 1.0)
  for order in 1..<18 {
    term *= small / Double(order)
    sum += term
  }
  for _ in 0..<10 { sum *= sum }
  return Float(sum)
}
