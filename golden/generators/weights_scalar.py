"""Generator C, weights of whole models: official tensors in their deployed formats, by the names of FORMAT.md.

Axes: d model width, f expert width.
"""

from __future__ import annotations

import numpy as np
from extended_scalar import Array, Extended
from model_weights import official_weights
from oracle_scalar import Arrays
from precision_scalar import FP4, FP8, bf16, quantized

WEIGHT_FORMATS = ("float32", "official")
FP8_BLOCK, FP4_BLOCK = (128, 128), (1, 32)
FP8_MATRICES = ("wq_a", "wq_b", "wkv", "wo_a", "wo_b", "e_proj", "h_proj")
FLOAT32_TENSORS = ("attn_sink", "ape", "bias")

ATTENTION = {
    "query_down": "wq_a.weight",
    "query_norm": "q_norm.weight",
    "query_up": "wq_b.weight",
    "kv_projection": "wkv.weight",
    "kv_norm": "kv_norm.weight",
    "sinks": "attn_sink",
    "output_down": "wo_a.weight",
    "output_up": "wo_b.weight",
}
COMPRESSOR = {
    "kv_projection": "wkv.weight",
    "gate_projection": "wgate.weight",
    "position_bias": "ape",
    "norm": "norm.weight",
}
INDEXER = {"index_query_projection": "indexer.wq_b.weight", "index_weights_projection": "indexer.weights_proj.weight"}
SITE = {"projection": "fn", "base": "base", "scale": "scale"}
EXPERT = ("w1", "w3", "w2")  # gate, up, down


def in_official_format(name: str, tensor: np.ndarray) -> Array:
    """A float32 tensor as its official format holds it."""
    x = tensor.astype(Extended)
    parts = name.split(".")
    if parts[-1] in FLOAT32_TENSORS or parts[-1].startswith("hc_"):
        return x
    if "experts" in parts:
        return quantized(FP4, x, FP4_BLOCK).values
    if "shared_experts" in parts or (parts[-2] in FP8_MATRICES and "compressor" not in parts):
        return quantized(FP8, x, FP8_BLOCK).values
    return bf16(x)


def model_weights_of(config: dict, seed: int, weight_format: str) -> Arrays:
    """Every official tensor of a model: extended reals, and hash tables as they are."""
    if weight_format not in WEIGHT_FORMATS:
        raise ValueError(f"weight_format {weight_format} is not one of {', '.join(WEIGHT_FORMATS)}")

    def stored(name: str, tensor: np.ndarray) -> np.ndarray:
        if tensor.dtype.kind != "f":
            return tensor
        return tensor.astype(Extended) if weight_format == "float32" else in_official_format(name, tensor)

    return {name: stored(name, tensor) for name, tensor in official_weights(config, seed).items()}


def renamed(weights: Arrays, prefix: str, names: dict[str, str], new_prefix: str = "") -> Arrays:
    """The tensors of these official names after `prefix`, by the names of FORMAT.md."""
    return {new_prefix + name: weights[prefix + official] for name, official in names.items()}


def attention_weights(weights: Arrays, prefix: str, ratio: int, has_indexer: bool) -> Arrays:
    """Those of the attention of one layer; `prefix` ends in "attn."."""
    tensors = renamed(weights, prefix, ATTENTION)
    if ratio:
        tensors |= renamed(weights, f"{prefix}compressor.", COMPRESSOR, "compressor_")
    if has_indexer:
        tensors |= renamed(weights, prefix, INDEXER)
        tensors |= renamed(weights, f"{prefix}indexer.compressor.", COMPRESSOR, "index_")
    return tensors


def site_weights(weights: Arrays, prefix: str) -> Arrays:
    """Those of a hyper-connection site or head, as float64, which holds them; `prefix` ends in "hc_attn_" or so."""
    return {name: tensor.astype(np.float64) for name, tensor in renamed(weights, prefix, SITE).items()}


def expert_weights(weights: Arrays, prefix: str) -> list[Array]:
    """Gate, up and down projection of one expert: [f,d], [f,d], [d,f]."""
    return [weights[f"{prefix}.{name}.weight"] for name in EXPERT]
