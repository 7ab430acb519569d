import GoldenTensors

extension Verification {
  /// The report for people: a table, a line of coverage, and a screen for each failure.
  ///
  /// - Parameter manifest: for what each failing case is about
  public func report(_ manifest: GoldenManifest) -> String {
    var parts = [table, coverageLine]
    parts += inventoryFaults.map { "FAULT  \($0)" }
    parts += failures.map { failure in
      failure.screen(manifest.cases.first { $0.id == failure.id })
    }
    parts.append(conclusion)
    return parts.joined(separator: "\n\n")
  }

  private var table: String {
    var table = TextTable([
      ("component", .left), ("path", .left), ("cases", .right), ("passed", .right),
      ("worst error ÷ tolerance", .right), ("time", .right),
    ])
    for component in Set(results.map(\.component)).sorted() {
      for path in paths {
        let rows = results.filter { $0.component == component && $0.path == path }
        let multiples = rows.compactMap(\.worstMultiple)
        let worst = multiples.contains { $0.isNaN } ? Double.nan : multiples.max()
        table.append([
          component, path.rawValue, "\(rows.count)", "\(rows.count(where: \.passed))", worst.map(brief) ?? "–",
          Conformance.seconds(rows.map(\.seconds).reduce(0, +)),
        ])
      }
    }
    return table.text
  }

  private var coverageLine: String {
    """
    Covered: \(coverage.equationsCovered) of \(coverage.equations) equations by \(coverage.cases) cases that pass; \
    \(coverage.bugsKilled) of \(coverage.visibleBugs) visible known bugs would be caught.
    """
  }

  private var conclusion: String {
    let scope = filter.map { " with '\($0)' in their ids" } ?? ""
    let runs =
      "\(results.count) runs of \(Set(results.map(\.id)).count) cases\(scope) in \(Conformance.seconds(seconds))"
      + (kernels == "reference" ? "" : " on \(kernels)")
    if passed { return "PASSED  \(runs)" }
    let faults = inventoryFaults.isEmpty ? "" : ", \(inventoryFaults.count) faults of the folder"
    return "FAILED  \(failures.count) of \(runs)\(faults)"
  }
}

extension CaseResult {
  /// What a person needs to start looking: the case, what is wrong first, and where.
  func screen(_ entry: GoldenManifest.CaseEntry?) -> String {
    var lines = ["FAILED  \(id)  (\(path.rawValue) path)"]
    if let entry {
      lines.append("  about      \(entry.description)")
      lines.append("  equations  \(entry.equations.joined(separator: ", "))")
      if let note = entry.note { lines.append("  note       \(note)") }
    }
    lines += problems.map { "  problem    \($0)" }
    return (lines + comparisons.screenLines).joined(separator: "\n")
  }
}

extension [TensorComparison] {
  /// The tensors that failed, and then the names of those that did not.
  var screenLines: [String] {
    // NaN and infinity in the wrong place explain everything after them, so they come first.
    let failed = filter { !$0.passed }
    let inOrder = failed.filter { $0.multiple.value.isNaN } + failed.filter { !$0.multiple.value.isNaN }
    let passed = filter(\.passed).map(\.tensor)
    return inOrder.map { "  tensor     \($0.tensor): \($0.sentence)" }
      + (passed.isEmpty ? [] : ["  in order   \(passed.joined(separator: ", "))"])
  }
}

extension TensorComparison {
  /// What there is to say about it, for a person.
  public var sentence: String {
    guard let mismatch else { return "within tolerance" }
    var text = mismatch.problem
    if let expected = mismatch.expected, let got = mismatch.got {
      text += "\n             at \(mismatch.index): expected \(expected.value), got \(got.value)"
    }
    if let error, let tolerance {
      text += "\n             error \(brief(error)), tolerance \(brief(tolerance)): \(brief(multiple.value)) times"
    }
    return text
  }
}
