import ArgumentParser
import Conformance
import GoldenTensors

struct GoldenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "golden", abstract: "Look after the golden cases.",
    subcommands: [
      GoldenLintCommand.self, GoldenKillsCommand.self, GoldenExportCommand.self, GoldenBudgetsCommand.self,
    ])
}

struct GoldenLintCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Check the golden folder itself.",
    discussion: """
      Manifest keys, counts and ids; checksums; that every file is listed and every listed file is there; that every \
      tolerance follows from what was measured; that every expected tensor was confirmed and is compared.
      """)

  @OptionGroup var golden: GoldenOptions

  @Option(
    help: ArgumentHelp("Write the findings as JSON; - for standard output instead of the report.", valueName: "file"))
  var json: String?

  func run() throws {
    let lint = GoldenLint(try golden.library())
    if let json { try writeJSON(lint, to: json) }
    if json != "-" { print(lint.report) }
    if !lint.passed { throw CheckFailed() }
  }
}

struct GoldenKillsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kills",
    abstract: "Show which known bugs the golden cases would catch.",
    discussion: """
      Runs every known bug, a variant that replaces one step, on every case of its component and prints the effect as \
      a multiple of the float tolerance. NaN: NaN, infinity or a refusal where numbers should be. ∞: a difference \
      where nothing is tolerated. Fails if a visible bug survives, an invisible one shows, or the manifest is stale.
      """)

  @OptionGroup var golden: GoldenOptions

  @Option(help: ArgumentHelp("Run only the bugs with this text in their id.", valueName: "text"))
  var filter: String?

  @Flag(help: "Print every case that shows a bug, not only the one that shows it best.")
  var everyCase = false

  @Option(
    help: ArgumentHelp(
      "Write the kills by case as JSON, for the manifest; - for standard output instead of the report.",
      valueName: "file"))
  var json: String?

  func run() throws {
    let library = try golden.library()
    var progress = Progress("kills")
    let matrix = try KillMatrix(library, filter: filter) { done, total in progress.report(done, of: total) }
    if let json {
      try writeJSON(["kills": matrix.killsByCase], to: json)
    }
    if json != "-" { print(matrix.report(everyCase: everyCase)) }
    // Writing the matrix is how a stale manifest is mended, so then it is no fault.
    let stale = json == nil ? matrix.differences(from: library.manifest) : []
    for difference in stale { print("STALE  \(difference)") }
    if !matrix.faults.isEmpty || !stale.isEmpty { throw CheckFailed() }
  }
}
