extension ConfigurationKey {
  /// Keys with which the transformers library says what the released Hugging Face form says otherwise. Where a
  /// configuration has both, they must agree.
  static let alternatives =
    [
      other("layer_types", "kind of each layer, beside `compress_rates`: the same as `compress_ratios`"),
      other("compress_rates.compressed_sparse_attention", "only 4"),
      other("compress_rates.heavily_compressed_attention", "ratio of the HCA layers in `layer_types`"),
      other("mlp_layer_types", "`hash_moe`, then `moe`: the same as `num_hash_layers`"),
      other("partial_rotary_factor", "rotated part of a head: `qk_rope_head_dim` over `head_dim`"),
      other("rope_scaling.type", "only `yarn`"), other("rope_scaling.rope_type", "only `yarn`"),
      other("rope_parameters.main.rope_theta", "the same as `rope_theta`"),
      other("rope_parameters.main.rope_type", "only `default`: no YaRN"),
      other("rope_parameters.main.type", "only `default`: no YaRN"),
      other("rope_parameters.main.partial_rotary_factor", "the same as `partial_rotary_factor`"),
      other("rope_parameters.compress.rope_theta", "the same as `compress_rope_theta`"),
      other("rope_parameters.compress.rope_type", "`yarn`, or `default` for no YaRN"),
      other("rope_parameters.compress.type", "the same"),
      other("rope_parameters.compress.partial_rotary_factor", "the same as `partial_rotary_factor`"),
      other("rope_parameters.compress.original_max_position_embeddings", "the same as in `rope_scaling`"),
      other("rope_parameters.compress.factor", "the same as in `rope_scaling`"),
      other("rope_parameters.compress.beta_fast", "the same as in `rope_scaling`"),
      other("rope_parameters.compress.beta_slow", "the same as in `rope_scaling`"),
      other("rope_parameters.compress.attention_factor", "only 1: YaRN does not change the amplitude"),
      other("dtype", "the newer name of `torch_dtype`"),
      other("quantization_config.expert_dtype", "the same as `expert_dtype`"),
      other("quantization_config.weight_block_size", "only [128, 128]"),
    ]

  /// Keys that may have one value only: the model computes nothing else.
  static let constants = [
    Self(nil, "model_type", "the architecture", .only(.string("deepseek_v4"))),
    Self(nil, "norm_topk_prob", "routing weights are normalized", .only(.bool(true))),
    Self(nil, "topk_method", "experts are selected with a bias, without groups", .only(.string("noaux_tc"))),
    Self(nil, "tie_word_embeddings", "embedding and head are two matrices", .only(.bool(false))),
    Self(nil, "hidden_act", "activation of the experts", .only(.string("silu"))),
    Self(nil, "attention_bias", "no projection has a bias", .only(.bool(false))),
    Self(nil, "mlp_bias", "no expert has a bias", .only(.bool(false))),
    Self(nil, "num_key_value_heads", "all query heads share one key-value head", .only(.integer(1))),
    Self(nil, "quantization_config.quant_method", "how matrices are quantized", .only(.string("fp8"))),
    Self(nil, "quantization_config.fmt", "the FP8 format", .only(.string("e4m3"))),
    Self(
      nil, "quantization_config.activation_scheme", "inputs are scaled as they come", .only(.string("dynamic"))),
  ]

  /// Keys that are known and say nothing about what the model computes.
  static let ignoredKeys = [
    Self("max_batch_size", nil, "a run-time size", .ignored),
    Self("temperature", nil, "sampling", .ignored),
    Self(nil, "architectures", "names a class of the transformers library", .ignored),
    Self(nil, "auto_map", "names code to load", .ignored),
    Self(nil, "transformers_version", "says what wrote the file", .ignored),
    Self(nil, "_name_or_path", "says where the file came from", .ignored),
    Self(nil, "use_cache", "a run-time choice", .ignored),
    Self(nil, "output_router_logits", "a run-time choice", .ignored),
    Self(nil, "bos_token_id", "tokenizer", .ignored),
    Self(nil, "eos_token_id", "tokenizer", .ignored),
    Self(nil, "pad_token_id", "tokenizer", .ignored),
    Self(nil, "initializer_range", "training", .ignored),
    Self(nil, "attention_dropout", "training", .ignored),
    Self(nil, "router_aux_loss_coef", "training", .ignored),
    Self(nil, "router_jitter_noise", "training", .ignored),
    Self(
      nil, "quantization_config.modules_to_not_convert", "a checkpoint says itself how each tensor is stored",
      .ignored),
  ]

  private static func other(_ name: String, _ meaning: String) -> Self {
    Self(nil, name, meaning, .optional("the released key is read"))
  }
}
