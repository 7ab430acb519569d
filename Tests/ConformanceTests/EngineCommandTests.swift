import Checkpoints
import Conformance
import Foundation
import GoldenTensors
import TestSupport
import Testing
import Traces

/// The own engine and the engine in C, as a person runs them.
@Suite struct EngineCommandTests {
  @Test(arguments: ["float", "double"]) func theOwnEnginePasses(precision: String) throws {
    let run = try oracle(
      "conform", "--engine", try ownEngine("--precision \(precision)"), "--filter", "tiny/expert-routing/")
    #expect(run.status == 0, "\(run.output)\(run.errors)")
    #expect(
      run.output.hasPrefix("v4-oracle slow path, development, judged as \(precision == "float" ? "fp32" : "fp64")"))
    #expect(run.output.contains("passed, 0 failed\n"))
  }

  @Test func aPlantedBugFailsTheCasesThatItKills() throws {
    let run = try oracle(
      "conform", "--engine", try ownEngine("--bug mhc-comb-transposed"), "--filter", "hyper-connections/", "--json", "-"
    )
    #expect(run.status == 1)
    let report = try JSONDecoder.report(run.output)
    let killed = try GoldenLibrary.bundled().manifest.cases.filter { $0.kills["mhc-comb-transposed"] != nil }
    #expect(Set(report.failures.map(\.id)) == Set(killed.map(\.id)))
    #expect(report.failures.allSatisfy { $0.comparisons.first { !$0.passed }?.tensor == "streams_out" })
  }

  @Test(arguments: [("nope", "there is no 'nope'"), ("", "there is no ''")])
  func anUnknownBugIsBadInput(bug: String, sentence: String) throws {
    let run = try oracle("engine", "--bug", bug)
    #expect(run.status == 2)
    #expect(run.errors.contains(sentence))
  }

  @Test func theOwnEngineIsAProperHarness() throws {
    let run = try oracle("conform", "--engine", try ownEngine(), "--validate", "--filter", "tiny/")
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.hasSuffix("\nPASSED  14 checks\n"))
  }

  @Test func casesAndResultsMayBeSafetensors() throws {
    try withShellEngines { engines in
      let claim = ShellEngine.claim(with: #""format":"safetensors""#)
      let seen = engines.folder + "/seen"
      try SafetensorsWriter.write(
        engines.folder + "/good.safetensors", ["combination": engines.expected()], metadata: [:])
      let run = try engines.conform(
        onRun: #"head -c 1200 "$file" > "$files/seen"; cp "$files/good.safetensors" "$result"; answer"#, started: claim)
      #expect(run.status == 0, "\(run.output)")
      let header = String(decoding: try Data(contentsOf: URL(fileURLWithPath: seen)), as: UTF8.self)
      for member in [#""parameters/epsilon":"0.01""#, #""operation":"sinkhorn""#, #""inputs/combination_logits""#] {
        #expect(header.contains(member), "\(member) in \(header)")
      }
    }
  }

  @Test func theEngineInCPassesAndIsAProperHarness() throws {
    try withTemporaryFolder { folder in
      let source = GoldenLibrary.bundledDirectory + "/engines/sinkhorn.c"
      let build = try shell(
        """
        compiler=$(command -v cc || command -v clang) || { echo 'there is no C compiler' >&2; exit 1; }
        "$compiler" -O2 -o '\(folder)/sinkhorn' '\(source)' $(pkg-config --cflags --libs hdf5) -lm
        """)
      try #require(build.status == 0, "\(build.errors)")
      let run = try oracle("conform", "--engine", folder + "/sinkhorn", "--filter", "hyper-connections/")
      #expect(run.status == 0, "\(run.output)\(run.errors)")
      #expect(run.output.contains("21 passed, 0 failed, 37 unsupported"))
      let validation = try oracle("conform", "--engine", folder + "/sinkhorn", "--validate")
      #expect(validation.status == 0, "\(validation.output)")
    }
  }

  @Test(arguments: [
    ["--timeout", "0"], ["--repeat", "0"], ["--validate", "--repeat", "2"], ["--filter", "zzz"],
    ["--expected-failures", "/nowhere"],
  ])
  func aBadCommandLineExitsWith2(arguments: [String]) throws {
    #expect(try oracle(["conform", "--engine", try ownEngine()] + arguments).status == 2)
  }
}
