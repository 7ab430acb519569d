import CostModel
import DeepSeekV4
import Foundation
import TestSupport
import Testing

@Suite struct CostCommandTests {
  @Test func withoutArgumentsItComparesThreeModels() throws {
    let run = try oracle("cost")
    #expect(run.status == 0)
    #expect(run.errors.isEmpty)
    #expect(run.output.hasSuffix("PASSED  24 of 24 published numbers come out\n"))
    for part in [
      "CHECKPOINT of V4-Flash", "CHECKPOINT of V4-Pro", "PARAMETERS", "KV CACHE", "FLOPS", "OVER THE CONTEXT",
    ] {
      #expect(run.output.contains("\(part)"), "\(part)")
    }
    #expect(!run.output.contains("CHECKPOINT of V3.2"))
  }

  @Test(arguments: ["raw", "fp8-equivalent"])
  func theCountingRuleDecidesTheExitCode(rule: String) throws {
    let run = try oracle("cost", "--count", rule)
    #expect(run.status == (rule == "raw" ? 1 : 0))
    #expect(run.output.contains("counted \(rule)"))
    #expect(run.output.contains("FAILED  20 of 24 published numbers come out") == (rule == "raw"))
  }

  /// A published file is the published model, in either form.
  @Test(arguments: ConfigurationForm.allCases)
  func aConfigurationFileIsCosted(form: ConfigurationForm) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/config.json"
      try ModelConfiguration.pro.json(form).write(to: URL(fileURLWithPath: path))
      let run = try oracle("cost", "--config", path)
      #expect(run.status == 0)
      #expect(run.output.contains("CHECKPOINT of V4-Pro"))
      #expect(run.output.hasSuffix("PASSED  12 of 12 published numbers come out\n"))
      try ModelConfiguration.tiny.json(form).write(to: URL(fileURLWithPath: path))
      let tiny = try oracle("cost", "--config", path, "--preset", "tiny-pro")
      #expect(tiny.status == 0)
      #expect(tiny.output.contains("CHECKPOINT of config,"))
      #expect(tiny.output.contains("CHECKPOINT of tiny-pro,"))
      #expect(!tiny.output.contains("PUBLISHED"))
    }
  }

  @Test func theResultsComeAsJSON() throws {
    let run = try oracle("cost", "--preset", "flash", "--context", "4096", "--kv", "bf16", "--json", "-")
    #expect(run.status == 1)  // in BF16 the cache is not that of the report
    let report = try JSONDecoder().decode(CostReport.self, from: Data(run.output.utf8))
    #expect(report.context == 4096)
    #expect(report.kv == "bf16")
    #expect(report.models.map(\.name) == ["V4-Flash"])
    let flash = try #require(report.models.first)
    #expect(flash.checkpoint?.bytes == 159_609_485_896)
    #expect(flash.parameters.total == 284_332_240_471)
    #expect(flash.caches.map(\.format) == ["serving", "without-scales", "bf16"])
    // 43 windows of 128, 21 layers of 1024 entries and keys, 20 of 32 entries.
    #expect(flash.caches[0].bytes == Double((43 * 128 + 21 * 1024 + 20 * 32) * 584 + 21 * 1024 * 68))
    #expect(flash.caches[2].bytes == Double((43 * 128 + 21 * 1024 + 20 * 32) * 1024 + 21 * 1024 * 256))
    #expect(abs(flash.flops.parts.reduce(0) { $0 + $1.share } - 1) < 1e-12)
    #expect(report.contexts.count == 6)
    #expect(report.published.count == 11)
    #expect(!report.passed)
  }

  @Test func theCurvesComeAsCSV() throws {
    try withTemporaryFolder { folder in
      let run = try oracle("cost", "--csv", folder + "/curves.csv", "--json", folder + "/report.json")
      #expect(run.status == 0)
      let text = try String(contentsOfFile: folder + "/curves.csv", encoding: .utf8)
      let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
      #expect(lines.count == 1 + 3 * 129)
      #expect(lines.allSatisfy { $0.count == 11 })
      let json = try Data(contentsOf: URL(fileURLWithPath: folder + "/report.json"))
      let report = try JSONDecoder().decode(CostReport.self, from: json)
      for model in report.models {
        let curve = lines.filter { $0[0] == model.name }
        #expect(curve.first?[1] == "1")
        let last = try #require(curve.last).dropFirst().map { Double($0) }
        #expect(last[0] == 1_048_576)
        #expect(last[5] == model.flops.total)
        #expect(last[9] == model.caches[0].bytes)
        for column in [6, 10] {
          let values = curve.compactMap { Double($0[column]) }
          #expect(values.count == 129)
          #expect(values == values.sorted(), "a longer context never costs less")
        }
      }
    }
  }

  @Test(arguments: [
    (["--context", "0"], "cost: the context must be between 1 and 4294967296 tokens, got 0"),
    (["--context=-5"], "cost: the context must be between 1 and 4294967296 tokens, got -5"),
    (
      ["--preset", "huge"],
      "cost: there is no preset \"huge\"; the presets are tiny, tiny-pro, tiny-deployed, flash-3-layers, flash, pro, v3.2"
    ),
    (["--preset", "pro", "--preset", "pro"], "cost: the preset pro is given twice"),
    (["--config", "/nowhere.json"], "cost: /nowhere.json cannot be read"),
    (["--config", "/"], "cost: / cannot be read"),
    (["--config", "/dev/zero"], "config: 262144 bytes are more than the 131072 of any configuration"),
    (["--preset", "tiny", "--csv", "/nowhere/x.csv"], "/nowhere/x.csv: cannot be written"),
    (["--preset", "tiny", "--svg", "/nowhere/x.svg"], "/nowhere/x.svg: cannot be written"),
    (["--preset", "tiny", "--json", "/nowhere/x.json"], "/nowhere/x.json: cannot be written"),
  ])
  func badInputExitsWith2AndOneSentence(arguments: [String], sentence: String) throws {
    let run = try oracle(["cost"] + arguments)
    #expect(run.status == 2)
    #expect(run.errors == "error: \(sentence)\n")
    #expect(run.output.isEmpty)
  }

  @Test(arguments: [["--context", "many"], ["--count", "half"], ["--kv", "int4"], ["--context", "1e6"], ["extra"]])
  func aBadCommandLineExitsWith2(arguments: [String]) throws {
    let run = try oracle(["cost"] + arguments)
    #expect(run.status == 2)
    #expect(run.errors.hasPrefix("Error: "))
  }

  @Test(arguments: ["", "[]", "{}", "{\"dim\": 1}", "{\"dim\": 1e999}", "\u{0}", "{\"hidden_size\": -1, \"dim\": 2}"])
  func aHostileConfigurationIsRefused(text: String) throws {
    try withTemporaryFolder { folder in
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
      let run = try oracle("cost", "--config", folder + "/config.json", "--svg", folder + "/x.svg")
      #expect(run.status == 2)
      #expect(run.errors.hasPrefix("error: config: "))
      #expect(run.errors.split(separator: "\n").count == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["config.json"])
    }
  }

  /// As large as a valid configuration may be: refused in one sentence, or costed, but never a crash.
  @Test func theLargestConfigurationsDoNotCrash() throws {
    try withTemporaryFolder { folder in
      let largest = ModelConfiguration.tiny.with {
        ($0.heads, $0.headWidth, $0.queryLatentWidth, $0.width) = (1 << 20, 1 << 20, 1 << 20, 1 << 20)
        ($0.ratios, $0.hashLayers) = (Array(repeating: 2, count: 1024), 1024)
        ($0.outputGroups, $0.outputRank, $0.vocabularySize) = (1, 1 << 20, 1 << 20)
      }
      let path = folder + "/config.json"
      try largest.json(.inference).write(to: URL(fileURLWithPath: path))
      let run = try oracle("cost", "--config", path, "--context", "4294967296")
      #expect(run.status == 2)
      #expect(run.errors == "error: cost: the sizes of this configuration add up to more than \(Int.max)\n")
      try largest.with { ($0.heads, $0.queryLatentWidth) = (1, 1) }.json(.inference)
        .write(to: URL(fileURLWithPath: path))
      #expect(try oracle("cost", "--config", path, "--context", "4294967296", "--svg", folder + "/x.svg").status == 0)
    }
  }
}
