import ArgumentParser
import Conformance
import GoldenTensors
import KnownBugs

struct BugsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bugs", abstract: "List the known bugs: what is wrong, what is right, where it happened.",
    discussion: """
      Mistakes that implementations shipped, and others right beside them. Those that no golden case can show say why. \
      docs/known-bugs.md has the same list, with the cases.
      """)

  @Option(help: ArgumentHelp("Only bugs whose id or component has this in it.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("Write the list as JSON; - for standard output instead of the text.", valueName: "file"))
  var json: String?

  func run() throws {
    let bugs = KnownBug.all.filter { bug in
      filter.map { bug.id.contains($0) || bug.component.contains($0) } ?? true
    }
    guard !bugs.isEmpty else { throw GoldenError("bugs", "no known bug has '\(filter ?? "")' in its id or component") }
    let listings = bugs.map(BugListing.init)
    if let json { try writeJSON(listings, to: json) }
    if json != "-" { print(listings.map(\.text).joined(separator: "\n\n")) }
  }
}

/// A known bug as it is listed.
private struct BugListing: Encodable {
  let id: String
  let component: String
  let wrong: String
  let right: String
  let references: [String]
  /// Why no case can show it; nil if one does.
  let reason: String?

  init(_ bug: KnownBug) {
    (id, component, wrong, right, references) = (bug.id, bug.component, bug.wrong, bug.right, bug.references)
    switch bug.visibility {
    case .visible: reason = nil
    case .invisible(let why), .notAStep(let why): reason = why
    }
  }

  var text: String {
    let lines =
      ["\(id)  (\(component))", "  wrong  \(wrong)", "  right  \(right)"]
      + references.map { "  seen   \($0)" } + (reason.map { ["  no case shows it: \($0)"] } ?? [])
    return lines.joined(separator: "\n")
  }
}
