import Foundation
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
  /// Where in the model it is, if it is not everywhere: parts and calls. Nil if it is wherever it could be seen.
  public let only: String?
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
    let same = candidates.prefix(while: best.isSame)
    bugs = same.map(\.bug.id)
    (wrong, right, references) = (best.bug.wrong, best.bug.right, best.bug.references)
    left = (pair ?? best).left.count
    explained = remaining.count - left
    closeness = (pair ?? best).closeness
    only = Self.only((pair ?? best).explained, (pair ?? best).spared)
    others = candidates.dropFirst(same.count).prefix(3).map {
      Alternative(bug: $0.bug.id, left: $0.left.count, closeness: $0.closeness)
    }
  }

  /// The parts that have the bug, and the calls if it is not in all calls of these parts.
  private static func only(_ explained: Set<Spot>, _ spared: Set<Spot>) -> String? {
    guard !spared.isEmpty, !explained.isEmpty else { return nil }
    let parts = Set(explained.map(\.part))
    let names = parts.map(\.description).sorted { $0.localizedStandardCompare($1) == .orderedAscending }
    guard spared.contains(where: { parts.contains($0.part) }) else { return names.joined(separator: ", ") }
    let calls = Set(explained.map(\.call)).sorted().map(String.init).joined(separator: ", ")
    return "\(names.joined(separator: ", ")) of calls \(calls)"
  }
}
