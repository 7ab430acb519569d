"""Makes the weights of a whole model by FORMAT.md's weight generator, under their official names.

Symbols as in docs/checkpoints.md, which states the inventory. Results are float32, before any rounding to the official
formats; hash tables are int64.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray
Config = dict[str, Any]
Shape = tuple[int, ...]

SPLITMIX_STEP = 0x9E3779B97F4A7C15
SPLITMIX_FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
WORD = 2**64
OVERLAPPING_RATIO = 4


def fnv1a(name: str) -> int:
    """FNV-1a with 64 bits of an ASCII name."""
    value = FNV_OFFSET
    for byte in name.encode("ascii"):
        value = (value ^ byte) * FNV_PRIME % WORD
    return value


def words(name: str, seed: int, rows: int, columns: int) -> Array:
    """The 64 bits u of every element of a tensor. -> uint64 [rows,columns]"""
    start = np.uint64((seed * 1_000_003 + fnv1a(name) + SPLITMIX_STEP) % WORD)
    row = np.arange(rows, dtype=np.uint64)[:, None] * np.uint64(65537)
    z = start + row + np.arange(columns, dtype=np.uint64)
    for shift, factor in SPLITMIX_FACTORS:
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def center_and_spread(name: str, columns: int) -> tuple[float, float]:
    """The distribution of a tensor, by its name."""
    last = name.rsplit(".", 1)[-1]
    if last == "weight":
        if name.endswith("norm.weight"):
            return 1.0, 0.3
        if name == "embed.weight":
            return 0.0, 1.0
        doubled = name == "head.weight" or name.endswith(".gate.weight")
        return 0.0, float((2.0 if doubled else 1.0) * np.sqrt(3.0 / columns))
    if last.endswith("_fn"):
        return 0.0, float(np.sqrt(3.0 / columns))
    if last == "attn_sink" or last.endswith("_base"):
        return 0.0, 1.0
    if last.endswith("_scale"):
        return 1.0, 0.5
    return {"ape": (0.0, 0.5), "bias": (0.0, 0.1)}[last]


def generated(name: str, seed: int, shape: Shape) -> Array:
    """One real tensor. -> float32 `shape`"""
    rows, columns = (1, *shape)[-2:]
    u = (words(name, seed, rows, columns) >> np.uint64(40)).astype(np.float64) / 2**23 - 1.0
    center, spread = center_and_spread(name, columns)
    return (center + spread * u).astype(np.float32).reshape(shape)


def hash_table(name: str, seed: int, shape: Shape, experts: int) -> Array:
    """The experts of every token id: neighbouring ones, from a generated first. -> int64 `shape`"""
    tokens, slots = shape
    first = (words(name, seed, tokens, 1) % np.uint64(experts)).astype(np.int64)
    return (first + np.arange(slots)) % experts


def compressor_shapes(prefix: str, ratio: int, width: int, hidden: int) -> Iterator[tuple[str, Shape]]:
    """A compressor to `width` channels, of which the overlapping kind projects twice as many."""
    projected = 2 * width if ratio == OVERLAPPING_RATIO else width
    yield f"{prefix}ape", (ratio, projected)
    yield f"{prefix}wkv.weight", (projected, hidden)
    yield f"{prefix}wgate.weight", (projected, hidden)
    yield f"{prefix}norm.weight", (width,)


def attention_shapes(prefix: str, config: Config, ratio: int) -> Iterator[tuple[str, Shape]]:
    """The attention of a layer, with what its ratio adds."""
    d, c, h, q = (config[key] for key in ("hidden_size", "head_dim", "num_attention_heads", "q_lora_rank"))
    group_width, ranks = h * c // config["o_groups"], config["o_groups"] * config["o_lora_rank"]
    yield f"{prefix}attn_sink", (h,)
    yield f"{prefix}wq_a.weight", (q, d)
    yield f"{prefix}q_norm.weight", (q,)
    yield f"{prefix}wq_b.weight", (h * c, q)
    yield f"{prefix}wkv.weight", (c, d)
    yield f"{prefix}kv_norm.weight", (c,)
    yield f"{prefix}wo_a.weight", (ranks, group_width)
    yield f"{prefix}wo_b.weight", (d, ranks)
    if ratio > 0:
        yield from compressor_shapes(f"{prefix}compressor.", ratio, c, d)
    if ratio == OVERLAPPING_RATIO:
        heads, width = config["index_n_heads"], config["index_head_dim"]
        yield f"{prefix}indexer.wq_b.weight", (heads * width, q)
        yield f"{prefix}indexer.weights_proj.weight", (heads, d)
        yield from compressor_shapes(f"{prefix}indexer.compressor.", ratio, width, d)


def expert_shapes(prefix: str, config: Config) -> Iterator[tuple[str, Shape]]:
    """One expert, routed or shared."""
    d, f = config["hidden_size"], config["moe_intermediate_size"]
    yield f"{prefix}w1.weight", (f, d)
    yield f"{prefix}w2.weight", (d, f)
    yield f"{prefix}w3.weight", (f, d)


def mixture_shapes(prefix: str, config: Config, hashed: bool) -> Iterator[tuple[str, Shape]]:
    """Gate, its bias or the hash table, and all experts of a layer."""
    experts = config["n_routed_experts"]
    yield f"{prefix}gate.weight", (experts, config["hidden_size"])
    if hashed:
        yield f"{prefix}gate.tid2eid", (config["vocab_size"], config["num_experts_per_tok"])
    else:
        yield f"{prefix}gate.bias", (experts,)
    for expert in range(experts):
        yield from expert_shapes(f"{prefix}experts.{expert}.", config)
    yield from expert_shapes(f"{prefix}shared_experts.", config)


def site_shapes(prefix: str, config: Config, rows: int, scales: int) -> Iterator[tuple[str, Shape]]:
    """The hyper-connection tensors of a site or of a head."""
    yield f"{prefix}_fn", (rows, config["hc_mult"] * config["hidden_size"])
    yield f"{prefix}_base", (rows,)
    yield f"{prefix}_scale", (scales,)


def block_shapes(prefix: str, config: Config, ratio: int, hashed: bool) -> Iterator[tuple[str, Shape]]:
    """One layer, or the part of an MTP block that is one."""
    mixes = (2 + config["hc_mult"]) * config["hc_mult"]
    yield from attention_shapes(f"{prefix}attn.", config, ratio)
    yield from mixture_shapes(f"{prefix}ffn.", config, hashed)
    for site in ("attn", "ffn"):
        yield f"{prefix}{site}_norm.weight", (config["hidden_size"],)
        yield from site_shapes(f"{prefix}hc_{site}", config, mixes, 3)


def head_shapes(prefix: str, config: Config) -> Iterator[tuple[str, Shape]]:
    """The hyper-connection head and the norm after it."""
    yield from site_shapes(f"{prefix}hc_head", config, config["hc_mult"], 1)
    yield f"{prefix}norm.weight", (config["hidden_size"],)


def official_shapes(config: Config) -> dict[str, Shape]:
    """Every tensor of the official checkpoint of a configuration, without the scales of quantized ones."""
    d = config["hidden_size"]
    shapes: dict[str, Shape] = {"embed.weight": (config["vocab_size"], d)}
    for layer in range(config["num_hidden_layers"]):
        hashed = layer < config["num_hash_layers"]
        shapes |= block_shapes(f"layers.{layer}.", config, config["compress_ratios"][layer], hashed)
    shapes |= head_shapes("", config)
    shapes["head.weight"] = (config["vocab_size"], d)
    for block in range(config["num_nextn_predict_layers"]):
        prefix = f"mtp.{block}."
        shapes |= {f"{prefix}{name}.weight": (d, d) for name in ("e_proj", "h_proj")}
        shapes |= {f"{prefix}{name}.weight": (d,) for name in ("enorm", "hnorm")}
        shapes |= block_shapes(prefix, config, 0, hashed=False)
        shapes |= head_shapes(prefix, config)
    return shapes


def official_weights(config: Config, seed: int) -> dict[str, Array]:
    """Every official tensor of a configuration, generated from a seed."""

    def tensor(name: str, shape: Shape) -> Array:
        if name.endswith(".tid2eid"):
            return hash_table(name, seed, shape, config["n_routed_experts"])
        return generated(name, seed, shape)

    return {name: tensor(name, shape) for name, shape in official_shapes(config).items()}
