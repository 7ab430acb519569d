import ArgumentParser
import Conformance
import Foundation
import GoldenTensors

struct ConformCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conform",
    abstract: "Hold an engine to the golden cases.",
    discussion: """
      Starts the command, hands it the cases one by one without what is expected, and judges what comes back by the \
      class that the engine claims; docs/engine-protocol.md has the protocol. Fails if anything fails, if nothing is \
      supported, or if an expected failure passes.
      """)

  @Option(help: ArgumentHelp("How to start the engine, for /bin/sh -c.", valueName: "command"))
  var engine: String

  @OptionGroup var golden: GoldenOptions

  @Option(help: ArgumentHelp("Run only the cases with this text in their id.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("How long an answer may take.", valueName: "seconds"))
  var timeout = 120.0

  @Option(
    help: ArgumentHelp("Cases that are known to fail, an id or glob on a line, each with # reason.", valueName: "file"))
  var expectedFailures: String?

  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp("Run each case so often, and show how far the engine is from itself.", valueName: "n"))
  var repeats = 1

  @Flag(
    name: .customLong("validate"),
    help: "Check the harness and not the engine: ids, errors, files, and that results depend on the inputs.")
  var validatesHarness = false

  @Option(
    help: ArgumentHelp("Write the results as JSON; - for standard output instead of the report.", valueName: "file"))
  var json: String?

  @Option(help: ArgumentHelp("Write the report as a page in Markdown.", valueName: "file"))
  var report: String?

  func validate() throws {
    guard timeout > 0, timeout < 1e6 else { throw ValidationError("--timeout has to be positive.") }
    guard repeats >= 1 else { throw ValidationError("--repeat has to be at least 1.") }
    guard !validatesHarness || (repeats == 1 && expectedFailures == nil && report == nil) else {
      throw ValidationError("--validate goes with neither --repeat nor --expected-failures nor --report.")
    }
  }

  func run() throws {
    let library = try golden.library()
    let expected = try expectedFailures.map(ExpectedFailures.init(contentsOf:)) ?? .none
    let session = try EngineSession(command: engine, timeout: timeout)
    let interruption = Interruption { session.abandon() }
    defer { interruption.end() }
    var progress = Progress("conform")
    if validatesHarness {
      let validation = try HarnessValidation(session, library, filter: filter)
      if let json { try writeJSON(validation, to: json) }
      if json != "-" { print(validation.text) }
      if !validation.passed { throw CheckFailed() }
      return
    }
    let report = try ConformanceReport(
      of: session, library, filter: filter, expectedFailures: expected, repeats: repeats
    ) { done, total in progress.report(done, of: total) }
    if let json { try writeJSON(report, to: json) }
    if let path = self.report { try write(Data(report.page.utf8), to: path) }
    if json != "-" { print(report.text) }
    if !report.passed { throw CheckFailed() }
  }
}

/// Cleans up before an interrupt or a termination ends this process.
private final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init(_ cleanUp: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        cleanUp()
        _exit(128 + number)
      }
      source.resume()
      return source
    }
  }

  func end() { for source in sources { source.cancel() } }
}
