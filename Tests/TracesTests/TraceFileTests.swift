import Checkpoints
import Foundation
import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors
import TestSupport
import Testing
import Traces

/// Traces of other engines: what is read, and what is refused.
@Suite struct TraceFileTests {
  private typealias Tensors = [String: StoredTensor]

  private static func ids(_ ids: [Int64]) throws -> StoredTensor {
    .int64(try Tensor(shape: [ids.count], elements: ids))
  }

  /// Writes the tensors as safetensors and reads them as a trace.
  private func trace(_ tensors: Tensors, _ metadata: [String: String] = [:]) throws -> TraceFile {
    try withTemporaryFolder { folder in
      let path = folder + "/t"
      try SafetensorsWriter.write(path, tensors, metadata: metadata)
      return try TraceFile(TensorFile(path, name: "t"))
    }
  }

  private func refusal(_ tensors: Tensors, _ metadata: [String: String] = [:]) -> String? {
    do {
      _ = try trace(tensors, metadata)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func aTraceOfHDF5() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/t.h5"
      let logits = StoredTensor.float64(Tensor(repeating: 2, shape: [3, 4]))
      try HDF5Writer.write(path) { file in
        try file.set("producer", .text("me"))
        try file.set("precision", .text("double"))
        try file.set("numerics", .text("simulated"))
        for group in ["calls", "calls/0000", "calls/0001"] { try file.group(group) }
        try file.write(Self.ids([5, 6, 7]), at: "calls/0000/token_ids")
        try file.write(logits, at: "calls/0000/logits")
        try file.write(.float32(Tensor(repeating: 1, shape: [3])), at: "calls/0000/embedding")
        try file.set("start", .integer(2), of: "calls/0001")
        try file.write(.int32(Tensor(shape: [2], elements: [8, 9])), at: "calls/0001/token_ids")
      }
      let trace = try TraceFile(path)
      #expect(trace.producer == "me")
      #expect(trace.precision == .fp64)
      #expect(trace.numerics == .simulated)
      #expect(trace.angles == .exact)
      #expect(trace.calls.map(\.name) == ["calls/0000", "calls/0001"])
      #expect(trace.calls.map(\.start) == [0, 2])
      #expect(trace.calls.map(\.tokenIDs) == [[5, 6, 7], [8, 9]])
      #expect(trace.calls.map(\.taps) == [["embedding", "logits"], []])
      #expect(try trace.tensor("logits", in: trace.calls[0]) == logits)
      #expect(throws: GoldenError.self) { try trace.tensor("logits", in: trace.calls[1]) }
    }
  }

  @Test func whatATraceOfSafetensorsSaysAndWhatItLeavesOut() throws {
    let tensors: Tensors = [
      "calls/0000/token_ids": try Self.ids([1, 2]), "calls/0001/token_ids": try Self.ids([3]),
      "calls/0000/layers.2.attn.queries": .float32(Tensor(repeating: 1, shape: [2, 1, 1])),
    ]
    let plain = try trace(tensors)
    #expect(plain.producer == nil)
    #expect(plain.precision == .fp32)
    #expect(plain.numerics == .exact)
    #expect(plain.angles == .float32)
    #expect(plain.calls.map(\.start) == [0, 2])
    #expect(plain.calls[0].taps == ["layers.2.attn.queries"])
    let said = try trace(
      tensors, ["precision": "bf16", "numerics": "deployed", "angles": "exact", "calls/0001/start": "1"])
    #expect(said.precision == .bf16)
    #expect(said.numerics == .deployed)
    #expect(said.angles == .exact)
    #expect(said.calls.map(\.start) == [0, 1])
  }

  @Test func badCallsAreRefused() throws {
    let two = try Self.ids([1, 2])
    let tap = StoredTensor.float32(Tensor(repeating: 1, shape: [1]))
    let cases: [(Tensors, [String: String], String)] = [
      (["logits": tap], [:], "t: holds no call of a model: there is no calls/0000"),
      (["calls/logits": tap], [:], "t: holds no call of a model: there is no calls/0000"),
      (["calls/0000/logits": tap], [:], "t: calls/0000 has no token_ids"),
      (
        ["calls/0000/token_ids": two, "calls/0002/token_ids": two], [:],
        "t: its calls must be numbered without gaps: there is no calls/0001, but calls/0002"
      ),
      (
        ["calls/0/token_ids": two], [:],
        "t: its calls must be numbered without gaps: there is no calls/0000, but calls/0"
      ),
      (
        ["calls/0000/token_ids": .float32(Tensor(repeating: 1, shape: [2]))], [:],
        "t: calls/0000/token_ids holds float32, not int64 or int32"
      ),
      (
        ["calls/0000/token_ids": .int64(Tensor(repeating: 1, shape: [1, 2]))], [:],
        "t: calls/0000/token_ids has the shape [1, 2], not [T] with at least one token"
      ),
      (
        ["calls/0000/token_ids": .int64(Tensor(repeating: 1, shape: [0]))], [:],
        "t: calls/0000/token_ids has the shape [0], not [T] with at least one token"
      ),
      (["calls/0000/token_ids": try Self.ids([3, -1])], [:], "t: calls/0000/token_ids holds the token id -1"),
      (
        ["calls/0000/token_ids": two, "calls/0001/token_ids": two], ["calls/0001/start": "3"],
        "t: calls/0001 starts at 3, but 2 tokens were seen before it"
      ),
      (
        ["calls/0000/token_ids": two], ["calls/0000/start": "1"],
        "t: calls/0000 starts at 1, but 0 tokens were seen before it"
      ),
      (
        ["calls/0000/token_ids": two, "calls/0001/token_ids": two], ["calls/0001/start": "-1"],
        "t: calls/0001 starts at -1, but 2 tokens were seen before it"
      ),
      (
        ["calls/0000/token_ids": two], ["calls/0000/start": "none"],
        "t: the attribute start of calls/0000 is not a whole number"
      ),
      (
        ["calls/0000/token_ids": two], ["precision": "half"],
        "t: its precision is 'half', not one of float, double, fp64, fp32, tf32, bf16, fp8-fp4"
      ),
      (
        ["calls/0000/token_ids": two], ["numerics": "some"],
        "t: its numerics is 'some', not one of exact, simulated, deployed"
      ),
    ]
    for (tensors, metadata, sentence) in cases { #expect(refusal(tensors, metadata) == sentence) }
  }

  @Test func anEmptyCallOfHDF5IsRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/t.h5"
      try HDF5Writer.write(path) { file in
        for group in ["calls", "calls/0000", "calls/0001"] { try file.group(group) }
        try file.write(Self.ids([1]), at: "calls/0000/token_ids")
        try file.set("precision", .integer(3))
      }
      #expect(throws: GoldenError("t", "its attribute precision is not a text")) {
        try TraceFile(TensorFile(path, name: "t"))
      }
      try HDF5Writer.write(path) { file in
        for group in ["calls", "calls/0000", "calls/0001"] { try file.group(group) }
        try file.write(Self.ids([1]), at: "calls/0000/token_ids")
      }
      #expect(throws: GoldenError("t", "calls/0001 has no token_ids")) { try TraceFile(TensorFile(path, name: "t")) }
    }
  }
}
