import GoldenTensors
import Taps
import Tensors

/// Judges what one part of a model computed in one call of a replay.
struct StepJudge {
  let call: Int
  let clean: ReplayRecorder
  /// The largest spread of each value.
  let spreads: [String: Double]
  let budget: StepBudget
  /// What errors may be, if that was measured before.
  let known: [ValuePlace: Double]?
  let layers: Int
  let numerics: Numerics
  /// Whether the streams that the part begins with are recorded.
  let beginsRecorded: Bool

  /// - Parameter tainted: names of values that cannot be gone on with, or were computed from such; grows
  func results(tainted: inout Set<String>) -> [StepResult] {
    clean.values.compactMap { value in
      let parents = value.tap.parentNames(of: value.name.withoutSuffix(".unrounded"), layers: layers)
      let inherits = parents.contains(where: tainted.contains)
      if value.recorded == nil ? inherits : !value.isReplaced { tainted.insert(value.name) }
      guard let recorded = value.recorded else { return nil }
      var result = judge(value, recorded)
      if inherits, result.verdict == .wrong { result = result.with(.inherited) }
      return result
    }
  }

  private func judge(_ value: ReplayedValue, _ recorded: RecordedTensor) -> StepResult {
    if let got = recorded.integers, let wanted = value.computed.integers { return judge(value, got, wanted) }
    guard let got = recorded.reals(Double.self), let wanted = value.computed.reals(Double.self) else {
      return result(value, problem: "it should hold \(value.computed.integers == nil ? "reals" : "integers")")
    }
    guard got.shape == wanted.shape else {
      return result(value, problem: "it has shape \(got.shape), expected \(wanted.shape)")
    }
    let (scale, worst, error, misplaced) = compare(got.elements, wanted.elements)
    var allowed = self.allowed(value, scale: scale)
    if misplaced == nil, fallsOtherWay(value, got, wanted, allowed: allowed, scale: scale) {
      allowed = max(allowed, error)
    }
    let rows = error > allowed || misplaced != nil ? rowErrors(got, wanted) : nil
    if let misplaced {
      return result(
        value, error: .nan, scale: scale, budget: allowed, index: wanted.index(ofOffset: misplaced),
        recorded: got.elements[misplaced], computed: wanted.elements[misplaced],
        problem: "NaN or infinity in the wrong place", rows: rows)
    }
    return result(
      value, error: error, scale: scale, budget: allowed, index: wanted.count > 0 ? wanted.index(ofOffset: worst) : [],
      recorded: wanted.count > 0 ? got.elements[worst] : nil, computed: wanted.count > 0 ? wanted.elements[worst] : nil,
      rows: rows)
  }

  /// The largest error of each row; NaN where one of the two is finite and the other is not.
  private func rowErrors(_ got: Tensor<Double>, _ wanted: Tensor<Double>) -> RowErrors? {
    guard known == nil, wanted.rank > 1, wanted.count > 0 else { return nil }
    let width = wanted.count / wanted.shape[0]
    return RowErrors(
      (0..<wanted.shape[0]).map { row in
        let range = row * width..<(row + 1) * width
        let (_, _, error, misplaced) = compare(Array(got.elements[range]), Array(wanted.elements[range]))
        return misplaced == nil ? error : .nan
      })
  }

  /// Scale, place and size of the largest error, and the first place where one is finite and the other is not.
  private func compare(
    _ got: [Double], _ wanted: [Double]
  ) -> (scale: Double, worst: Int, error: Double, misplaced: Int?) {
    var (scale, worst, error, misplaced) = (0.0, 0, 0.0, Int?.none)
    for offset in wanted.indices {
      let (g, w) = (got[offset], wanted[offset])
      if w.isFinite, g.isFinite {
        scale = max(scale, abs(w))
        if abs(g - w) > error { (worst, error) = (offset, abs(g - w)) }
      } else if misplaced == nil, !isSame(g, w) {
        misplaced = offset
      }
    }
    return (scale, worst, error, misplaced)
  }

  /// The same infinity, or a number that an engine writes for −∞.
  private func isSame(_ got: Double, _ wanted: Double) -> Bool {
    got == wanted || got.isNaN && wanted.isNaN || wanted == -.infinity && got < -1e30
  }

  private func allowed(_ value: ReplayedValue, scale: Double) -> Double {
    if let known = known?[ValuePlace(call: call, name: value.name)] { return known }
    let spread = isRoundedExactly(value) ? 0 : spreads[value.name] ?? 0
    var allowed = budget.budget(spread: spread, scale: scale) * (isChained(value) ? StepBudget.chainFactor : 1)
    // Where a rounding lies between what is recorded, a value near a boundary may fall to either side.
    if let unrounded = clean["\(value.name).unrounded"], !unrounded.isReplaced,
      let before = unrounded.computed.reals(Double.self), let after = value.computed.reals(Double.self)
    {
      allowed += 2 * zip(before.elements, after.elements).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }
    return allowed
  }

  /// Whether something that it is computed from is not recorded: then more than its own step lies behind it.
  private func isChained(_ value: ReplayedValue) -> Bool {
    value.tap.parentNames(of: value.name.withoutSuffix(".unrounded"), layers: layers).contains { parent in
      clean[parent].map { !$0.isReplaced } ?? (parent.hasSuffix("streams") && !beginsRecorded)
    }
  }

