import DeepSeekV4
import Foundation
import Tensors
import Testing

/// Configurations as they are published, written down from the releases and not from the sources of this package.
enum Published {
  static let flashRatios =
    "[0, 0, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, "
    + "4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 4, 0]"
  static let proRatios = "[128, 128" + String(repeating: ", 4, 128", count: 29) + ", 4, 0]"

  /// `inference/config.json`, with its omissions.
  static func inference(isPro: Bool) -> String {
    """
    {
      "vocab_size": 129280, "dim": \(isPro ? 7168 : 4096), "moe_inter_dim": \(isPro ? 3072 : 2048),
      "n_layers": \(isPro ? 61 : 43), "n_hash_layers": 3, "n_heads": \(isPro ? 128 : 64),
      "n_routed_experts": \(isPro ? 384 : 256), "n_shared_experts": 1, "n_activated_experts": 6,
      "score_func": "sqrtsoftplus", "route_scale": \(isPro ? 2.5 : 1.5), "swiglu_limit": 10.0,
      "q_lora_rank": \(isPro ? 1536 : 1024), "head_dim": 512, "rope_head_dim": 64,
      "o_groups": \(isPro ? 16 : 8), "o_lora_rank": 1024, "window_size": 128,
      "original_seq_len": 65536, "rope_theta": 10000, "rope_factor": 16, "beta_fast": 32, "beta_slow": 1,
      "index_n_heads": 64, "index_head_dim": 128, "index_topk": \(isPro ? 1024 : 512),
      "hc_mult": 4, "hc_sinkhorn_iters": 20, "compress_rope_theta": 160000,
      "compress_ratios": \(isPro ? proRatios : flashRatios),
      "dtype": "fp8", "scale_fmt": "ue8m0", "expert_dtype": "fp4"
    }
    """
  }

  /// `config.json` of the Hugging Face repository.
  static func huggingFace(isPro: Bool) -> String {
    """
    {
      "architectures": ["DeepseekV4ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
      "bos_token_id": 0, "eos_token_id": 1, "expert_dtype": "fp4", "hc_eps": 1e-06, "hc_mult": 4,
      "hc_sinkhorn_iters": 20, "head_dim": 512, "hidden_act": "silu", "hidden_size": \(isPro ? 7168 : 4096),
      "index_head_dim": 128, "index_n_heads": 64, "index_topk": \(isPro ? 1024 : 512), "initializer_range": 0.02,
      "max_position_embeddings": 1048576, "model_type": "deepseek_v4",
      "moe_intermediate_size": \(isPro ? 3072 : 2048), "n_routed_experts": \(isPro ? 384 : 256),
      "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": \(isPro ? 128 : 64),
      "num_experts_per_tok": 6, "num_hidden_layers": \(isPro ? 61 : 43), "num_hash_layers": 3,
      "num_key_value_heads": 1, "num_nextn_predict_layers": 1, "o_groups": \(isPro ? 16 : 8), "o_lora_rank": 1024,
      "q_lora_rank": \(isPro ? 1536 : 1024), "qk_rope_head_dim": 64,
      "quantization_config": {
        "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "scale_fmt": "ue8m0",
        "weight_block_size": [128, 128]
      },
      "rms_norm_eps": 1e-06,
      "rope_scaling": {
        "beta_fast": 32, "beta_slow": 1, "factor": 16, "original_max_position_embeddings": 65536, "type": "yarn"
      },
      "rope_theta": 10000, "routed_scaling_factor": \(isPro ? 2.5 : 1.5), "scoring_func": "sqrtsoftplus",
      "sliding_window": 128, "swiglu_limit": 10.0, "tie_word_embeddings": false, "topk_method": "noaux_tc",
      "torch_dtype": "bfloat16", "transformers_version": "4.57.1", "use_cache": true, "vocab_size": 129280,
      "compress_rope_theta": 160000, "compress_ratios": \(isPro ? proRatios : flashRatios)
    }
    """
  }

  /// What transformers 5.23 saves for a model with the numbers of the tiny preset.
  static let transformers = """
    {
      "architectures": ["DeepseekV4ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 0,
      "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 8},
      "compress_rope_theta": 160000.0, "dtype": "float32", "eos_token_id": 1, "hc_eps": 1e-06, "hc_mult": 4,
      "hc_sinkhorn_iters": 20, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16, "index_head_dim": 8,
      "index_n_heads": 2, "index_topk": 3, "initializer_range": 0.02,
      "layer_types": [
        "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention",
        "compressed_sparse_attention"
      ],
      "max_position_embeddings": 4096, "mlp_bias": false, "mlp_layer_types": ["hash_moe", "hash_moe", "moe", "moe"],
      "model_type": "deepseek_v4", "moe_intermediate_size": 12, "n_routed_experts": 4, "n_shared_experts": 1,
      "norm_topk_prob": true, "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 4,
      "num_key_value_heads": 1, "num_nextn_predict_layers": 1, "o_groups": 2, "o_lora_rank": 6,
      "output_router_logits": false, "pad_token_id": null, "partial_rotary_factor": 0.5, "q_lora_rank": 12,
      "qk_rope_head_dim": 4, "rms_norm_eps": 1e-06,
      "rope_parameters": {
        "compress": {
          "attention_factor": 1.0, "beta_fast": 32, "beta_slow": 1, "factor": 16,
          "original_max_position_embeddings": 64, "partial_rotary_factor": 0.5, "rope_theta": 160000.0,
          "rope_type": "yarn", "type": "yarn"
        },
        "main": {"partial_rotary_factor": 0.5, "rope_theta": 10000.0, "rope_type": "default"}
      },
      "rope_theta": 10000.0, "routed_scaling_factor": 1.5, "router_aux_loss_coef": 0.001, "router_jitter_noise": 0.0,
      "scoring_func": "sqrtsoftplus", "sliding_window": 6, "swiglu_limit": 10.0, "tie_word_embeddings": false,
      "transformers_version": "5.23.0", "use_cache": true, "vocab_size": 48
    }
    """
}

/// A published text with one part of it replaced, which must be there once.
func replacing(_ part: String, with other: String, in text: String) -> String {
  precondition(text.components(separatedBy: part).count == 2, "\(part) does not stand once in the text")
  return text.replacingOccurrences(of: part, with: other)
}

/// What is wrong with a text, nil if it is read.
func problem(of text: String) -> String? {
  do throws(InputError) {
    _ = try ModelConfiguration.read(Data(text.utf8))
    return nil
  } catch {
    #expect(error.operation == "config")
    return error.problem
  }
}
