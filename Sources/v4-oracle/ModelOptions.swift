import ArgumentParser
import Checkpoints
import DeepSeekV4
import Foundation
import RotaryEmbedding
import Taps
import Tensors

/// Which model is run, and how.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The folder of a checkpoint: config.json and safetensors files.",
      discussion: "Names may be the official ones or those of transformers.", valueName: "directory"))
  var checkpoint: String

  @Option(help: "The precision of the path: float or double.")
  var precision: Precision = .float

  @Option(help: "Where it rounds: exact, simulated or deployed. See `v4-oracle numerics`.")
  var numerics: NumericsMode = .exact

  @Option(
    help: ArgumentHelp(
      "How rotary angles are formed: exact or float32.",
      discussion: "Default: float32 on the float path, as deployed, exact on the double path."))
  var angles: AnglePolicy?

  enum Precision: String, ExpressibleByArgument, CaseIterable { case float, double }
}

extension NumericsMode: ExpressibleByArgument {}
extension AnglePolicy: ExpressibleByArgument {}

/// A checkpoint that has been read as far as its headers, and checked.
struct OpenCheckpoint {
  let configuration: ModelConfiguration
  let weights: CheckpointWeights

  /// - Parameter folder: with config.json
  /// - Throws: `InputError` or `CheckpointError` with everything that is wrong.
  init(_ folder: String) throws {
    let path = URL(fileURLWithPath: folder).appendingPathComponent("config.json")
    guard let json = try? Data(contentsOf: path) else {
      throw CheckpointError(path.path, "cannot be read")
    }
    let reading = try ModelConfiguration.read(json)
    for warning in reading.warnings { say("warning: \(warning)") }
    let named = try NamedCheckpoint(Checkpoint(folder), ignoring: reading.ignoredTensors)
    let weights = try CheckpointWeights(named, configuration: reading.configuration)
    if !weights.predicts, reading.configuration.multiTokenPredictionLayers > 0 {
      say("warning: the checkpoint has no tensors of the MTP block, so it is left out")
    }
    self.configuration = reading.configuration
    self.weights = weights
  }

  /// Says what a run in deployed numerics should know.
  func warn(of numerics: NumericsMode) {
    guard numerics == .deployed, let weight = weights.firstNotDeployed(of: configuration) else { return }
    say("warning: \(weight) is not stored in its official format, so weights are not those of a deployed model")
  }

  /// Requires tokens to be of the vocabulary, and no more than there are positions.
  ///
  /// - Throws: `InputError` before anything is computed.
  func require(_ ids: [Int], generating count: Int) throws(InputError) {
    if let place = ids.firstIndex(where: { !(0..<configuration.vocabularySize).contains($0) }) {
      throw InputError(
        "tokens",
        "token id \(ids[place]) at position \(place) is outside the vocabulary of \(configuration.vocabularySize)")
    }
    guard ids.count <= configuration.maximumPositions, count <= configuration.maximumPositions - ids.count else {
      throw InputError(
        "tokens",
        "\(ids.count) tokens and \(count) to decode are more than the maximum of "
          + "\(configuration.maximumPositions) positions")
    }
  }

  /// The model, its layers kept in memory if they take less than 4 GiB without the routed experts.
  ///
  /// - Parameter steps: other than the correct ones if a known bug is planted
  func model<Scalar: RealScalar>(
    _: Scalar.Type, angles: AnglePolicy, steps: StepSet = StepSet()
  ) throws -> LanguageModel<Scalar> {
    let resident = configuration.inventory.filter { $0.name.hasPrefix("layers.") && !$0.name.contains(".experts.") }
    let bytes = resident.reduce(0) { $0 + $1.shape.reduce(1, *) * MemoryLayout<Scalar>.size }
    return try LanguageModel(
      configuration, weights: weights.read(by: steps.quantization), steps: steps, angles: angles,
      keepsLayers: bytes < 4 << 30, predicts: weights.predicts)
  }
}

/// A configuration from a file, its warnings said on standard error.
///
/// - Parameter command: that refuses, for the error
/// - Throws: `InputError` if the file cannot be read, or is no configuration.
func readConfiguration(_ path: String, for command: String) throws -> ModelConfiguration {
  // A little more than a configuration may have, so that a file without an end is refused, too.
  guard let file = FileHandle(forReadingAtPath: path), let json = try? file.read(upToCount: 1 << 18) ?? Data() else {
    throw InputError(command, "\(path) cannot be read")
  }
  let reading = try ModelConfiguration.read(json)
  for warning in reading.warnings { say("warning: \(warning)") }
  return reading.configuration
}

/// Says something on standard error.
func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

/// Token ids from a file or the command line.
struct TokenOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A file with token ids: a JSON list, or numbers between white space.", valueName: "file"))
  var tokens: String?

  @Option(help: ArgumentHelp("Token ids, separated by commas.", valueName: "ids"))
  var textIds: String?

  /// - Throws: `InputError` if there are none, or a word is no number.
  func ids() throws -> [Int] {
    let text: String
    switch (tokens, textIds) {
    case (let file?, nil):
      guard let data = FileManager.default.contents(atPath: file), data.count < 64 << 20 else {
        throw InputError("tokens", "\(file) cannot be read, or has more than 64 MB")
      }
      text = String(decoding: data, as: UTF8.self)
    case (nil, let ids?): text = ids
    default: throw InputError("tokens", "give either --tokens or --text-ids")
    }
    let words = text.split { $0.isWhitespace || "[],".contains($0) }
    guard !words.isEmpty else { throw InputError("tokens", "there are no token ids") }
    return try words.enumerated().map { place, word in
      guard let id = Int(word) else {
        throw InputError("tokens", "'\(word.prefix(40))' at place \(place) is not a whole number")
      }
      return id
    }
  }
}
