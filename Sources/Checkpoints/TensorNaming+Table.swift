// The names of DeepSeek-V4's tensors in three namings. `#` stands for a number. Sources: the released checkpoint, and what
// transformers 5.23 writes.

extension TensorNaming {
  /// Outside the layers: official, transformers, transformersModules.
  private static let outsideLayers = [
    ["embed.weight", "model.embed_tokens.weight", "model.embed_tokens.weight"],
    ["head.weight", "head.weight", "lm_head.weight"],
    ["norm.weight", "model.norm.weight", "model.norm.weight"],
    ["hc_head_fn", "model.hc_head.hc_fn", "model.hc_head.hc_fn"],
    ["hc_head_base", "model.hc_head.hc_base", "model.hc_head.hc_base"],
    ["hc_head_scale", "model.hc_head.hc_scale", "model.hc_head.hc_scale"],
  ]

  /// In each layer after `layers.#.`, `model.layers.#.` and `model.layers.#.`: the first two differ in one.
  private static let insideLayers = [
    ["attn_norm.weight", "attn_norm.weight", "input_layernorm.weight"],
    ["ffn_norm.weight", "ffn_norm.weight", "post_attention_layernorm.weight"],

    ["hc_attn_fn", "hc_attn_fn", "attn_hc.fn"],
    ["hc_attn_base", "hc_attn_base", "attn_hc.base"],
    ["hc_attn_scale", "hc_attn_scale", "attn_hc.scale"],
    ["hc_ffn_fn", "hc_ffn_fn", "ffn_hc.fn"],
    ["hc_ffn_base", "hc_ffn_base", "ffn_hc.base"],
    ["hc_ffn_scale", "hc_ffn_scale", "ffn_hc.scale"],

    ["attn.wq_a.weight", "attn.wq_a.weight", "self_attn.q_a_proj.weight"],
    ["attn.q_norm.weight", "attn.q_norm.weight", "self_attn.q_a_norm.weight"],
    ["attn.wq_b.weight", "attn.wq_b.weight", "self_attn.q_b_proj.weight"],
    ["attn.wkv.weight", "attn.wkv.weight", "self_attn.kv_proj.weight"],
    ["attn.kv_norm.weight", "attn.norm.weight", "self_attn.kv_norm.weight"],
    ["attn.wo_a.weight", "attn.wo_a.weight", "self_attn.o_a_proj.weight"],
    ["attn.wo_b.weight", "attn.wo_b.weight", "self_attn.o_b_proj.weight"],
    ["attn.attn_sink", "attn.attn_sink", "self_attn.sinks"],

    ["attn.compressor.ape", "attn.compressor.ape", "self_attn.compressor.position_bias"],
    ["attn.compressor.wkv.weight", "attn.compressor.wkv.weight", "self_attn.compressor.kv_proj.weight"],
    ["attn.compressor.wgate.weight", "attn.compressor.wgate.weight", "self_attn.compressor.gate_proj.weight"],
    ["attn.compressor.norm.weight", "attn.compressor.norm.weight", "self_attn.compressor.kv_norm.weight"],

    ["attn.indexer.wq_b.weight", "attn.indexer.wq_b.weight", "self_attn.compressor.indexer.q_b_proj.weight"],
    [
      "attn.indexer.weights_proj.weight", "attn.indexer.weights_proj.weight",
      "self_attn.compressor.indexer.scorer.weights_proj.weight",
    ],
    [
      "attn.indexer.compressor.ape", "attn.indexer.compressor.ape", "self_attn.compressor.indexer.position_bias",
    ],
    [
      "attn.indexer.compressor.wkv.weight", "attn.indexer.compressor.wkv.weight",
      "self_attn.compressor.indexer.kv_proj.weight",
    ],
    [
      "attn.indexer.compressor.wgate.weight", "attn.indexer.compressor.wgate.weight",
      "self_attn.compressor.indexer.gate_proj.weight",
    ],
    [
      "attn.indexer.compressor.norm.weight", "attn.indexer.compressor.norm.weight",
      "self_attn.compressor.indexer.kv_norm.weight",
    ],

    ["ffn.gate.weight", "ffn.gate.weight", "mlp.gate.weight"],
    ["ffn.gate.bias", "ffn.gate.bias", "mlp.gate.e_score_correction_bias"],
    ["ffn.gate.tid2eid", "ffn.gate.tid2eid", "mlp.gate.tid2eid"],
    ["ffn.shared_experts.w1.weight", "ffn.shared_experts.w1.weight", "mlp.shared_experts.gate_proj.weight"],
    ["ffn.shared_experts.w2.weight", "ffn.shared_experts.w2.weight", "mlp.shared_experts.down_proj.weight"],
    ["ffn.shared_experts.w3.weight", "ffn.shared_experts.w3.weight", "mlp.shared_experts.up_proj.weight"],
  ]

  /// The experts where they are not fused, in each layer.
  private static let experts = [
    "ffn.experts.#.w1.weight", "ffn.experts.#.w2.weight", "ffn.experts.#.w3.weight",
  ]

  /// In `mtp.#.`, besides what a layer has; only the official naming has them.
  private static let multiTokenPrediction = [
    "e_proj.weight", "h_proj.weight", "enorm.weight", "hnorm.weight", "norm.weight", "hc_head_fn", "hc_head_base",
    "hc_head_scale",
  ]

  /// For each naming, the stored pattern and the official pattern.
  static let wholeTensors: [TensorNaming: [String: String]] = {
    var tables: [TensorNaming: [String: String]] = [:]
    for (column, naming) in TensorNaming.allCases.enumerated() {
      var table: [String: String] = [:]
      let layers = naming == .official ? "layers.#." : "model.layers.#."
      for row in outsideLayers { table[row[column]] = row[0] }
      for row in insideLayers { table[layers + row[column]] = "layers.#." + row[0] }
      if naming != .transformersModules {
        for name in experts { table[layers + name] = "layers.#." + name }
      }
      tables[naming] = table
    }
    for name in insideLayers.map({ $0[0] }) + experts + multiTokenPrediction {
      tables[.official]?["mtp.#." + name] = "mtp.#." + name
    }
    return tables
  }()

  /// For fused experts, the stored pattern, and of each expert the official pattern and its rows.
  static let fusedExperts: [String: [(official: String, rows: TensorPlace.ExpertRows)]] = [
    "model.layers.#.mlp.experts.gate_up_proj": [
      ("layers.#.ffn.experts.#.w1.weight", .firstHalf), ("layers.#.ffn.experts.#.w3.weight", .secondHalf),
    ],
    "model.layers.#.mlp.experts.down_proj": [("layers.#.ffn.experts.#.w2.weight", .all)],
  ]
}
