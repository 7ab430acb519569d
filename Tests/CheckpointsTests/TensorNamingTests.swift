import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Official names, and those that transformers writes.
@Suite struct TensorNamingTests {
  /// Rows of official, `save_pretrained`, and `save_pretrained(save_original_format=False)`, from files that transformers
  /// 5.23 wrote of one model in both ways; matched by their values.
  static let pairs: [[String]] = [
    ["embed.weight", "model.embed_tokens.weight", "model.embed_tokens.weight"],
    ["head.weight", "head.weight", "lm_head.weight"],
    ["norm.weight", "model.norm.weight", "model.norm.weight"],
    ["hc_head_scale", "model.hc_head.hc_scale", "model.hc_head.hc_scale"],
    ["layers.12.attn.kv_norm.weight", "model.layers.12.attn.norm.weight", "model.layers.12.self_attn.kv_norm.weight"],
    ["layers.12.attn.attn_sink", "model.layers.12.attn.attn_sink", "model.layers.12.self_attn.sinks"],
    ["layers.1.attn.wq_b.weight", "model.layers.1.attn.wq_b.weight", "model.layers.1.self_attn.q_b_proj.weight"],
    [
      "layers.1.attn.indexer.compressor.norm.weight", "model.layers.1.attn.indexer.compressor.norm.weight",
      "model.layers.1.self_attn.compressor.indexer.kv_norm.weight",
    ],
    [
      "layers.1.attn.indexer.weights_proj.weight", "model.layers.1.attn.indexer.weights_proj.weight",
      "model.layers.1.self_attn.compressor.indexer.scorer.weights_proj.weight",
    ],
    ["layers.0.hc_ffn_scale", "model.layers.0.hc_ffn_scale", "model.layers.0.ffn_hc.scale"],
    ["layers.0.ffn.gate.tid2eid", "model.layers.0.ffn.gate.tid2eid", "model.layers.0.mlp.gate.tid2eid"],
    ["layers.2.ffn.gate.bias", "model.layers.2.ffn.gate.bias", "model.layers.2.mlp.gate.e_score_correction_bias"],
    [
      "layers.2.ffn.shared_experts.w3.weight", "model.layers.2.ffn.shared_experts.w3.weight",
      "model.layers.2.mlp.shared_experts.up_proj.weight",
    ],
  ]

  @Test(arguments: pairs) func names(_ row: [String]) {
    for (naming, stored) in zip(TensorNaming.allCases, row) {
      let names = naming.officialNames(of: TensorDescription(stored, .float32, [1]))
      #expect(names?.map(\.official) == [row[0]])
      #expect(names?.first?.place == TensorPlace(stored: stored, part: .whole))
    }
  }

  /// The released Flash has 69,187 tensors: 43 layers of which 21 have an indexer and 20 plain pooling, 256 experts, FP8
  /// and FP4 with scales, and one block for multi-token prediction.
  @Test func theReleasedCheckpointHasNoOtherNames() {
    let names = Self.flashNames
    #expect(names.count == 69_187)
    for name in names {
      let tensor = TensorDescription(name, .float32, [1])
      #expect(TensorNaming.official.officialNames(of: tensor)?.map(\.official) == [name], "\(name)")
    }
  }

  @Test(arguments: [
    "layers.3.attn.wq_a", "layers.3.attn.wq_c.weight", "layers.x.attn.wq_a.weight", "layers.03.attn.wq_a.weight",
    "layers.-1.attn.wq_a.weight", "layers.#.attn.wq_a.weight", "layers.3.attn.norm.weight",
    "layers.3.ffn.experts.w1.weight",
    "layers.3..attn_sink", "mtp.0.embed.weight", "hc_head.fn", "layers.3.attn.attn_sink.scale", "", "#", ".scale",
  ])
  func strangersAreNoOfficialNames(_ name: String) {
    #expect(TensorNaming.official.officialNames(of: TensorDescription(name, .float32, [1])) == nil)
  }

