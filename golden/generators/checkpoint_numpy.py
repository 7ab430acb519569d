"""Generator B: the weights of a whole model, rounded as an official checkpoint stores them, as each part calls them.

Official names become those of the single operations: `attn.wq_a.weight` is `query_down`.
"""

import re

import numpy as np

from compression_numpy import OVERLAPPING_RATIO
from model_weights import official_weights
from oracle_numpy import Array, Tensors
from precision_numpy import FP8, bf16, fp4_blocks, quantized

FP8_BLOCK, FP4_BLOCK = 128, 32  # rows and columns; columns

STORED_AS = {
    "fp8": r"attn\.(wq_a|wq_b|wkv|wo_a|wo_b|indexer\.wq_b)\.weight|[eh]_proj\.weight"
    r"|ffn\.shared_experts\.w[123]\.weight",
    "fp4": r"ffn\.experts\.\d+\.w[123]\.weight",
    "bf16": r"(.*\.)?compressor\.(wkv|wgate)\.weight|ffn\.gate\.weight|attn\.indexer\.weights_proj\.weight"
    r"|.*norm\.weight|embed\.weight|head\.weight",
    "float32": r"hc_(attn|ffn|head)_(fn|base|scale)|attn\.attn_sink|.*compressor\.ape|ffn\.gate\.bias",
    "int64": r"ffn\.gate\.tid2eid",
}

QUERIES_AND_WINDOW = {
    "query_down": "wq_a.weight", "query_norm": "q_norm.weight", "query_up": "wq_b.weight",
    "kv_projection": "wkv.weight", "kv_norm": "kv_norm.weight", "sinks": "attn_sink",
    "output_down": "wo_a.weight", "output_up": "wo_b.weight",
}  # fmt: skip
COMPRESSOR = {
    "kv_projection": "wkv.weight", "gate_projection": "wgate.weight", "position_bias": "ape", "norm": "norm.weight",
}  # fmt: skip
INDEXER = {"index_query_projection": "wq_b.weight", "index_weights_projection": "weights_proj.weight"}
EXPERT = {"gate_projection": "w1.weight", "up_projection": "w3.weight", "down_projection": "w2.weight"}


# Official formats


def stored_as(name: str) -> str:
    """The format of an official tensor."""
    part = re.sub(r"^(layers|mtp)\.\d+\.", "", name)
    for kind, pattern in STORED_AS.items():
        if re.fullmatch(pattern, part):
            return kind
    raise ValueError(f"{name} is no tensor of an official checkpoint")


def as_stored(name: str, x: Array) -> Array:
    """An official tensor, rounded to its format."""
    kind = stored_as(name)
    if kind == "fp8":
        return quantized(FP8, x, FP8_BLOCK, FP8_BLOCK).values()
    if kind == "fp4":
        return fp4_blocks(x, FP4_BLOCK)
    return bf16(x) if kind == "bf16" else x


def checkpoint(config: dict, seed: int, weight_format: str) -> Tensors:
    """All weights of a model, generated from a seed. float32 and int64"""
    weights = official_weights(config, seed)
    if weight_format == "float32":
        return weights
    if weight_format != "official":
        raise ValueError(f"unknown weight format {weight_format}")
    return {name: as_stored(name, x) for name, x in weights.items()}


# Parts


def under(weights: Tensors, prefix: str) -> Tensors:
    """The weights below a prefix, without it."""
    return {name.removeprefix(prefix): x for name, x in weights.items() if name.startswith(prefix)}


def renamed(weights: Tensors, names: dict[str, str], prefix: str = "") -> Tensors:
    """The weights by the names of the single operations."""
    return {prefix + name: weights[official] for name, official in names.items()}


def hyper_connection(weights: Tensors, site: str) -> Tensors:
    """Of a site, `attn` or `ffn`, or of the `head`."""
    return {"projection": weights[f"hc_{site}_fn"]} | {x: weights[f"hc_{site}_{x}"] for x in ("base", "scale")}


def attention_weights(weights: Tensors, ratio: int) -> Tensors:
    """Of an attention layer, its compressor and its indexer, from what is below `attn.`."""
    tensors = renamed(weights, QUERIES_AND_WINDOW)
    if ratio > 0:
        tensors |= renamed(under(weights, "compressor."), COMPRESSOR, "compressor_")
    if ratio == OVERLAPPING_RATIO:
        tensors |= renamed(under(weights, "indexer."), INDEXER)
        tensors |= renamed(under(weights, "indexer.compressor."), COMPRESSOR, "index_")
    return tensors


def mixture_weights(weights: Tensors, experts: int) -> Tensors:
    """Of a mixture, from what is below `ffn.`; one axis more, the first, counts routed experts."""
    routed = [renamed(under(weights, f"experts.{expert}."), EXPERT) for expert in range(experts)]
    optional = {"bias": "gate.bias", "token_experts": "gate.tid2eid"}
    return {
        "gate": weights["gate.weight"],
        **{name: weights[official] for name, official in optional.items() if official in weights},
        **{name: np.stack([expert[name] for expert in routed]) for name in EXPERT},
        **renamed(under(weights, "shared_experts."), EXPERT, "shared_"),
    }
