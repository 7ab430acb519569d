import ArgumentParser
import Conformance
import Taps

struct TapsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "taps", abstract: "List the named points of the model.",
    discussion: "Every tap with its axes, equation, the function that makes it, and what it is computed from.")

  @Option(help: ArgumentHelp("Write the list as JSON; - for standard output instead of the table.", valueName: "file"))
  var json: String?

  func run() throws {
    if let json { try writeJSON(Tap.all.flatMap(TapListing.listings), to: json) }
    if json != "-" { print(TapListing.table) }
  }
}

struct NumericsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "numerics", abstract: "List the points where the deployed model rounds.",
    discussion: "Each point with its tap, format, block, the modes that round there, and its source.")

  @Option(help: ArgumentHelp("Write the list as JSON; - for standard output instead of the table.", valueName: "file"))
  var json: String?

  func run() throws {
    if let json { try writeJSON(RoundingListing.all, to: json) }
    if json != "-" { print(RoundingListing.table) }
  }
}
