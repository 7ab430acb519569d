import Foundation
import GoldenTensors
import TestSupport
import Testing

/// The command as a person runs it: what it prints, and its exit code.
@Suite struct CommandLineTests {
  @Test func verifyPrintsATableAndSucceeds() throws {
    let run = try oracle("verify", "--filter", "sinkhorn", "--path", "float")
    #expect(run.status == 0)
    #expect(run.output.contains("hyper-connections  float"))
    #expect(run.output.contains("PASSED"))
  }

  @Test func verifyWritesJSON() throws {
    try withTemporaryFolder { folder in
      let run = try oracle("verify", "--filter", "setup/", "--json", folder + "/report.json")
      #expect(run.status == 0)
      let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/report.json"))
      let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      #expect((report["results"] as? [Any])?.count == 6)
    }
  }

  @Test func aFailedCheckExitsWith1AndShowsTheCase() throws {
    try withTemporaryFolder { folder in
      let copy = folder + "/golden"
      try FileManager.default.copyItem(atPath: GoldenLibrary.bundledDirectory, toPath: copy)
      try Data().write(to: URL(fileURLWithPath: copy + "/vectors/extra.h5"))
      let run = try oracle("verify", "--golden", copy, "--filter", "setup/")
      #expect(run.status == 1)
      #expect(run.output.contains("FAULT  vectors/extra.h5: is not listed in the manifest"))
      #expect(try oracle("golden", "lint", "--golden", copy).status == 1)
    }
  }

  @Test(arguments: [
    (["verify", "--golden", "/nowhere"], "error: /nowhere: there is no manifest.json in this folder\n"),
    (["verify", "--filter", "zzz"], "error: manifest.json: no case has 'zzz' in its id\n"),
    (["golden", "kills", "--filter", "zzz"], "error: known bugs: no id has 'zzz' in it\n"),
    (["verify", "--filter", "setup/", "--json", "/nowhere/x.json"], "error: /nowhere/x.json: cannot be written\n"),
  ])
  func badInputExitsWith2AndOneSentence(arguments: [String], sentence: String) throws {
    let run = try oracle(arguments)
    #expect(run.status == 2)
    #expect(run.errors == sentence)
  }

  @Test(arguments: [
    ["verify", "--path", "half"], ["frobnicate"], ["verify", "--bogus"], ["golden", "lint", "extra"],
  ])
  func aBadCommandLineExitsWith2(arguments: [String]) throws {
    let run = try oracle(arguments)
    #expect(run.status == 2)
    #expect(run.errors.hasPrefix("Error: "))
  }

  @Test(arguments: [[], ["--help"], ["verify", "--help"], ["golden", "--help"], ["golden", "kills", "--help"]])
  func helpExitsWith0(arguments: [String]) throws {
    let run = try oracle(arguments)
    #expect(run.status == 0)
    #expect(run.output.contains("USAGE: "))
  }
}
