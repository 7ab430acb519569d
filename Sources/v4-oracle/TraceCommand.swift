import ArgumentParser
import DeepSeekV4
import FastKernels
import Foundation
import KnownBugs
import RotaryEmbedding
import Taps
import Tensors
import Traces

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Run a checkpoint and write every intermediate tensor.",
    discussion: """
      Writes an HDF5 file with one group for each call of the model (calls/0000, …) and in it one dataset for each tap. \
      docs/traces.md has the format, `v4-oracle taps` the names. An estimate of the size comes first; nothing stands \
      under the name of the file before all is written.
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var tokens: TokenOptions
  @OptionGroup var kernels: KernelOptions

  @Option(
    help: ArgumentHelp(
      "How many tokens the first call takes; the others follow one by one.", discussion: "Default: all.",
      valueName: "count"))
  var prefill: Int?

  @Option(help: ArgumentHelp("How many tokens to decode greedily after those.", valueName: "count"))
  var generate: Int = 0

  @Option(help: ArgumentHelp("Only these layers, as in 0,2-4; taps outside the layers stay.", valueName: "list"))
  var layers: String?

  @Option(help: ArgumentHelp("Only the taps that fit, as in '*.attn.*'. May be repeated.", valueName: "glob"))
  var taps: [String] = []

  @Option(
    help: ArgumentHelp("Plant a known bug, to see what explain says of it; v4-oracle bugs lists them.", valueName: "id")
  )
  var bug: String?

  @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
  var out: String

  func run() throws {
    switch model.precision {
    case .float: try run(as: Float.self)
    case .double: try run(as: Double.self)
    }
  }

  private func run<Scalar: RealScalar>(as scalar: Scalar.Type) throws {
    let kernels = try kernels.set(on: model.precision)
    let steps = try KnownBug.steps(with: bug, among: kernels.map(StepSet.fast) ?? StepSet())
    let ids = try tokens.ids()
    let first = prefill ?? ids.count
    guard (1...ids.count).contains(first) else {
      throw InputError("trace", "--prefill must be between 1 and the \(ids.count) tokens, got \(first)")
    }
    guard generate >= 0 else { throw InputError("trace", "--generate must not be negative, got \(generate)") }
    var isFolder: ObjCBool = false
    guard !out.isEmpty, !FileManager.default.fileExists(atPath: out, isDirectory: &isFolder) || !isFolder.boolValue
    else { throw InputError("trace", "--out must name a file, got '\(out)'") }
    let checkpoint = try OpenCheckpoint(model.checkpoint)
    try checkpoint.require(ids, generating: generate)
    checkpoint.warn(of: model.numerics)
    let selection = TapSelection(
      globs: taps, layers: try layers.map { try TapSelection.layers($0, of: checkpoint.configuration.layers) })
    let angles = model.angles ?? .standard(for: scalar)
    let calls = [first] + Array(repeating: 1, count: ids.count - first + generate)
    let estimate = TraceEstimate(
      checkpoint.configuration, calls: calls, selection: selection, numerics: model.numerics,
      scalarBytes: MemoryLayout<Scalar>.size, predicts: checkpoint.weights.predicts)
    guard estimate.tensors > 0 else { throw InputError("trace", "no tap fits \(taps.joined(separator: ", "))") }
    say("trace: about \(estimate.tensors) tensors, \(sizeText(estimate.bytes))")
    try requireSpace(estimate.bytes)

    let languageModel = try checkpoint.model(scalar, angles: angles, steps: steps)
    let description = TraceDescription(
      configuration: checkpoint.configuration, precision: Scalar.pathName, numerics: model.numerics, angles: angles,
      producer: "v4-oracle" + (kernels.map { " on fast kernels \($0)" } ?? "")
        + (bug.map { " with the known bug \($0)" } ?? ""))
    try TraceWriter.write(out, description, selection: selection) { trace in
      let numerics = Numerics(model.numerics, steps: steps.quantization)
      try Run(model: languageModel, trace: trace, numerics: numerics, calls: calls.count)
        .feed(ids, first: first, generating: generate)
    }
    let size = (try? FileManager.default.attributesOfItem(atPath: out)[.size] as? Int) ?? 0
    print("wrote \(out): \(calls.count) call\(calls.count == 1 ? "" : "s"), \(sizeText(size))")
  }

  private func requireSpace(_ bytes: Int) throws {
    let folder = URL(fileURLWithPath: out).deletingLastPathComponent().path
    let free = try? FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int
    guard let free else { throw InputError("trace", "the folder of \(out) cannot be written to") }
    guard free > bytes + bytes / 20 else {
      throw InputError("trace", "needs \(sizeText(bytes)), but only \(sizeText(free)) are free")
    }
  }
}

/// Runs a model call by call into a trace.
private struct Run<Scalar: RealScalar> {
  let model: LanguageModel<Scalar>
  let trace: TraceWriter
  let numerics: Numerics
  let calls: Int

  func feed(_ ids: [Int], first: Int, generating: Int) throws {
    var state = model.emptyState
    var output = try call(0, Array(ids[..<first]), &state)
    for (index, id) in ids[first...].enumerated() { output = try call(1 + index, [id], &state) }
    for index in 0..<generating {
      let next = try Sampling.greedy.token(output.logits.slice(output.logits.shape[0] - 1))
      output = try call(ids.count - first + 1 + index, [next], &state)
    }
  }

  private func call(_ number: Int, _ ids: [Int], _ state: inout ModelState<Scalar>) throws -> ModelOutput<Scalar> {
    var layers = 0
    var progress = Progress("trace: call \(number + 1) of \(calls), layers")
    let total = model.configuration.layers
    return try trace.call(start: state.position, tokenIDs: ids) { name in
      guard name.hasPrefix("layers."), name.hasSuffix(".hc_ffn.streams") else { return }
      layers += 1
      progress.report(layers, of: total)
    } _: {
      try model(ids, state: &state, hooks: Hooks(numerics: numerics, recorder: trace))
    }
  }
}

/// A size for people.
func sizeText(_ bytes: Int) -> String {
  switch bytes {
  case ..<1_000_000: "\(bytes) bytes"
  case ..<10_000_000_000: String(format: "%.1f MB", Double(bytes) / 1e6)
  default: String(format: "%.1f GB", Double(bytes) / 1e9)
  }
}
