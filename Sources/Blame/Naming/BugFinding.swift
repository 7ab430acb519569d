import KnownBugs

/// A known bug that a trace shows.
public struct BugFinding: Codable, Sendable {
  /// The ids of the bug and of those that give the same values here.
  public let bugs: [String]
  /// What the wrong code does, and what the right code does.
  public let wrong, right: String
  public let references: [String]
  /// How many wrong values it makes right, and how many it leaves wrong.
  public let explained, left: Int
  /// The largest error, relative to scale, of what it makes right.
  public let closeness: Double
  /// The bug without which this one makes nothing right; nil if it does alone.
  public let together: String?
  /// The next best, in order.
  public let others: [Alternative]

  /// A bug that explains less, or less closely.
  public struct Alternative: Codable, Sendable {
    public let bug: String
    public let left: Int
    public let closeness: Double
  }

  /// - Parameters:
  ///   - candidates: the best first, at least one
  ///   - pair: what it leaves together with another one
  init(_ candidates: [BugCandidate], of remaining: Unexplained, left pair: BugCandidate? = nil, together: String? = nil)
  {
    let best = candidates[0]
    self.together = together
    let same = candidates.prefix { $0.left.count == best.left.count && $0.closeness == best.closeness }
    bugs = same.map(\.bug.id)
    (wrong, right, references) = (best.bug.wrong, best.bug.right, best.bug.references)
    left = (pair ?? best).left.count
    explained = remaining.count - left
    closeness = (pair ?? best).closeness
    others = candidates.dropFirst(same.count).prefix(3).map {
      Alternative(bug: $0.bug.id, left: $0.left.count, closeness: $0.closeness)
    }
  }
}
