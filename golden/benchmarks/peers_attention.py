"""The other side, attention and whole layers: transformers' modules at the widths of Flash, eagerly, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import folders  # noqa: F401
import torch
from attention_transformers import window_mask
from oracle_transformers import DeepseekV4Config, Given, build, v4
from peers import (HEAD_WIDTH, HEADS, KERNELS, LATENT, STREAMS, WIDTH, Peer, PeerError, config, filled, noise,
                   positions)
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.masking_utils import create_sliding_window_causal_mask

RATIOS = {"csa": 4, "hca": 128}
INDEX_TOP_K, INDEX_WIDTH = 512, 128


# --- Compressors and indexer -----------------------------------------------------------------------------------------


def compressor(kind: str) -> Callable[[int], Peer]:
    """The compressor alone. It also makes a mask of its entries, which is small beside the projections."""

    def make(tokens: int) -> Peer:
        module = v4.COMPRESSOR_CLASSES[config(kind).layer_types[0]](config(kind))
        if kind == "csa":
            module.indexer = Given(torch.empty(1, tokens, 0, dtype=torch.int64))
        module, hidden = filled(module), noise(1, tokens, WIDTH)
        return Peer(lambda: module(hidden, None, positions(tokens), None, 0)[0])

    return make


def indexer(tokens: int) -> Peer:
    module = filled(v4.DeepseekV4Indexer(config("csa")))
    hidden, latent = noise(1, tokens, WIDTH), noise(1, tokens, LATENT)
    return Peer(lambda: module(hidden, latent, positions(tokens), None, 0))


# --- Core attention --------------------------------------------------------------------------------------------------


def entry_mask(tokens: int, kind: str) -> Tensor:
    """0 where a token attends to a compressed entry, -inf elsewhere; all complete blocks are selected. -> [1,1,T,N]"""
    ratio = RATIOS[kind]
    entries = torch.arange(tokens // ratio)
    if kind == "csa" and len(entries) > INDEX_TOP_K:
        raise PeerError(f"core attention is measured up to {INDEX_TOP_K * ratio} tokens, where all entries are chosen")
    hidden = entries >= (positions(tokens) + 1).transpose(0, 1) // ratio
    return torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)[None, None]


def core(kind: str) -> Callable[[int], Peer]:
    """The library's eager attention function, alone: window entries and compressed entries are one tensor already."""

    def make(tokens: int) -> Peer:
        settings = config(kind)
        layer = build(v4.DeepseekV4Attention, settings, 0)
        layer.sinks = nn.Parameter(noise(HEADS), requires_grad=False)
        queries = noise(1, HEADS, tokens, HEAD_WIDTH)
        mask = window_mask(settings, noise(1, tokens, 1))
        if kind != "sliding":
            mask = torch.cat([mask, entry_mask(tokens, kind)], dim=-1)
        keys = noise(1, 1, mask.shape[-1], HEAD_WIDTH)
        return Peer(lambda: v4.eager_attention_forward(layer, queries, keys, keys, mask, layer.scaling)[0])

    return make


# --- Whole layers ----------------------------------------------------------------------------------------------------


def angles(settings: DeepseekV4Config, places: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """What the model hands to its layers."""
    rotary = v4.DeepseekV4RotaryEmbedding(settings)
    return {kind: rotary(torch.zeros(1), position_ids=places, layer_type=kind) for kind in ("main", "compress")}


def layer(kind: str) -> Callable[[int], Peer]:
    """A decoder layer with hyper-connections, router and experts, on a prompt."""

    def make(tokens: int) -> Peer:
        settings = config(kind)
        module, streams = filled(v4.DeepseekV4DecoderLayer(settings, 0)), noise(1, tokens, STREAMS, WIDTH)
        ready = {"position_embeddings": angles(settings, positions(tokens)), "position_ids": positions(tokens),
                 "attention_mask": window_mask(settings, streams[:, :, 0])}
        return Peer(lambda: module(streams, **ready))

    return make


def filled_cache(settings: DeepseekV4Config, position: int) -> DynamicCache:
    """The library's cache as `position` tokens leave it, with random contents."""
    cache = DynamicCache(config=settings)
    state, blocks, left = cache.layers[0], position // RATIOS["csa"], position % RATIOS["csa"]
    window = noise(1, 1, min(position, settings.sliding_window - 1), HEAD_WIDTH)
    state.lazy_initialization(window, window)
    state.keys = state.values = window
    state.cumulative_length = position
    for name, width in (("compressor", HEAD_WIDTH), ("indexer", INDEX_WIDTH)):
        state.compressed_kv[name], state.entry_count[name] = noise(1, blocks, width), blocks
        state.buffer_kv[name], state.buffer_gate[name] = noise(1, left, 2 * width), noise(1, left, 2 * width)
        overlap = noise(1, RATIOS["csa"], width)
        state.overlap_kv[name], state.overlap_gate[name] = overlap, overlap
    return cache


def decode(position: int) -> Peer:
    """One token through a CSA decoder layer; the cache is put back to `position` before each run."""
    settings = config("csa")
    module, streams = filled(v4.DeepseekV4DecoderLayer(settings, 0)), noise(1, 1, STREAMS, WIDTH)
    cache, places = filled_cache(settings, position), positions(1, position)
    mask = create_sliding_window_causal_mask(config=settings, inputs_embeds=streams[:, :, 0], attention_mask=None,
                                             past_key_values=cache, position_ids=places)
    ready = {"position_embeddings": angles(settings, places), "position_ids": places, "attention_mask": mask,
             "past_key_values": cache}
    before = copied(vars(cache.layers[0]))

    def reset() -> None:
        vars(cache.layers[0]).update(copied(before))

    return Peer(lambda: module(streams, **ready), reset)


def copied(state: dict[str, Any]) -> dict[str, Any]:
    """The state of a cache layer; the library makes new tensors instead of changing old ones, so these are shared."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in state.items()}


ATTENTION: dict[str, Callable[[int], Peer]] = {
    "csa-compressor": compressor("csa"), "hca-compressor": compressor("hca"), "indexer": indexer,
    "csa-core": core("csa"), "hca-core": core("hca"), "sliding-core": core("sliding"), "csa-layer": layer("csa"),
    "hca-layer": layer("hca"),
}


def make_peer(name: str, size: int, position: int | None = None) -> Peer:
    """The other side of a case, ready to run. `position` is that of the decoded token, for csa-decode alone."""
    if position is not None:
        return decode(position)
    return (KERNELS | ATTENTION)[name](size)