  /// Whether what differs is few values, by what roundings inside the step make of a tiny difference before them.
  private func fallsOtherWay(
    _ value: ReplayedValue, _ got: Tensor<Double>, _ wanted: Tensor<Double>, allowed: Double, scale: Double
  ) -> Bool {
    let inside = value.tap.roundingsInside.contains { $0.rounding == .activation && numerics.rounds($0.rounding) }
    guard inside, known == nil, !isRoundedExactly(value) else { return false }
    let most = allowed + 2 * PrecisionClass.bf16.unitRoundoff * scale
    var beyond = 0
    for (got, wanted) in zip(got.elements, wanted.elements) where abs(got - wanted) > allowed {
      guard abs(got - wanted) <= most else { return false }
      beyond += 1
    }
    return beyond <= max(1, wanted.count / StepBudget.valuesForOneThatFallsOtherWay)
  }

  /// Whether what was rounded is recorded, so that the result is known to the bit.
  private func isRoundedExactly(_ value: ReplayedValue) -> Bool {
    if let unrounded = clean["\(value.name).unrounded"] { return unrounded.isReplaced }
    guard value.tap.rounding == .linearInput else { return false }
    return value.tap.parentNames(of: value.name, layers: layers).allSatisfy { clean[$0]?.isReplaced ?? false }
  }

  private func result(
    _ value: ReplayedValue, error: Double = .nan, scale: Double = 0, budget: Double = 0, index: [Int] = [],
    recorded: Double? = nil, computed: Double? = nil, problem: String? = nil, isTie: Bool = false,
    rows: RowErrors? = nil
  ) -> StepResult {
    let isRight = error <= budget
    return StepResult(
      call: call, name: value.name, tap: value.tap.place.rawValue + "/" + value.tap.name, step: value.tap.step,
      equation: value.tap.equation, verdict: isTie ? .tie : isRight ? .right : .wrong, error: .init(error),
      scale: scale, budget: budget, index: index, recorded: recorded.map { .init($0) },
      computed: computed.map { .init($0) }, problem: problem, rows: rows)
  }

  // MARK: Selections

  /// Expert ids or selected entries: another one is wrong only where its score is clearly lower.
  private func judge(_ value: ReplayedValue, _ got: Tensor<Int>, _ wanted: Tensor<Int>) -> StepResult {
    guard got.rank == 2, got.shape[0] == wanted.shape[0] else {
      return result(value, problem: "it has shape \(got.shape), expected \(wanted.shape)")
    }
    guard let (scores, measured) = scores(of: value) else {
      let same = got == wanted
      return result(
        value, error: same ? 0 : .nan, problem: same ? nil : "it is not what the table has for these tokens")
    }
    let allowed = known?[ValuePlace(call: call, name: value.name)] ?? measured
    var (worst, row, isTie) = (0.0, 0, false)
    var gaps = Array(repeating: 0.0, count: wanted.shape[0])
    for token in 0..<wanted.shape[0] {
      let (mine, theirs) = (chosen(wanted, token), chosen(got, token))
      if mine == theirs { continue }
      let gap = scores.gap(token, expected: mine, got: theirs)
      gaps[token] = gap
      if gap <= allowed { isTie = isTie || Set(mine) != Set(theirs) }
      if gap > worst { (worst, row) = (gap, token) }
    }
    let isWrong = worst > allowed
    let difference =
      isWrong ? "token \(row) has \(chosen(got, row)), expected \(chosen(wanted, row))" : nil
    return result(
      value, error: worst, scale: scores.scale, budget: allowed, index: isWrong ? [row] : [], problem: difference,
      isTie: isTie && !isWrong, rows: isWrong && known == nil ? RowErrors(gaps) : nil)
  }

  private func chosen(_ selection: Tensor<Int>, _ token: Int) -> [Int] {
    let width = selection.shape[1]
    return selection.elements[token * width..<(token + 1) * width].filter { $0 >= 0 }
  }

  /// The scores that a selection was made by, and how near two of them may be; nil for hash routing.
  private func scores(of value: ReplayedValue) -> (SelectionScores, allowed: Double)? {
    let place = value.name.split(separator: ".").dropLast().joined(separator: ".")
    let name = value.tap.name == Tap.selection.name ? "\(place).scores" : "\(place).selection_scores"
    guard let scored = clean[name], let used = scored.used.reals(Double.self), used.rank == 2 else { return nil }
    let scores = SelectionScores(scores: used)
    let chained = scored.isReplaced ? 1 : StepBudget.chainFactor
    return (scores, 2 * chained * budget.budget(spread: spreads[name] ?? 0, scale: scores.scale))
  }
}

/// The scores `[T, S]` that a selection was made by.
struct SelectionScores {
  let scores: Tensor<Double>

  var scale: Double { scores.elements.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 } }

  /// By how much the best entry that was left out beats the worst that was taken in its place. Infinite for an entry
  /// that there is not, that is not visible, that is taken twice, or for another number of entries.
  func gap(_ token: Int, expected: [Int], got: [Int]) -> Double {
    let width = scores.shape[1]
    let row = scores.elements[token * width..<(token + 1) * width]
    guard got.count == expected.count, Set(got).count == got.count, got.allSatisfy({ (0..<width).contains($0) }) else {
      return .infinity
    }
    let missed = Set(expected).subtracting(got).map { row[row.startIndex + $0] }.max()
    let taken = Set(got).subtracting(expected).map { row[row.startIndex + $0] }.min()
    guard let missed, let taken else { return 0 }
    return taken == -.infinity ? .infinity : missed - taken
  }
}

extension StepResult {
  /// The same with another verdict, and without what only a wrong place has.
  func with(_ verdict: Verdict) -> StepResult {
    StepResult(
      call: call, name: name, tap: tap, step: step, equation: equation, verdict: verdict, error: error, scale: scale,
      budget: budget, index: index, recorded: recorded, computed: computed, problem: problem, rows: nil)
  }
}

extension String {
  func withoutSuffix(_ suffix: String) -> String { hasSuffix(suffix) ? String(dropLast(suffix.count)) : self }
}
