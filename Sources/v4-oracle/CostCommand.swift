import ArgumentParser
import CostModel
import DeepSeekV4
import Foundation
import Tensors

struct CostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cost",
    abstract: "Count parameters, bytes, key-value cache and FLOPs from a configuration.",
    discussion: """
      Without arguments: Flash, Pro and V3.2, and whether the published numbers come out. Those keep the context they were \
      published for, but are computed by --count and --kv: the report does not state its counting rules, and with others \
      some of its numbers do not come out. docs/cost.md has the rules.
      """)

  @Option(
    help: ArgumentHelp("A preset: \(Self.presetNames). May be repeated.", valueName: "name"))
  var preset: [String] = []

  @Option(help: ArgumentHelp("A config.json of DeepSeek-V4, in either published form.", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("The context in tokens, the decoded one included.", valueName: "tokens"))
  var context: Int = 1_048_576

  @Option(help: "How FLOPs are counted: fp8-equivalent or raw.")
  var count: CountingRule = .fp8Equivalent

  @Option(help: "How cache entries are stored: serving, without-scales or bf16.")
  var kv: CacheFormat = .serving

  @Option(
    help: ArgumentHelp("Write the results as JSON; - for standard output instead of the report.", valueName: "file"))
  var json: String?

  @Option(help: ArgumentHelp("Write the curves from 1 token to the context as CSV.", valueName: "file"))
  var csv: String?

  @Option(help: ArgumentHelp("Write the same curves as a drawing.", valueName: "file"))
  var svg: String?

  private static let baselineName = "v3.2"
  private static var presetNames: String {
    (ModelConfiguration.presets.map(\.name) + [baselineName]).joined(separator: ", ")
  }

  func run() throws {
    guard ModelCost.contexts.contains(context) else {
      throw InputError(
        "cost", "the context must be between 1 and \(ModelCost.contexts.upperBound) tokens, got \(context)")
    }
    guard csv != "-", svg != "-" else { throw InputError("cost", "--csv and --svg need the name of a file, got '-'") }
    let baseline = try ModelCost(DeepSeekV32())
    let models = try models(baseline)
    let report = CostReport(models, baseline: baseline, context: context, count, kv)
    let curves = models.map { CostCurve($0, upTo: context, count, kv) }
    if let csv { try write(Data(CostCurve.csv(curves).utf8), to: csv) }
    if let svg { try write(Data(CostFigure(curves, count, kv).svg.text.utf8), to: svg) }
    if let json { try writeJSON(report, to: json) }
    if json != "-" { print(report.text) }
    if !report.passed { throw CheckFailed() }
  }

  private func models(_ baseline: ModelCost) throws -> [ModelCost] {
    let names = preset.isEmpty && config == nil ? ["flash", "pro", Self.baselineName] : preset
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw InputError("cost", "the preset \(twice) is given twice")
    }
    var models = try names.map { try $0 == Self.baselineName ? baseline : v4(preset: $0) }
    if let config { models.append(try ModelCost(readConfiguration(config, for: "cost"), name: "config")) }
    return models
  }

  private func v4(preset name: String) throws -> ModelCost {
    guard let preset = ModelConfiguration.presets.first(where: { $0.name == name }) else {
      throw InputError("cost", "there is no preset \"\(name)\"; the presets are \(Self.presetNames)")
    }
    return try ModelCost(preset.configuration, name: name)
  }
}

extension CountingRule: ExpressibleByArgument {}
extension CacheFormat: ExpressibleByArgument {}
