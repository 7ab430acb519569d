import ArgumentParser
import Conformance
import Foundation
import GoldenTensors

struct GoldenBudgetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgets",
    abstract: "Measure how far engines of the coarser precision classes may be off.",
    discussion: """
      Every case runs again and again on the slow path, with every value rounded at random to the class. What comes \
      out is golden/budgets.json (docs/numerics.md). With --check, what is stored is held to a new measurement; with \
      --summary, the budgets and what they can see are shown as a table.
      """)

  @OptionGroup var golden: GoldenOptions

  @Option(help: ArgumentHelp("Write the budgets here.", valueName: "file"))
  var out: String?

  @Flag(help: "Measure again and compare with golden/budgets.json.")
  var check = false

  @Flag(help: "Run engines that round at random, and known bugs, and show how the budgets judge them.")
  var summary = false

  @Flag(help: "Run whole small models that round at random, and show how their traces are judged.")
  var traces = false

  @Option(help: ArgumentHelp("Only so many cases, evenly over the manifest.", valueName: "n"))
  var sample: Int?

  func validate() throws {
    guard [out != nil, check, summary, traces].count(where: { $0 }) == 1 else {
      throw ValidationError("give one of --out, --check, --summary and --traces")
    }
    if let sample, sample < 1 { throw ValidationError("--sample must be at least 1, got \(sample)") }
  }

  func run() throws {
    if traces { return try survey() }
    let library = try golden.library()
    if summary { return try prove(library) }
    let stored = check ? try library.budgets() : nil
    var progress = Progress("budgets")
    let survey = try BudgetSurvey(library, sample: sample) { done, total in progress.report(done, of: total) }
    let count = survey.measured.cases.count
    if let out {
      try write(Data(survey.measured.text.utf8), to: out)
      return print("measured \(count) cases")
    }
    let differences = survey.differences(from: stored)
    for difference in differences { print("STALE  \(difference)") }
    if !differences.isEmpty { throw CheckFailed() }
    print("\(count) cases measured again: as stored")
  }

  private func survey() throws {
    var progress = Progress("traces")
    let survey = try TraceSurvey(seeds: TraceSurvey.publishedSeeds) { done, total in progress.report(done, of: total) }
    print(survey.report)
    for difference in survey.differencesFromStored { print("STALE  \(difference)") }
    if !survey.passed || !survey.differencesFromStored.isEmpty { throw CheckFailed() }
  }

  private func prove(_ library: GoldenLibrary) throws {
    guard let budgets = try library.budgets() else { throw GoldenError("budgets.json", "is not there") }
    var progress = Progress("summary")
    let proof = try BudgetProof(library, budgets, sample: sample, withBugs: sample == nil) { done, total in
      progress.report(done, of: total)
    }
    print(proof.report)
    if !proof.passed { throw CheckFailed() }
  }
}
