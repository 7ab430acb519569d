import ArgumentParser
import Comparison
import Foundation
import GoldenTensors
import Tensors
import Traces

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare a file of tensors with a golden case or a trace.",
    discussion: """
      Names the first tensor above tolerance, in the order of computation. Fails if anything fails, is missing or left \
      over, if nothing was compared, or if the data could not have told right from wrong. docs/comparing.md says what \
      the verdicts mean, and how a map translates foreign names and layouts.
      """)

  @Argument(help: "The id of a golden case, or a file: HDF5 or safetensors, as in docs/traces.md.")
  var expected: String

  @Argument(help: "The file to judge. For a case it holds the expected tensors by name at the root.")
  var candidate: String

  @OptionGroup var golden: GoldenOptions

  @Option(
    help: ArgumentHelp(
      "What the candidate computes in: fp64, fp32, tf32, bf16 or fp8-fp4.", discussion: "Default: what it says itself.")
  )
  var precision: PrecisionClass?

  @Flag(help: "Every bit has to be the same.")
  var bitwise = false

  @Flag(help: "Compare logits only: divergence, agreement, the first token that differs.")
  var logits = false

  @Option(help: ArgumentHelp("How the candidate's tensors are called and laid out, as JSON.", valueName: "file"))
  var map: String?

  @Option(help: ArgumentHelp("Expected tensors that may be missing. May be repeated.", valueName: "glob"))
  var allowMissing: [String] = []

  @Option(help: ArgumentHelp("Tensors that may be left over. May be repeated.", valueName: "glob"))
  var allowExtra: [String] = []

  @Option(
    help: ArgumentHelp("Write the results as JSON; - for standard output instead of the report.", valueName: "file"))
  var json: String?

  @Flag(help: "Print only the verdict.")
  var quiet = false

  func run() throws {
    let file = try TensorFile(candidate)
    let said = try file.attributes(["precision"])["precision"]
    let precision = try self.precision ?? PrecisionClass(traceAttribute: said, in: candidate)
    let expected = try expectedTensors(precision)
    var options = FileComparison.Options()
    options.map = try map.map { try TensorMap(contentsOf: $0) } ?? .none
    (options.allowedMissing, options.allowedExtra) = (allowMissing, allowExtra)
    (options.isBitwise, options.isLogitsOnly) = (bitwise, logits)
    var progress = Progress("compare")
    let report = try FileComparison(expected, file, class: precision, options)
      .run { done, total in progress.report(done, of: total) }
    if let json { try writeJSON(report, to: json) }
    if json != "-" { print(quiet ? report.verdictLine : report.text) }
    if !report.passed { throw CheckFailed() }
  }

  /// A file if there is one of that name, else a case.
  private func expectedTensors(_ precision: PrecisionClass) throws -> ExpectedTensors {
    if FileManager.default.fileExists(atPath: expected) {
      return try ExpectedTensors(TensorFile(expected), class: precision)
    }
    let library = try golden.library()
    guard let entry = library.entry(expected) else {
      throw GoldenError(expected, "is neither a file nor the id of a golden case")
    }
    return try ExpectedTensors(library.load(entry), class: precision, budgets: library.budgets())
  }
}

extension PrecisionClass: ExpressibleByArgument {}
