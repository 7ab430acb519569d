import DeepSeekV4
import Foundation
import GoldenTensors
import Taps
import Tensors
import TestSupport
import Testing
import Traces

struct TraceTests {
  private let configuration = ModelConfiguration.tinyDeployed

  private func model() throws -> LanguageModel<Float> {
    try LanguageModel(
      configuration, weights: GeneratedWeights(seed: 1, configuration: configuration, rounded: true), angles: .float32)
  }

  private func write(_ path: String, selection: TapSelection, numerics: NumericsMode) throws -> [ModelOutput<Float>] {
    let model = try model()
    let description = TraceDescription(
      configuration: configuration, precision: "float", numerics: numerics, angles: .float32)
    var outputs: [ModelOutput<Float>] = []
    try TraceWriter.write(path, description, selection: selection) { trace in
      var state = model.emptyState
      for ids in [[1, 2, 3, 4, 5], [6]] {
        outputs.append(
          try trace.call(start: state.position, tokenIDs: ids) {
            try model(ids, state: &state, hooks: Hooks(numerics: Numerics(numerics), recorder: trace))
          })
      }
    }
    return outputs
  }

  @Test func aTraceHoldsEveryCallAndSaysWhereEachTensorComesFrom() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/" + "t.h5"
      let outputs = try write(path, selection: .all, numerics: .deployed)
      let file = try HDF5Reader(path)
      #expect(try file.attributes(of: "/")["numerics"] == .text("deployed"))
      #expect(try file.members(of: "calls") == ["0000", "0001"])
      #expect(try file.attributes(of: "calls/0001")["start"] == .integer(5))
      #expect(try file.tensor(at: "calls/0000/logits") == .float32(outputs[0].logits))
      #expect(try file.tensor(at: "calls/0001/mtp.0.logits") == .float32(#require(outputs[1].prediction).logits))
      let attributes = try file.attributes(of: "calls/0000/layers.1.attn.queries")
      #expect(attributes["parents"] == .text("layers.1.attn.query_heads_normalized"))
      #expect(attributes["equation"] == .text("2.3.3-rotary"))
      #expect(attributes["step"] == .text("RotarySteps.rotated"))
    }
  }

  @Test func theEstimateCountsWhatIsWritten() throws {
    try withTemporaryFolder { folder in
      for (numerics, globs) in [(NumericsMode.exact, []), (.deployed, []), (.deployed, ["*.attn.*", "logits"])] {
        let path = folder + "/" + "\(numerics)\(globs.count).h5"
        let selection = TapSelection(globs: globs, layers: nil)
        _ = try write(path, selection: selection, numerics: numerics)
        let file = try HDF5Reader(path)
        var tensors = 0
        for call in try file.members(of: "calls") ?? [] {
          tensors += try (file.members(of: "calls/\(call)") ?? []).count { $0 != "token_ids" }
        }
        let estimate = TraceEstimate(
          configuration, calls: [5, 1], selection: selection, numerics: numerics, scalarBytes: 4, predicts: true)
        let size = try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        #expect(abs(estimate.tensors - tensors) <= tensors / 20, "\(estimate.tensors) against \(tensors)")
        #expect(abs(estimate.bytes - size) < size / 5 + 20_000, "\(estimate.bytes) against \(size)")
      }
    }
  }

  @Test func selectionsFitNames() throws {
    let some = TapSelection(globs: ["layers.*.attn.queries", "logits"], layers: [0, 2])
    #expect(some.contains("layers.2.attn.queries"))
    #expect(!some.contains("layers.1.attn.queries"))
    #expect(!some.contains("layers.2.attn.queries.unrounded"))
    #expect(some.contains("logits"))
    #expect(!some.contains("mtp.0.logits"))
    #expect(try TapSelection.layers("0,2-3", of: 4) == [0, 2, 3])
    for wrong in ["", "4", "1-", "3-2", "x", "0,,1", "-1"] {
      #expect(throws: InputError.self, "\(wrong)") { try TapSelection.layers(wrong, of: 4) }
    }
  }

  @Test func anErrorLeavesNoFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/" + "t.h5"
      let description = TraceDescription(
        configuration: configuration, precision: "float", numerics: .exact, angles: .exact)
      #expect(throws: GoldenError.self) {
        try TraceWriter.write(path, description, selection: .all) { _ in }
      }
      let members = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(members == [])
    }
  }
}
