import ArgumentParser
import Blame
import DeepSeekV4
import Foundation
import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors
import Traces

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Find the wrong step in an engine's trace, and the known bug that it is.",
    discussion: """
      Runs the reference step by step on the values that the engine itself recorded before each step, so that an error \
      is blamed on the step that makes it. Then plants every known bug in the reference and says which one gives what \
      the engine gave. The trace may have any of the taps; where some are missing, it says what to dump next. \
      docs/traces.md has the format, docs/explaining.md what is printed.
      """)

  @Argument(help: ArgumentHelp("The trace of an engine, HDF5 or safetensors.", valueName: "trace"))
  var trace: String

  @Option(help: ArgumentHelp("The folder of the checkpoint that the engine ran.", valueName: "directory"))
  var checkpoint: String

  @Option(
    help: ArgumentHelp(
      "Only these layers, as in 0,2-4, each from the streams recorded before it.", valueName: "list"))
  var layers: String?

  @Option(help: "The engine's precision, if the trace does not say: fp64, fp32, tf32, bf16 or fp8-fp4.")
  var precision: PrecisionClass?

  @Option(help: "Where the engine rounds, if the trace does not say: exact, simulated or deployed.")
  var numerics: NumericsMode?

  @Option(help: "How the engine forms rotary angles, if the trace does not say: exact or float32.")
  var angles: AnglePolicy?

  @Flag(help: "Do not look for known bugs.")
  var noNames = false

  @Flag(help: "Do not run the reference from the tokens, which the drift of the layers needs.")
  var noDrift = false

  @Option(help: ArgumentHelp("Write everything as JSON; - is standard output.", valueName: "file"))
  var json: String?

  @Option(
    help: ArgumentHelp("Write a report with drawings as a page of HTML that stands on its own.", valueName: "file"))
  var html: String?

  @Option(
    help: ArgumentHelp(
      "Where the sources of this package are to be seen: what the report's links begin with.", valueName: "url"))
  var sourceURL: String?

  func run() throws {
    try checkReport()
    let recorded = FileTrace(try TraceFile(trace), precision: precision, numerics: numerics, angles: angles)
    let opened = try OpenCheckpoint(checkpoint)
    let rollBackDepth = recorded.deepestRollBack
    var options = ExplanationOptions()
    options.names = !noNames
    options.measuresDrift = !noDrift
    options.readsCodes = opened.weights.storesCodes
    options.replay.parts = try layers.map { list in
      Set(try TapSelection.layers(list, of: opened.configuration.layers).map(ModelPart.layer))
    }
    var progress = Progress("explain")
    let explanation = try Explanation(recorded, options: options) { steps in
      try LanguageModel<Double>(
        opened.configuration, weights: opened.weights.read(by: steps.quantization), steps: steps,
        angles: recorded.angles, keepsLayers: false, predicts: opened.weights.predicts, rollBackDepth: rollBackDepth)
    } progress: { what, done, total in
      progress.report(done, of: total, what)
    }
    if let json { try writeJSON(explanation, to: json) }
    let sources = StepSources()
    if let html {
      let page = ExplanationPage(explanation, name: trace, sources: sources, sourceURL: sourceURL)
      try write(Data(page.html.utf8), to: html)
    }
    if json != "-" { print(explanation.text(trace, sources: sources), terminator: "") }
    guard explanation.passed else { throw CheckFailed() }
  }

  /// Before minutes of work, not after them.
  private func checkReport() throws {
    guard let html else {
      guard sourceURL == nil else { throw InputError("explain", "--source-url is for the links of --html") }
      return
    }
    let folder = URL(fileURLWithPath: html).deletingLastPathComponent().path
    guard !html.isEmpty, html != "-", !isFolder(html), isFolder(folder) else {
      throw InputError("explain", "--html must name a file in a folder that is there, got '\(html)'")
    }
    let schemes = ["https://", "http://", "file://"]
    guard sourceURL.map({ url in schemes.contains(where: url.hasPrefix) }) ?? true else {
      throw InputError(
        "explain", "--source-url must begin with \(schemes.joined(separator: ", ")), got '\(sourceURL ?? "")'")
    }
  }

  private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }
}
