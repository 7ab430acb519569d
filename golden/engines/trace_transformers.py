"""Writes the trace of a checkpoint that PyPI `transformers` runs: prefill in one call, then token by token.

    python golden/engines/trace_transformers.py --checkpoint DIR --tokens 1,2,3 --prefill 2 --out trace.h5

The checkpoint is a folder that `v4-oracle checkpoint synthesize --format float32` wrote, or that the library saved.
fp64 is the library under the shim of the golden generators, with float64 angles; bf16 is its bfloat16 model, in which
it keeps some modules in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import folders  # noqa: F401
import torch
import transformers
from check_peers import Failure, read_config, read_model, widened
from model_transformers import DynamicCache, v4
from oracle_transformers import library

from v4oracle import TraceError, TraceWriter, hook_transformers


def load(folder: Path, precision: str) -> v4.DeepseekV4ForCausalLM:
    """The checkpoint as a model of this precision."""
    if precision == "bf16":
        model = v4.DeepseekV4ForCausalLM.from_pretrained(folder, config=read_config(folder), dtype=torch.bfloat16)
        return model.eval()
    model = read_model(folder)
    return widened(model) if precision == "fp64" else model


def pieces(tokens: list[int], prefill: int) -> Iterator[list[int]]:
    """The first `prefill` tokens, then one by one."""
    if prefill:
        yield tokens[:prefill]
    yield from ([token] for token in tokens[prefill:])


def write_trace(model: v4.DeepseekV4ForCausalLM, precision: str, tokens: list[int], prefill: int, path: Path) -> int:
    """Runs the tokens through the library's cache. -> the number of calls"""
    cache = DynamicCache(config=model.config)
    angles = "exact" if precision == "fp64" else "float32"
    writer = TraceWriter(path, precision, angles=angles, producer=f"transformers {transformers.__version__}",
                         configuration=model.config.to_json_string(use_diff=False))
    with writer, hook_transformers(model, writer), library(model.lm_head.weight.dtype):
        for piece in pieces(tokens, prefill):
            model(input_ids=torch.tensor([piece]), past_key_values=cache, use_cache=True)
    return writer.calls


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the trace of a checkpoint that transformers runs.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--tokens", required=True, metavar="IDS", help="token ids, separated by commas")
    parser.add_argument("--prefill", type=int, metavar="COUNT", help="tokens of the first call (default: all)")
    parser.add_argument("--precision", choices=("fp64", "fp32", "bf16"), default="fp32")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HDF5 file to write")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    transformers.logging.disable_progress_bar()
    try:
        tokens = [int(token) for token in arguments.tokens.split(",")]
        prefill = len(tokens) if arguments.prefill is None else arguments.prefill
        if not 0 <= prefill <= len(tokens):
            raise Failure(f"--prefill is from 0 to {len(tokens)}, the number of tokens")
        model = load(arguments.checkpoint, arguments.precision)
        calls = write_trace(model, arguments.precision, tokens, prefill, arguments.out)
    except (Failure, TraceError, OSError, ValueError, IndexError) as error:
        print(f"trace_transformers: {error}", file=sys.stderr)
        return 2
    print(f"wrote {arguments.out}: {calls} calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
