import KnownBugs

/// A known bug and what it leaves unexplained.
struct BugCandidate {
  let bug: KnownBug
  let left: Unexplained
  /// Where it would make more wrong than it explains: there the engine does not have it.
  let spared: Set<Spot>
  /// Where nothing is left that was wrong before.
  let explained: Set<Spot>
  /// The largest error, relative to scale, of what it explains.
  let closeness: Double
  /// How far it leaves what was wrong: the sum of the orders of magnitude above budget.
  let distance: Double

  static func isBetter(_ a: BugCandidate, _ b: BugCandidate) -> Bool {
    (a.left.count, a.spared.count, a.closeness) < (b.left.count, b.spared.count, b.closeness)
  }

  /// Whether nothing in the trace tells them apart.
  func isSame(as other: BugCandidate) -> Bool {
    (left.count, spared.count, closeness) == (other.left.count, other.spared.count, other.closeness)
  }
}

/// A part of the model in one call. A mistake may be in one kernel, in one kind of layer, or in prefill alone.
struct Spot: Hashable {
  let part: ModelPart
  let call: Int

  init(_ place: ValuePlace) { (part, call) = (ModelPart(ofName: place.name), place.call) }
}
