import ArgumentParser
import Checkpoints
import DeepSeekV4
import Foundation
import Tensors

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Check checkpoints, and make some.",
    subcommands: [CheckpointCheckCommand.self, CheckpointSynthesizeCommand.self])
}

struct CheckpointCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check config.json and the complete inventory of a checkpoint.",
    discussion: "Names, shapes and types of all tensors against the configuration, before any of them is read.")

  @Argument(help: ArgumentHelp("The folder with config.json and safetensors files.", valueName: "directory"))
  var folder: String

  func run() throws {
    let checkpoint = try OpenCheckpoint(folder)
    let named = checkpoint.weights.checkpoint
    print(
      "\(folder): \(named.names.count) tensors in the naming \(named.naming.rawValue), "
        + "\(checkpoint.configuration.layers) layers, all there")
  }
}

struct CheckpointSynthesizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synthesize",
    abstract: "Write a checkpoint of generated weights.",
    discussion: """
      Weights come from the generator of golden/FORMAT.md, under the official names, with a config.json in the form of \
      Hugging Face. The format official stores FP8, FP4 and BF16 as released; float32 and bfloat16 store all reals so.
      """)

  @Option(
    help: ArgumentHelp(
      "A preset: \(ModelConfiguration.presets.map(\.name).joined(separator: ", ")).", valueName: "name"))
  var preset: String?

  @Option(help: ArgumentHelp("A config.json instead of a preset, in either published form.", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("Other layers: one compression ratio for each, as in 0,4,128.", valueName: "list"))
  var ratios: String?

  @Option(help: "official, float32 or bfloat16. Default: what the preset or the configuration says.")
  var format: Format?

  @Option(help: "The seed of the weights.")
  var seed: Int = 1

  @Option(help: ArgumentHelp("The folder to write; it must not exist, or be empty.", valueName: "directory"))
  var out: String

  enum Format: String, ExpressibleByArgument, CaseIterable { case official, float32, bfloat16 }

  func run() throws {
    guard !out.isEmpty else { throw InputError("synthesize", "--out must name a folder") }
    let configuration = try model()
    try configuration.validate()
    let synthesis = try CheckpointSynthesis(configuration, seed: seed)
    let folder = URL(fileURLWithPath: out)
    let parent = folder.deletingLastPathComponent().path
    let free = try? FileManager.default.attributesOfFileSystem(forPath: parent)[.systemFreeSize] as? Int
    guard let free else { throw InputError("synthesize", "the folder of \(out) cannot be written to") }
    say("synthesize: \(configuration.inventory.count) matrices and vectors, \(sizeText(synthesis.bytes))")
    guard free > synthesis.bytes + synthesis.bytes / 20 else {
      throw InputError("synthesize", "needs \(sizeText(synthesis.bytes)), but only \(sizeText(free)) are free")
    }
    var progress = Progress("synthesize")
    try synthesis.write(to: folder) { done, total in progress.report(done, of: total) }
    print("wrote \(out): \(sizeText(synthesis.bytes))")
  }

  private func model() throws -> ModelConfiguration {
    var configuration: ModelConfiguration
    switch (preset, config) {
    case (let name?, nil): configuration = try .preset(name)
    case (nil, let path?): configuration = try readConfiguration(path, for: "synthesize")
    default: throw InputError("synthesize", "give either --preset or --config")
    }
    if let ratios {
      let numbers = ratios.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      guard !numbers.contains(nil) else { throw InputError("synthesize", "--ratios must be numbers, got \(ratios)") }
      configuration.ratios = numbers.compactMap { $0 }
      configuration.hashLayers = min(configuration.hashLayers, configuration.ratios.count)
    }
    switch format {
    case nil: break
    case .official: (configuration.denseFormat, configuration.expertFormat) = (.float8, .float4)
    case .float32: (configuration.denseFormat, configuration.expertFormat) = (.float32, .float32)
    case .bfloat16: (configuration.denseFormat, configuration.expertFormat) = (.bfloat16, .bfloat16)
    }
    return configuration
  }
}
