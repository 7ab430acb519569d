"""The configurations of the whole-model cases, as Hugging Face config.json has them.

Each has every key of the released configuration that changes a number; widths are narrow throughout.
"""

import json
from typing import Any

Config = dict[str, Any]

RELEASED_YARN = {"type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1,
                 "original_max_position_embeddings": 65536}  # fmt: skip
SHORT_YARN = RELEASED_YARN | {"original_max_position_embeddings": 32}

TINY: Config = {
    "model_type": "deepseek_v4",
    "vocab_size": 24,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "qk_rope_head_dim": 4,
    "q_lora_rank": 6,
    "o_groups": 2,
    "o_lora_rank": 4,
    "sliding_window": 5,
    "compress_ratios": [0, 4, 3, 0],
    "index_n_heads": 4,
    "index_head_dim": 8,
    "index_topk": 2,
    "moe_intermediate_size": 10,
    "n_routed_experts": 6,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "norm_topk_prob": True,
    "num_hash_layers": 1,
    "routed_scaling_factor": 1.5,
    "scoring_func": "sqrtsoftplus",
    "swiglu_limit": 1.0,
    "hc_mult": 4,
    "hc_sinkhorn_iters": 20,
    "hc_eps": 1e-6,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000,
    "compress_rope_theta": 160000,
    "rope_scaling": SHORT_YARN,
    "max_position_embeddings": 1024,
    "num_nextn_predict_layers": 1,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "attention_bias": False,
}

# Every axis of another size; large epsilons, few iterations, a low clamp limit.
ODD = TINY | {
    "vocab_size": 29, "hidden_size": 10, "num_hidden_layers": 4, "num_attention_heads": 3, "head_dim": 14,
    "qk_rope_head_dim": 6, "q_lora_rank": 7, "o_groups": 3, "o_lora_rank": 5, "sliding_window": 6,
    "compress_ratios": [4, 5, 0, 4, 0], "index_n_heads": 5, "index_head_dim": 16, "index_topk": 3,
    "moe_intermediate_size": 9, "n_routed_experts": 7, "num_experts_per_tok": 3, "routed_scaling_factor": 2.5,
    "swiglu_limit": 0.5, "hc_mult": 3, "hc_sinkhorn_iters": 3, "hc_eps": 1e-2, "rms_norm_eps": 1e-3, "rope_theta": 500,
    "compress_rope_theta": 900,
    "rope_scaling": {"type": "yarn", "factor": 5.5, "beta_fast": 4, "beta_slow": 0.5,
                     "original_max_position_embeddings": 40},
}  # fmt: skip

# Kinds of layers and of routing.
LEARNED = TINY | {"num_hash_layers": 0, "swiglu_limit": 0.0, "hc_mult": 2, "rope_scaling": None}
HASHED = TINY | {"num_hash_layers": 3, "num_experts_per_tok": 3, "routed_scaling_factor": 0.7}
SLIDING = TINY | {"num_hidden_layers": 2, "compress_ratios": [0, 0, 0], "sliding_window": 4, "hc_mult": 3}
WITHOUT_MTP = TINY | {"num_hidden_layers": 2, "compress_ratios": [4, 3], "num_nextn_predict_layers": 0}
PRO = TINY | {
    "compress_ratios": [6, 6, 4, 0], "num_hash_layers": 2, "routed_scaling_factor": 2.5, "num_attention_heads": 4,
    "o_groups": 4, "o_lora_rank": 3,
}  # fmt: skip
FLASH = TINY | {
    "num_hidden_layers": 5, "compress_ratios": [0, 0, 4, 6, 4, 0], "num_hash_layers": 3, "hc_mult": 2,
    "num_attention_heads": 4, "o_groups": 2,
}  # fmt: skip

# The released ratios, window, rotary numbers, epsilons, iterations, clamp limit, top-k and numbers of streams.
PUBLISHED = TINY | {
    "vocab_size": 32, "num_hidden_layers": 4, "compress_ratios": [0, 4, 128, 4, 0], "num_hash_layers": 3,
    "sliding_window": 128, "head_dim": 24, "qk_rope_head_dim": 16, "index_n_heads": 16, "index_head_dim": 32,
    "index_topk": 512, "n_routed_experts": 8, "num_experts_per_tok": 6, "swiglu_limit": 10.0,
    "moe_intermediate_size": 6, "rope_scaling": RELEASED_YARN, "max_position_embeddings": 1048576,
}  # fmt: skip

# Entries and index heads of whole blocks, with any other width.
ROUNDED = TINY | {"head_dim": 72, "qk_rope_head_dim": 8, "index_head_dim": 32, "hc_mult": 2}
# Experts of whole FP4 blocks; the blocks of FP8 weights are ragged.
OFFICIAL = TINY | {"hidden_size": 32, "moe_intermediate_size": 64, "n_routed_experts": 4, "hc_mult": 2}
# Whole blocks everywhere, so that all numerics can be had.
DEPLOYED = ROUNDED | {
    "vocab_size": 40, "hidden_size": 128, "q_lora_rank": 128, "o_lora_rank": 64, "moe_intermediate_size": 128,
    "n_routed_experts": 4, "num_hash_layers": 2, "index_topk": 4,
}  # fmt: skip
# Compressed entries on both sides of the boundary between blocks of 64 slots.
BLOCKS_OF_SLOTS = DEPLOYED | {"sliding_window": 62, "compress_ratios": [4, 3, 2, 0]}


def text(config: Config) -> str:
    """The configuration as it is stored: compact JSON."""
    return json.dumps(config, separators=(",", ":"), allow_nan=False)
