import Testing

@Suite struct HuggingFaceFaultTests {
  @Test(arguments: [
    (
      #""model_type": "deepseek_v4""#, #""model_type": "deepseek_v3""#,
      #""model_type" must be "deepseek_v4", got "deepseek_v3""#
    ),
    (#""norm_topk_prob": true"#, #""norm_topk_prob": false"#, #""norm_topk_prob" must be true, got false"#),
    (#""norm_topk_prob": true"#, #""norm_topk_prob": 1"#, #""norm_topk_prob" must be true, got 1"#),
    (
      #""tie_word_embeddings": false"#, #""tie_word_embeddings": true"#,
      #""tie_word_embeddings" must be false, got true"#
    ),
    (#""num_key_value_heads": 1"#, #""num_key_value_heads": 8"#, #""num_key_value_heads" must be 1, got 8"#),
    (#""hidden_act": "silu""#, #""hidden_act": "gelu""#, #""hidden_act" must be "silu", got "gelu""#),
    (
      #""dtype": "float32""#, #""dtype": "float16""#,
      #""dtype" must be "bfloat16" or "float32", got "float16""#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "torch_dtype": "bfloat16""#,
      #""torch_dtype" says bf16, "dtype" says fp32"#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "expert_dtype": "fp8""#,
      "experts must be fp4 or like the other matrices (fp32), got fp8"
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "quantization_config": {"quant_method": "fp8"}"#,
      #"2 faults: missing "quantization_config.scale_fmt", which quantized matrices need; "#
        + #""quantization_config.weight_block_size" must be [128,128]"#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "compress_ratios": [0, 4, 8, 8, 0]"#,
      #""compress_ratios" says [0, 4, 8, 8], "layer_types" says [0, 4, 8, 4]"#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "num_hash_layers": 3"#,
      #""num_hash_layers" says 3, "mlp_layer_types" says 2"#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "rope_scaling": {"type": "linear", "factor": 2}"#,
      #""rope_scaling" must be of the type "yarn", got "linear""#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "rope_scaling": {"type": "yarn", "mscale": 1}"#,
      #"5 faults: unknown key "rope_scaling.mscale"; missing "rope_scaling.original_max_position_embeddings"; "#
        + #"missing "rope_scaling.factor"; missing "rope_scaling.beta_fast"; missing "rope_scaling.beta_slow""#
    ),
    (#""dtype": "float32""#, #""dtype": "float32", "rope_scaling": 16"#, #""rope_scaling" must be an object, got 16"#),
    (
      #""dtype": "float32""#, #""dtype": "float32", "rope_parameters.main.rope_theta": 1"#,
      #"unknown key "rope_parameters..main..rope_theta""#
    ),
    (
      #""dtype": "float32""#, #""dtype": "float32", "quantization_config": {"scale_fmt": "ue8m0"}"#,
      #"2 faults: missing "quantization_config.quant_method"; "quantization_config.weight_block_size" must be "#
    ),
    (
      #""dtype": "float32""#,
      #""dtype": "float32", "expert_dtype": "fp4", "quantization_config": {"expert_dtype": "fp8"}"#,
      #"4 faults: "expert_dtype" says fp4, "quantization_config.expert_dtype" says fp8; "#
    ),
    (
      #""type": "yarn""#, #""type": "linear""#,
      #""rope_parameters.compress.rope_type" says yarn, "rope_parameters.compress.type" says linear"#
    ),
    (#""compress": {"#, #""compress": {"truncate": true,"#, #"unknown key "rope_parameters.compress.truncate""#),
    (
      #""attention_factor": 1.0"#, #""attention_factor": 1.277"#,
      #""rope_parameters.compress.attention_factor" must be 1, got 1.277"#
    ),
    (
      #""rope_type": "default""#, #""rope_type": "yarn""#,
      #""rope_parameters.main" must be of the type "default", got "yarn""#
    ),
    (
      #""rope_theta": 10000.0, "rope_type""#, #""rope_theta": 500, "rope_type""#,
      #""rope_theta" says 10000.0, "rope_parameters.main.rope_theta" says 500.0"#
    ),
    (
      #""qk_rope_head_dim": 4"#, #""qk_rope_head_dim": 6"#,
      #"3 faults: "qk_rope_head_dim" says 6, "partial_rotary_factor" says 4"#
    ),
    (
      #""partial_rotary_factor": 0.5, "q_lora_rank""#, #""partial_rotary_factor": 0.3, "q_lora_rank""#,
      #""partial_rotary_factor" must make whole channels of a head of 8, got 0.3"#
    ),
    (
      #""compressed_sparse_attention": 4"#, #""compressed_sparse_attention": 8"#,
      #""compress_rates.compressed_sparse_attention" must be 4, got 8"#
    ),
    (#", "heavily_compressed_attention": 8"#, "", #"missing "compress_rates.heavily_compressed_attention""#),
    (#""layer_types": ["#, #""layer_types": ["sliding_attention","#, #""layer_types" has 5 entries for 4 layers"#),
    (
      #""layer_types": ["#, #""layer_types": ["full_attention"], "foo": ["#,
      #"2 faults: unknown key "foo"; "layer_types" has 1 entries for 4 layers"#
    ),
    (
      #""sliding_attention", "comp"#, #""full_attention", "comp"#,
      #""layer_types" has the unknown kind "full_attention""#
    ),
    (
      #""hash_moe", "hash_moe", "moe""#, #""hash_moe", "moe", "hash_moe""#,
      #""mlp_layer_types" must be some "hash_moe", then "moe" alone"#
    ),
    (#"["hash_moe", "hash_moe""#, #"["hash_moe""#, #""mlp_layer_types" has 3 entries for 4 layers"#),
  ])
  func eachFaultOfTheHuggingFaceFormIsNamed(part: String, other: String, expected: String) {
    let result = problem(of: replacing(part, with: other, in: Published.transformers))
    #expect(result?.hasPrefix(expected) == true, "\(result ?? "read")")
  }
}
