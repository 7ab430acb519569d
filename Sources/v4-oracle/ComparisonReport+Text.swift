import Comparison
import Conformance
import GoldenTensors

extension ComparisonReport {
  /// What is printed: the verdict first, then every tensor in the order of computation, then what did not match.
  var text: String {
    var parts = [verdictLine, "  judged as \(precision.rawValue); tolerances: \(basis)"]
    if !tensors.isEmpty { parts.append(table) }
    if let logits { parts.append(logits.text + (passed ? "" : "\n" + Self.advice)) }
    let lists = [
      ("MISSING", missing), ("LEFT OVER", extra), ("WRONG", problems), ("allowed to be missing", allowedMissing),
      ("allowed to be left over", allowedExtra), ("note", notes),
    ]
    let lines = lists.flatMap { word, names in names.map { "\(word)  \($0)" } }
    if !lines.isEmpty { parts.append(lines.joined(separator: "\n")) }
    return parts.joined(separator: "\n\n")
  }

  /// The verdict and the worst thing, in one line.
  var verdictLine: String { "\(passed ? "PASSED" : "FAILED")  \(headline)" }

  private var table: String {
    var table = TextTable([
      ("tensor", .left), ("verdict", .left), ("error ÷ tolerance", .right), ("tolerance", .right), ("max abs", .right),
      ("max ÷ scale", .right), ("RMS", .right), ("worst row", .right), ("cosine", .right), ("types", .left),
      ("remark", .left),
    ])
    for tensor in tensors { table.append(row(tensor)) }
    return table.text
  }

  private func row(_ tensor: TensorVerdict) -> [String] {
    let errors = tensor.errors
    func number(_ value: Double?) -> String { value.map(brief) ?? "" }
    let types =
      tensor.expectedType == tensor.candidateType
      ? tensor.expectedType : "\(tensor.expectedType) / \(tensor.candidateType)"
    let ties = tensor.ties.map { "\($0) tokens with ties" }
    return [
      tensor.name, tensor.verdict.rawValue, brief(tensor.multiple), number(tensor.tolerance), number(errors?.largest),
      number(errors.map { $0.largest == 0 ? 0 : $0.largest / $0.scale }), number(errors?.relativeRMS),
      errors.map { $0.worstRowRMS == 0 ? "0" : "\(brief($0.worstRowRMS)) in \($0.worstRow)" } ?? "",
      errors.map { $0.isIdentical ? "identical" : "\(figure($0.cosine))" } ?? "", types,
      [ties, tensor.remark].compactMap { $0 }.joined(separator: "; "),
    ]
  }

  private static let advice = """
      To see where it begins, dump layers.*.hc_ffn.streams, the streams after each layer, and compare these; then all
      taps of the first layer that differs, and ask v4-oracle explain.
    """
}

extension LogitsComparison {
  fileprivate var text: String {
    var lines = [
      "  positions: \(positions); the same highest logit at \(agreements)",
      "  KL(expected ‖ candidate): mean \(brief(meanKL)) nats, worst \(brief(worstKL)) at position \(worstPosition)",
    ]
    if let first = firstDivergence {
      let why =
        first.isWithinTolerance
        ? "the precision can cause that: either token is right" : "more than the precision can cause"
      lines.append(
        "  first divergent token: position \(first.position), expected \(first.expectedToken), got "
          + "\(first.candidateToken); the expected margin is \(brief(first.margin)), \(why)")
    }
    return lines.joined(separator: "\n")
  }
}
