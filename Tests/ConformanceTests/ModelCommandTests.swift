import Foundation
import GoldenTensors
import TestSupport
import Testing

/// The commands that run models: what they write, and how they refuse.
@Suite struct ModelCommandTests {
  /// A tiny checkpoint in a new folder.
  private func withCheckpoint(_ body: (_ folder: String, _ checkpoint: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/tiny"
      let made = try oracle(
        "checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--seed", "1", "--out", path)
      #expect(made.status == 0)
      try body(folder, path)
    }
  }

  @Test func aTraceOfASynthesizedCheckpoint() throws {
    try withCheckpoint { folder, checkpoint in
      let checked = try oracle("checkpoint", "check", checkpoint)
      #expect(checked.status == 0)
      #expect(checked.output.contains("203 tensors in the naming official, 4 layers, all there"))
      let out = folder + "/t.h5"
      let run = try oracle(
        "trace", "--checkpoint", checkpoint, "--text-ids", "1,2,3,4,5", "--prefill", "4", "--generate", "1",
        "--precision", "double", "--out", out)
      #expect(run.status == 0)
      #expect(run.output.contains("3 calls"))
      #expect(run.errors.contains("trace: about "))
      let calls = try HDF5Reader(out).members(of: "calls")
      #expect(calls == ["0000", "0001", "0002"])
    }
  }

  @Test func aKnownBugInATraceIsNamed() throws {
    try withCheckpoint { folder, checkpoint in
      let out = folder + "/t.h5"
      let arguments = ["trace", "--checkpoint", checkpoint, "--text-ids", "5,17,9,30,2", "--out", out, "--bug"]
      let unknown = try oracle(arguments + ["nope"])
      #expect(unknown.status == 2)
      #expect(unknown.errors == "error: known bugs: there is no 'nope'; v4-oracle bugs lists them\n")
      #expect(try oracle(arguments + ["mhc-post-eps"]).status == 0)
      #expect(try HDF5Reader(out).attributes(of: "/")["producer"] == .text("v4-oracle with the known bug mhc-post-eps"))
      let explained = try oracle("explain", out, "--checkpoint", checkpoint, "--no-drift")
      #expect(explained.status == 1)
      #expect(explained.output.contains("KNOWN BUG  mhc-post-eps"))
    }
  }

  @Test func knownBugsAreListed() throws {
    let one = try oracle("bugs", "--filter", "mhc-comb-transposed")
    #expect(one.status == 0)
    let start = "mhc-comb-transposed  (hyper-connections)\n  wrong  the residual is mixed with comb · X\n"
    #expect(one.output.hasPrefix(start))
    let all = try oracle("bugs", "--json", "-")
    let listed = try #require(try JSONSerialization.jsonObject(with: Data(all.output.utf8)) as? [[String: Any]])
    let visible = listed.filter { $0["reason"] == nil }
    #expect(listed.count == 200 && visible.count == 164)
    let none = try oracle("bugs", "--filter", "zzz")
    #expect(none.status == 2 && none.errors == "error: bugs: no known bug has 'zzz' in its id or component\n")
  }

  @Test func generatingIsDeterministic() throws {
    try withCheckpoint { _, checkpoint in
      let arguments = ["generate", "--checkpoint", checkpoint, "--text-ids", "1,2,3", "--count", "5"]
      let first = try oracle(arguments)
      let second = try oracle(arguments)
      #expect(first.status == 0)
      #expect(first.output.split(separator: " ").count == 8)
      #expect(first.output == second.output)
      let sampled = try oracle(arguments + ["--temperature", "2", "--seed", "3"])
      #expect(sampled.status == 0)
      #expect(sampled.output != first.output)
    }
  }

  @Test(arguments: [
    (["--text-ids", "1,x"], "error: tokens: 'x' at place 1 is not a whole number\n"),
    (["--text-ids", "1,48"], "error: tokens: token id 48 at position 1 is outside the vocabulary of 48\n"),
    (
      ["--text-ids", "1,2", "--generate", "9223372036854775807"],
      "error: tokens: 2 tokens and 9223372036854775807 to decode are more than the maximum of 4096 positions\n"
    ),
    ([], "error: tokens: give either --tokens or --text-ids\n"),
    (["--text-ids", "1,2", "--prefill", "3"], "error: trace: --prefill must be between 1 and the 2 tokens, got 3\n"),
    (
      ["--text-ids", "1", "--layers", "4"],
      "error: trace: layers must be a list such as 0,2-4 of layers below 4, got 4\n"
    ),
    (["--text-ids", "1", "--taps", "nothing"], "error: trace: no tap fits nothing\n"),
  ])
  func badInputExitsWith2AndWritesNothing(arguments: [String], sentence: String) throws {
    try withCheckpoint { folder, checkpoint in
      let run = try oracle(["trace", "--checkpoint", checkpoint, "--out", folder + "/t.h5"] + arguments)
      #expect(run.status == 2)
      #expect(run.errors == sentence)
      let members = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(members == ["tiny"])
    }
  }

  @Test func anErrorWhileRunningLeavesNoFile() throws {
    try withCheckpoint { folder, checkpoint in
      let run = try oracle(
        "trace", "--checkpoint", checkpoint, "--out", folder + "/t.h5", "--text-ids", "1", "--numerics", "deployed")
      #expect(run.status == 2)
      #expect(run.errors.contains("warning: embed.weight is not stored in its official format"))
      #expect(
        run.errors.hasSuffix(
          "error: quantize: the block of 128 columns does not divide 16 columns, at layers.0.attn.hidden_quantized\n"))
      let members = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(members == ["tiny"])
    }
  }

  @Test func tablesOfTapsAndRoundingPoints() throws {
    let taps = try oracle("taps")
    #expect(taps.status == 0)
    #expect(taps.output.contains("layers.{l}.attn.queries"))
    let numerics = try oracle("numerics", "--json", "-")
    #expect(numerics.status == 0)
    let data = Data(numerics.output.utf8)
    let points = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    #expect(points.count > 40)
    let entries = try #require(points.first { $0["point"] as? String == "layers.{l}.attn.window_entries" })
    #expect(entries["modes"] as? [String] == ["simulated", "deployed"])
    #expect(entries["format"] as? String == "FP8 E4M3")
  }
}
