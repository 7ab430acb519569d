"""Writes the trace of a checkpoint that PyPI `nano-deepseek-v4` runs in float32: prefill, then token by token.

    python golden/engines/trace_nano.py --checkpoint DIR --tokens 1,2,3 --prefill 2 --out trace.h5

What its modules take in and return is recorded, under the names of the registry; its numbers are as they are, and so
is its `combination`, which it uses without transposing it. What it computes between modules is left out: mixes, `pre`,
rotated queries and entries, scores, selections, slots of experts, and of compressors what a call without a complete
block has not. MTP blocks are left out, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import folders  # noqa: F401
import torch
from nano_engine import NanoEngine, model_config, network_of

from v4oracle import TraceError, TraceWriter, Unsupported, hook_modules, read_tensors


def argument(tap: str) -> tuple[str, Callable]:
    """The tap is what the module takes in."""
    return tap, lambda arguments, _output: arguments[0]


def part(tap: str, number: int) -> tuple[str, Callable]:
    """The tap is one of the values that the module returns."""
    return tap, lambda _arguments, output: output[number]


def heads(tap: str, width: int) -> tuple[str, Callable]:
    """The tap is what the module returns, divided into heads."""
    return tap, lambda _arguments, output: output.unflatten(-1, (-1, width))


def taps_of(network: Any) -> dict[str, Any]:
    """For each module of the network its taps."""
    taps: dict[str, Any] = {
        "model.embed_tokens": "embedding", "model.layers.0": argument("streams"), "model.hc_head": "hc_head.collapsed",
        "model.norm": "hidden", "lm_head": "logits"}
    for number, layer in enumerate(network.model.layers):
        for path, wanted in taps_of_layer(f"layers.{number}.", layer).items():
            path = f"model.layers.{number}{path}"
            taps[path] = ([taps[path]] if path in taps else []) + wanted
    return taps


def taps_of_layer(prefix: str, layer: Any) -> dict[str, list]:
    """The same inside a layer, paths beginning with a dot (none of the layer itself)."""
    attention, width = f"{prefix}attn.", layer.self_attn.head_dim
    taps = {
        "": [part(f"{prefix}hc_ffn.streams", 0)],
        ".attn_hc": site(f"{prefix}hc_attn."), ".ffn_hc": [*site(f"{prefix}hc_ffn."),
                                                          argument(f"{prefix}hc_attn.streams")],
        ".attn_norm": [f"{attention}hidden"], ".ffn_norm": [f"{prefix}ffn.hidden"],
        ".self_attn": [f"{attention}output"],
        ".self_attn.q_a_proj": [f"{attention}query_latent_projected"],
        ".self_attn.q_a_norm": [f"{attention}query_latent"],
        ".self_attn.q_b_proj": [heads(f"{attention}query_heads", width)],
        ".self_attn.q_b_norm": [(f"{attention}query_heads_normalized",
                                 lambda _arguments, output: output.transpose(1, 2))],
        ".self_attn.kv_proj": [f"{attention}window_projected"],
        ".self_attn.kv_norm": [f"{attention}window_normalized"],
        ".self_attn.o_a_proj": [f"{attention}group_latents", (
            f"{attention}attended", lambda arguments, _output: arguments[0].unflatten(-1, (-1, width)))],
        ".moe": [part(f"{prefix}ffn.output", 0)], ".moe.gate": [f"{prefix}ffn.gate.logits"],
        ".moe.shared_experts.0": [(f"{prefix}ffn.shared_experts.output", lambda _arguments, output: output[:, None])],
    }
    for kind in ("csa", "hca"):
        if getattr(layer.self_attn, kind) is not None:
            taps |= compressor(f".self_attn.{kind}", f"{attention}compressor.")
    if layer.self_attn.csa is not None:
        indexer = f"{attention}indexer."
        taps |= compressor(".self_attn.csa.indexer", f"{indexer}compressor.")
        taps[".self_attn.csa.indexer.weights_proj"] = [f"{indexer}weights_projected"]
        taps[".self_attn.csa.indexer.q_b_proj"] = [
            heads(f"{indexer}query_heads", layer.self_attn.csa.indexer.head_dim)]
    return taps


def site(prefix: str) -> list:
    """A hyper-connection."""
    return [part(f"{prefix}{name}", number) for number, name in enumerate(("post", "combination", "layer_input"))]


def compressor(path: str, prefix: str) -> dict[str, list]:
    return {f"{path}.kv_proj": [f"{prefix}key_values"], f"{path}.gate_proj": [f"{prefix}scores"],
            f"{path}.norm": [argument(f"{prefix}pooled"), f"{prefix}normalized"]}


def load(folder: Path) -> Any:
    """A checkpoint with official names and real numbers, as `v4-oracle checkpoint synthesize --format float32` has."""
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= {name: torch.from_numpy(array) for name, array in read_tensors(path).items()}
    if not tensors:
        raise FileNotFoundError(f"{folder} holds no safetensors file")
    return network_of(model_config(json.loads((folder / "config.json").read_text()), 0), tensors)


def write_trace(network: Any, tokens: list[int], prefill: int, path: Path) -> int:
    """Runs the tokens through the library's cache. -> the number of calls"""
    cache = None
    pieces = ([tokens[:prefill]] if prefill else []) + [[token] for token in tokens[prefill:]]
    writer = TraceWriter(path, "fp32", producer=f"{NanoEngine.name} {NanoEngine.version}")
    with writer, hook_modules(network, writer, taps_of(network)), torch.no_grad():
        for piece in pieces:
            cache = network(torch.tensor([piece]), past_key_values=cache, use_cache=True).past_key_values
    return writer.calls


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the trace of a checkpoint that nano-deepseek-v4 runs.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--tokens", required=True, metavar="IDS", help="token ids, separated by commas")
    parser.add_argument("--prefill", type=int, metavar="COUNT", help="tokens of the first call (default: all)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HDF5 file to write")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    try:
        tokens = [int(token) for token in arguments.tokens.split(",")]
        prefill = len(tokens) if arguments.prefill is None else arguments.prefill
        if not 0 <= prefill <= len(tokens):
            raise ValueError(f"--prefill is from 0 to {len(tokens)}, the number of tokens")
        calls = write_trace(load(arguments.checkpoint), tokens, prefill, arguments.out)
    except (Unsupported, TraceError, OSError, KeyError, ValueError, IndexError) as error:
        print(f"trace_nano: {error}", file=sys.stderr)
        return 2
    print(f"wrote {arguments.out}: {calls} calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