  @Test func scalesBelongToTheirWeights() {
    for (naming, stored) in [
      (TensorNaming.official, "layers.3.attn.wq_a.scale"), (.transformers, "model.layers.3.attn.wq_a.scale"),
      (.transformersModules, "model.layers.3.self_attn.q_a_proj.weight_scale_inv"),
    ] {
      let names = naming.officialNames(of: TensorDescription(stored, .float32, [1]))
      #expect(names?.map(\.official) == ["layers.3.attn.wq_a.scale"])
    }
  }

  /// Gate rows first, then up rows; each expert by itself.
  @Test func fusedExpertsAreTakenApart() throws {
    let stem = "model.layers.5.mlp.experts"
    let tensors = [
      TensorDescription("\(stem).gate_up_proj", .float32, [2, 6, 2]),
      TensorDescription("\(stem).down_proj", .float32, [2, 2, 3]),
      TensorDescription("model.layers.5.mlp.gate.tid2eid", .int64, [2, 1]),
    ]
    try withCheckpoint(tensors) { checkpoint throws in
      #expect(checkpoint.naming == .transformersModules)
      #expect(checkpoint.names.count == 7)
      let expert = "layers.5.ffn.experts.1"
      #expect(
        try checkpoint.matrix("\(expert).w1.weight") == Tensor(shape: [3, 2], elements: (12..<18).map(Float.init)))
      #expect(
        try checkpoint.matrix("\(expert).w3.weight") == Tensor(shape: [3, 2], elements: (18..<24).map(Float.init)))
      #expect(
        try checkpoint.matrix("\(expert).w2.weight") == Tensor(shape: [2, 3], elements: (6..<12).map(Double.init)))
      #expect(
        try checkpoint.matrix("\(expert).w3.weight", rows: 1..<2) == Tensor(shape: [1, 2], elements: [Float(20), 21]))
      #expect(checkpoint.tensor("\(expert).w3.weight") == TensorDescription("\(expert).w3.weight", .float32, [3, 2]))
      #expect(checkpoint.tensor("\(expert).w2.weight") == TensorDescription("\(expert).w2.weight", .float32, [2, 3]))
      #expect(
        checkpoint.place("\(expert).w3.weight")
          == TensorPlace(stored: "\(stem).gate_up_proj", part: .expert(1, .secondHalf)))
      #expect(try checkpoint.integers("layers.5.ffn.gate.tid2eid").elements == [0, 1])
      for rows in [-1..<1, 2..<4] {
        #expect(throws: CheckpointError.self) {
          try checkpoint.matrix("\(expert).w1.weight", as: Float.self, rows: rows)
        }
      }
      for name in ["\(expert).w4.weight", "layers.5.ffn.experts.2.w1.weight", "\(stem).down_proj"] {
        #expect(throws: CheckpointError.self) { try checkpoint.matrix(name, as: Float.self) }
      }
      #expect(throws: CheckpointError.self) { try checkpoint.integers("\(expert).w1.weight") }
    }
  }

  /// A hostile shape may name more experts than there are bytes.
  @Test func impossibleExpertsAreStrangers() {
    for shape in [[1 << 60, 2, 0], [2, 3, 1], [4, 4]] {
      let tensor = TensorDescription("model.layers.0.mlp.experts.gate_up_proj", .float32, shape)
      #expect(TensorNaming.transformersModules.officialNames(of: tensor) == nil)
    }
  }

  @Test func mixedAndUnknownNamesAreRefused() throws {
    let x = { (name: String) in TensorDescription(name, .float32, [1]) }
    let cases: [([TensorDescription], String)] = [
      (
        [x("layers.0.attn_norm.weight"), x("norm.weight"), x("model.layers.0.attn_norm.weight")],
        "'model.layers.0.attn_norm.weight' [1] is no tensor of DeepSeek-V4 in the naming official"
      ),
      (
        [
          x("model.norm.weight"), x("model.layers.0.self_attn.sinks"), x("model.layers.0.attn.attn_sink"),
          x("lm_head.weight"),
        ],
        "'model.layers.0.attn.attn_sink' [1] is no tensor of DeepSeek-V4 in the naming transformers-modules"
      ),
      (
        [
          x("model.layers.0.attn.wkv.weight"), x("model.layers.0.attn.wkv.scale"),
          x("model.layers.0.attn.wkv.weight_scale_inv"),
        ],
        "layers.0.attn.wkv.scale is both model.layers.0.attn.wkv.scale and model.layers.0.attn.wkv.weight_scale_inv"
      ),
    ]
    for (tensors, problem) in cases {
      let error = #expect(throws: CheckpointError.self) { try withCheckpoint(tensors) { _ in } }
      #expect(error?.problem == problem)
    }
    try withCheckpoint(Self.pairs.map { x($0[1]) }) { #expect($0.naming == .transformers) }
    try withCheckpoint(Self.pairs.map { x($0[0]) }) { #expect($0.naming == .official) }
  }

  // MARK: Names and files

  private static var flashNames: [String] {
    func quantized(_ names: [String]) -> [String] { names.flatMap { ["\($0).weight", "\($0).scale"] } }
    func block(_ prefix: String, ratio: Int, hash: Bool) -> [String] {
      var names = quantized(["wq_a", "wq_b", "wkv", "wo_a", "wo_b"].map { "attn.\($0)" })
      names += ["attn.q_norm.weight", "attn.kv_norm.weight", "attn.attn_sink", "attn_norm.weight", "ffn_norm.weight"]
      let compressor = ["ape", "wkv.weight", "wgate.weight", "norm.weight"].map { "compressor.\($0)" }
      if ratio > 0 { names += compressor.map { "attn.\($0)" } }
      if ratio == 4 {
        names += (compressor + ["weights_proj.weight"]).map { "attn.indexer.\($0)" } + quantized(["attn.indexer.wq_b"])
      }
      names += ["ffn.gate.weight", hash ? "ffn.gate.tid2eid" : "ffn.gate.bias"]
      names += quantized(["w1", "w2", "w3"].map { "ffn.shared_experts.\($0)" })
      names += (0..<256).flatMap { expert in quantized(["w1", "w2", "w3"].map { "ffn.experts.\(expert).\($0)" }) }
      names += ["attn", "ffn"].flatMap { site in ["fn", "base", "scale"].map { "hc_\(site)_\($0)" } }
      return names.map { "\(prefix).\($0)" }
    }
    let head = ["hc_head_fn", "hc_head_base", "hc_head_scale"]
    let ratios = [0, 0] + Array(repeating: [4, 128], count: 20).flatMap(\.self) + [4]
    return ["embed.weight", "head.weight", "norm.weight"] + head
      + ratios.enumerated().flatMap { block("layers.\($0)", ratio: $1, hash: $0 < 3) }
      + block("mtp.0", ratio: 0, hash: false) + quantized(["mtp.0.e_proj", "mtp.0.h_proj"])
      + (["enorm.weight", "hnorm.weight", "norm.weight"] + head).map { "mtp.0.\($0)" }
  }

  /// A checkpoint whose elements count from 0 in each tensor.
  private func withCheckpoint(_ tensors: [TensorDescription], _ body: (NamedCheckpoint) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try CheckpointWriter.write(folder, tensors: tensors) { writer in
        for tensor in tensors {
          let count = tensor.shape.reduce(1, *)
          if tensor.type == .int64 {
            try writer.append(Tensor(shape: [count], elements: Array(0..<count)), to: tensor.name)
          } else {
            try writer.append(
              Tensor(shape: [count], elements: (0..<count).map(Float.init)), to: tensor.name, as: .float32)
          }
        }
      }
      try body(NamedCheckpoint(Checkpoint(folder)))
    }
  }
}
