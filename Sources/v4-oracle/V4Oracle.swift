import ArgumentParser
import Checkpoints
import Conformance
import Foundation
import GoldenTensors
import Tensors

/// The command line. Exit codes: 0 all is well, 1 a check failed, 2 the input or the command line is bad.
@main
struct V4Oracle: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "v4-oracle",
    abstract: "The readable reference of DeepSeek-V4, and the oracle that engines check themselves against.",
    discussion: "Exit codes: 0 all is well, 1 a check failed, 2 the input or the command line is bad.",
    subcommands: [
      VerifyCommand.self, ConformCommand.self, CompareCommand.self, ExplainCommand.self, PlantedCommand.self,
      TraceCommand.self, CheckpointCommand.self, GenerateCommand.self, TapsCommand.self, NumericsCommand.self,
      BugsCommand.self, CostCommand.self, BenchCommand.self, GoldenCommand.self, EngineCommand.self,
    ])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      exit(with: error)
    }
  }

  /// Ends with one sentence on standard error and exit code 2, whoever threw; help and `CheckFailed` keep their own.
  private static func exit(with error: any Error) -> Never {
    if error is CheckFailed { Foundation.exit(1) }
    if exitCode(for: error).isSuccess { Self.exit(withError: error) }
    let text: String
    switch error {
    case let error as GoldenError: text = "error: \(error)"
    case let error as InputError: text = "error: \(error)"
    case let error as CheckpointError: text = "error: \(error)"
    case let error where exitCode(for: error) == .validationFailure: text = fullMessage(for: error)
    default: text = "error: \((error as NSError).localizedDescription)"
    }
    FileHandle.standardError.write(Data("\(text)\n".utf8))
    Foundation.exit(2)
  }
}

/// A check ran and failed; what there is to say has been printed.
struct CheckFailed: Error {}

/// Where the golden cases are.
struct GoldenOptions: ParsableArguments {
  @Option(
    name: .customLong("golden"),
    help: ArgumentHelp(
      "The folder of golden cases.", discussion: "Default: ./golden, or else the one in the sources of this build.",
      valueName: "directory"))
  var directory: String?

  func library() throws -> GoldenLibrary {
    if let directory { return try GoldenLibrary(directory: directory) }
    if FileManager.default.fileExists(atPath: "golden/manifest.json") { return try GoldenLibrary(directory: "golden") }
    return try GoldenLibrary.bundled()
  }
}

/// Says how far long work is, on standard error, once it has taken more than a second.
struct Progress {
  private let what: String
  private var last = ContinuousClock.now

  init(_ what: String) { self.what = what }

  /// - Parameter thing: what is counted
  mutating func report(_ done: Int, of total: Int, _ thing: String? = nil) {
    let now = ContinuousClock.now
    guard last.duration(to: now) > .seconds(1) else { return }
    last = now
    FileHandle.standardError.write(Data("\(what): \(thing.map { "\($0) " } ?? "")\(done) of \(total)\n".utf8))
  }
}

/// Writes an encodable value as JSON, under a temporary name first; `-` is standard output.
func writeJSON(_ value: some Encodable, to path: String) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  let data = try encoder.encode(value) + Data("\n".utf8)
  if path == "-" {
    do {
      try FileHandle.standardOutput.write(contentsOf: data)
    } catch {
      throw GoldenError("standard output", "cannot be written")
    }
  } else {
    try write(data, to: path)
  }
}

/// Writes a file, under a temporary name first.
func write(_ data: Data, to path: String) throws {
  do {
    try data.write(to: URL(fileURLWithPath: path), options: .atomic)
  } catch {
    throw GoldenError(path, "cannot be written")
  }
}
