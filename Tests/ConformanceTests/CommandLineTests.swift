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

  private func oracle(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
    try oracle(arguments)
  }

  private func oracle(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
    try withTemporaryFolder { folder in
      let process = Process()
      process.executableURL = try executable()
      process.arguments = arguments
      // To files, not pipes: a pipe that nobody drains while the other one fills would block.
      let (output, errors) = (URL(fileURLWithPath: folder + "/output"), URL(fileURLWithPath: folder + "/errors"))
      for url in [output, errors] { try Data().write(to: url) }
      process.standardOutput = try FileHandle(forWritingTo: output)
      process.standardError = try FileHandle(forWritingTo: errors)
      try process.run()
      process.waitUntilExit()
      return (
        process.terminationStatus, try String(contentsOf: output, encoding: .utf8),
        try String(contentsOf: errors, encoding: .utf8)
      )
    }
  }

  /// The command lies beside the test bundle.
  private func executable() throws -> URL {
    #if os(macOS)
      let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }
    #else
      let bundles = [URL(fileURLWithPath: CommandLine.arguments[0])]
    #endif
    let bundle = try #require(bundles.first)
    return bundle.deletingLastPathComponent().appendingPathComponent("v4-oracle")
  }
}
