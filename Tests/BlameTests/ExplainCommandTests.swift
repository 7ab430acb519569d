import Checkpoints
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

struct ExplainCommandTests {
  private let tokens = "5,17,9,30,2,41,8,8,23,11"

  @Test func aTraceOfTheReferenceIsRight() throws {
    try withTemporaryFolder { folder in
      try synthesize(folder)
      let (status, output, _) = try oracle("explain", "\(folder)/t.h5", "--checkpoint", "\(folder)/tiny")
      #expect(status == 0)
      #expect(output.contains("PASSED"))
      #expect(output.contains("Drift"))
    }
  }

  @Test func anotherCheckpointIsBlamed() throws {
    try withTemporaryFolder { folder in
      try synthesize(folder)
      _ = try oracle("checkpoint", "synthesize", "--preset", "tiny", "--seed", "2", "--out", "\(folder)/other")
      let (status, output, _) = try oracle(
        "explain", "\(folder)/t.h5", "--checkpoint", "\(folder)/other", "--no-names", "--json", "-")
      #expect(status == 1)
      #expect(output.contains("\"passed\" : false"))
    }
  }

  /// The engine has the bug in layer 1 and nowhere else: its sinks are as good as −∞ there.
  @Test func aBugInOneLayerIsNamedWithItsLayer() throws {
    try withTemporaryFolder { folder in
      try synthesize(folder)
      let checkpoint = try TensorFile("\(folder)/tiny/model.safetensors")
      var weights = try Dictionary(uniqueKeysWithValues: checkpoint.names.map { ($0, try checkpoint.read($0)) })
      let sinks = try #require(weights["layers.1.attn.attn_sink"])
      weights["layers.1.attn.attn_sink"] = .float32(Tensor(repeating: -1e4, shape: sinks.shape))
      let other = "\(folder)/other"
      try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
      try FileManager.default.copyItem(atPath: "\(folder)/tiny/config.json", toPath: "\(other)/config.json")
      try SafetensorsWriter.write("\(other)/model.safetensors", weights, metadata: [:])
      let trace = try oracle(
        "trace", "--checkpoint", other, "--text-ids", tokens, "--prefill", "8", "--out", "\(folder)/one.h5")
      #expect(trace.status == 0, "\(trace.errors)")
      let (status, output, _) = try oracle(
        "explain", "\(folder)/one.h5", "--checkpoint", "\(folder)/tiny", "--no-drift")
      #expect(status == 1)
      #expect(output.contains("KNOWN BUG  sink-missing\n"), "\(output)")
      #expect(output.contains("  only in layer 1; elsewhere the engine is right\n"), "\(output)")
      #expect(output.hasSuffix("FAILED  1 wrong step, 1 known bug named\n"))
    }
  }

  @Test func badInputIsRefused() throws {
    try withTemporaryFolder { folder in
      try synthesize(folder)
      let checkpoint = ["--checkpoint", "\(folder)/tiny"]
      try Data("no trace".utf8).write(to: URL(fileURLWithPath: "\(folder)/text"))
      for arguments in [
        ["\(folder)/text"] + checkpoint, ["\(folder)/none"] + checkpoint, ["\(folder)/t.h5", "--checkpoint", folder],
        ["\(folder)/t.h5", "--layers", "7"] + checkpoint, ["\(folder)/t.h5", "--precision", "fp7"] + checkpoint,
      ] {
        let (status, _, errors) = try oracle(["explain"] + arguments)
        #expect(status == 2, "\(arguments)")
        #expect(errors.contains("rror: "))
      }
    }
  }

  private func synthesize(_ folder: String) throws {
    _ = try oracle(
      "checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--seed", "1", "--out", "\(folder)/tiny")
    let trace = try oracle(
      "trace", "--checkpoint", "\(folder)/tiny", "--text-ids", tokens, "--prefill", "8", "--out", "\(folder)/t.h5")
    #expect(trace.status == 0)
  }
}
