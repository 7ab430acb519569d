import Checkpoints
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

/// `v4-oracle compare` as a person runs it.
@Suite struct CompareCommandTests {
  /// Traces of one tiny checkpoint in float32 and in float64.
  private func withTraces(_ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let made = try oracle(
        "checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--out", folder + "/tiny")
      #expect(made.status == 0)
      for precision in ["float", "double"] {
        let run = try oracle(
          "trace", "--checkpoint", folder + "/tiny", "--text-ids", "1,2,3,4,5,6,7,8,9,10", "--prefill", "8",
          "--precision", precision, "--angles", "exact", "--out", "\(folder)/\(precision).h5")
        #expect(run.status == 0)
      }
      try body(folder)
    }
  }

  @Test func twoPathsOfOneModelAgreeAsFloat32AndNotAsFloat64() throws {
    try withTraces { folder in
      let (expected, candidate) = (folder + "/double.h5", folder + "/float.h5")
      let run = try oracle("compare", expected, candidate, "--json", folder + "/report.json")
      #expect(run.status == 0)
      #expect(run.output.hasPrefix("PASSED  855 tensors agree, but "))
      #expect(
        run.output.contains(
          "judged as fp32; tolerances: 268 roundoffs of fp32 × the scale of the tensor, twice the largest drift"))
      #expect(run.output.contains("float64 / float32"))
      let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/report.json"))
      let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      #expect((report["tensors"] as? [Any])?.count == 858)
      let finer = try oracle("compare", expected, candidate, "--precision", "fp64", "--quiet")
      #expect(finer.status == 1)
      #expect(finer.output.hasPrefix("FAILED  first tensor above tolerance: calls/0000/layers.0.hc_attn."))
      #expect(finer.output.split(separator: "\n").count == 1)
      #expect(try oracle("compare", candidate, candidate, "--bitwise", "--quiet").status == 0)
      #expect(try oracle("compare", expected, candidate, "--bitwise", "--quiet").status == 1)
      let logits = try oracle("compare", expected, candidate, "--logits")
      #expect(logits.status == 0)
      #expect(logits.output.contains("positions: 10; the same highest logit at 10"))
    }
  }

  /// A trace with fewer taps, and one of other tokens.
  @Test func whatIsNotTheSameRunFails() throws {
    try withTraces { folder in
      for (name, ids, taps) in [("few", "1,2,3,4,5,6,7,8,9,10", "*.streams"), ("other", "1,2,3,4,5,6,7,8,9,11", "*")] {
        let run = try oracle(
          "trace", "--checkpoint", folder + "/tiny", "--text-ids", ids, "--prefill", "8", "--taps", taps, "--out",
          "\(folder)/\(name).h5")
        #expect(run.status == 0)
      }
      let few = try oracle("compare", folder + "/float.h5", folder + "/few.h5", "--quiet")
      #expect(few.status == 1)
      #expect(few.output.hasPrefix("FAILED  missing in the candidate: "))
      let allowed = try oracle("compare", folder + "/float.h5", folder + "/few.h5", "--allow-missing", "*", "--quiet")
      #expect(allowed.status == 0)
      let other = try oracle("compare", folder + "/float.h5", folder + "/other.h5", "--quiet")
      #expect(other.status == 1)
      #expect(
        other.output.hasPrefix(
          "FAILED  first tensor above tolerance: calls/0002/token_ids, at [0]: expected 10, got 11"))
    }
  }

  @Test func aGoldenCase() throws {
    let library = try GoldenLibrary.bundled()
    let goldenCase = try library.load(#require(library.entry("odd/hyper-connections/site")))
    try withTemporaryFolder { folder in
      let path = folder + "/site"
      try SafetensorsWriter.write(path, goldenCase.judged, metadata: ["precision": "fp64"])
      let right = try oracle("compare", goldenCase.entry.id, path)
      #expect(right.status == 0)
      #expect(right.output.contains("judged as fp64; tolerances: measured, fp64"))
      let coarse = try oracle("compare", goldenCase.entry.id, path, "--precision", "bf16")
      #expect(coarse.status == 0)
      #expect(coarse.output.contains("judged as bf16; tolerances: measured, bf16"))
      var wrong = goldenCase.judged
      wrong["combination"] = .float64(Tensor(repeating: 0.25, shape: goldenCase.judged["combination"]!.shape))
      try SafetensorsWriter.write(path, wrong, metadata: [:])
      let run = try oracle("compare", goldenCase.entry.id, path)
      #expect(run.status == 1)
      #expect(run.output.hasPrefix("FAILED  first tensor above tolerance: combination, at ["))
    }
  }

  @Test func badInputExitsWith2AndOneSentence() throws {
    try withTemporaryFolder { folder in
      let good = folder + "/good"
      let x = StoredTensor.float32(try Tensor(shape: [2], elements: [1, -1]))
      try SafetensorsWriter.write(good, ["hidden": x], metadata: [:])
      try SafetensorsWriter.write(folder + "/odd", ["hidden": x], metadata: ["precision": "half"])
      try Data("nothing".utf8).write(to: URL(fileURLWithPath: folder + "/bad"))
      try Data("{}".utf8).write(to: URL(fileURLWithPath: folder + "/map.json"))
      let classes = "float, double, fp64, fp32, tf32, bf16, fp8-fp4"
      for (arguments, sentence) in [
        ([good, folder + "/none"], "\(folder)/none: there is no such file"),
        ([good, folder + "/bad"], "\(folder)/bad: is neither an HDF5 nor a safetensors file"),
        ([good, folder], "\(folder): is not a file that can be read"),
        (["tiny/none/none", good], "tiny/none/none: is neither a file nor the id of a golden case"),
        ([good, folder + "/odd"], "\(folder)/odd: its precision is 'half', not one of \(classes)"),
        ([good, good, "--map", folder + "/map.json"], "map.json: has neither rules nor anything to ignore"),
        ([good, good, "--map", folder + "/none"], "none: cannot be read"),
        ([good, good, "--json", "/nowhere/x.json"], "/nowhere/x.json: cannot be written"),
      ] {
        let run = try oracle(["compare"] + arguments)
        #expect(run.status == 2, "\(arguments)")
        #expect(run.errors == "error: \(sentence)\n")
      }
      #expect(try oracle("compare", good, good, "--precision", "half").status == 2)
    }
  }
}
