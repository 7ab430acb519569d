import ArgumentParser
import Conformance
import GoldenTensors

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Run every golden case and compare.",
    discussion: """
      Every case runs on the slow path in Float and in Double, or with --kernels fast on the fast kernels in Float. An error is given as a multiple of its tolerance: at most 1 passes. \
      Tolerances are measured, not chosen; golden/FORMAT.md has the rule. Fails if anything fails, is missing, is \
      left over, or if nothing ran.
      """)

  @OptionGroup var golden: GoldenOptions

  @Option(help: ArgumentHelp("Run only the cases with this text in their id.", valueName: "text"))
  var filter: String?

  @OptionGroup var kernels: KernelOptions

  @Option(help: "Run one path only: float or double.")
  var path: VerificationPath?

  @Option(
    help: ArgumentHelp("Write the results as JSON; - for standard output instead of the report.", valueName: "file"))
  var json: String?

  func run() throws {
    let library = try golden.library()
    let kernels = try kernels.set()
    var progress = Progress("verify")
    let verification = try Verification(
      library, paths: path.map { [$0] } ?? (kernels == nil ? VerificationPath.allCases : [.float]), filter: filter,
      kernels: kernels
    ) { done, total in progress.report(done, of: total) }
    if let json { try writeJSON(verification, to: json) }
    if json != "-" { print(verification.report(library.manifest)) }
    if !verification.passed { throw CheckFailed() }
  }
}

extension VerificationPath: ExpressibleByArgument {}
