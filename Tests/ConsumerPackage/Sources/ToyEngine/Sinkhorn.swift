/// A toy engine's own Sinkhorn: one n × n matrix, row-major, in float32.
public func toySinkhorn(_ logits: [Float], n: Int, iterations: Int, epsilon: Float) -> [Float] {
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
