import ArgumentParser
import Blame
import Foundation
import KnownBugs
import Tensors

struct PlantedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "planted",
    abstract: "Plant every known bug in a small whole model, and see whether explain names it.",
    discussion: """
      Each model with a bug records a trace in float32, which is then explained as any engine's would be. Fails if the \
      wrong step is not blamed or the bug not named at the first place in 98 % and among the first three in all, or if \
      of random pairs not both are named in 80 %.
      """)

  @Option(help: ArgumentHelp("Only bugs with this in their id.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("Only every n-th bug.", valueName: "n"))
  var every: Int = 1

  @Option(help: ArgumentHelp("How many random pairs to plant, too.", valueName: "count"))
  var pairs: Int = 0

  @Option(help: "The seed of the random pairs.")
  var seed: Int = 1

  @Option(help: ArgumentHelp("Write all results as JSON; - is standard output.", valueName: "file"))
  var json: String?

  func run() throws {
    guard every >= 1, pairs >= 0 else { throw InputError("planted", "--every must be at least 1, --pairs at least 0") }
    let visible = KnownBug.all.filter { $0.visibility == .visible && (filter.map($0.id.contains) ?? true) }
    let chosen = visible.enumerated().filter { $0.offset % every == 0 }.map(\.element)
    guard !chosen.isEmpty else { throw InputError("planted", "no visible bug has '\(filter ?? "")' in its id") }
    var progress = Progress("planted")
    let single = try PlantedBugs(chosen) { progress.report($0, of: $1, "bug") }
    let double = pairs > 0 ? try PlantedBugs(pairs: pairs, seed: seed) { progress.report($0, of: $1, "pair") } : nil
    let report = Report(single: single, pairs: double)
    if let json { try writeJSON(report, to: json) }
    if json != "-" { print(report.text) }
    guard report.passed else { throw CheckFailed() }
  }

  private struct Report: Encodable {
    let single: PlantedBugs
    let pairs: PlantedBugs?

    var passed: Bool {
      single.unseen.isEmpty
        && (single.results.isEmpty || single.share(within: 1) >= 0.98 && single.share(within: 3) == 1)
        && (pairs.map { $0.shareOfPairs >= 0.8 } ?? true)
    }

    var text: String {
      var lines = single.results.filter { !$0.isBlamed || $0.rank != 1 }.map { result in
        let place = result.rank.map { "named at place \($0)" } ?? "not named"
        return "\(result.planted[0]) in '\(result.scenario)': \(place), first wrong value \(result.first), "
          + "named: \(result.named.joined(separator: ", "))"
      }
      lines += single.unseen.map { "\($0) is seen in no scenario" }
      lines += single.unplantable.sorted { $0.key < $1.key }.map { "\($0.key) cannot be planted: \($0.value)" }
      for result in pairs?.results ?? [] where !Set(result.planted).isSubset(of: result.named) {
        lines.append(
          "\(result.planted.joined(separator: " and ")) in '\(result.scenario)': named "
            + (result.named.isEmpty ? "nothing" : result.named.joined(separator: ", ")))
      }
      func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
      lines.append(
        "\(single.results.count) bugs planted: blamed and named first \(percent(single.share(within: 1))), "
          + "among three \(percent(single.share(within: 3)))")
      if let pairs { lines.append("\(pairs.results.count) pairs planted: both named \(percent(pairs.shareOfPairs))") }
      return lines.joined(separator: "\n") + "\n\n" + (passed ? "PASSED" : "FAILED")
    }
  }
}
