"""Compares whole models of `v4-oracle` with PyPI `transformers`, which shares nothing with it but the checkpoint.

1. Models that `transformers` makes: two small random ones, saved by its `save_pretrained`. `v4-oracle trace` reads the
   folder and runs the tokens.
2. A checkpoint that `v4-oracle checkpoint synthesize` makes, with official names. `transformers` reads it with its own
   `from_pretrained` and its own table of names.

Logits are compared with those of `transformers` in float64, which is the library under the shim of the golden
generators. The tolerance is that of golden/FORMAT.md: four times the error of the library's own float32 runs (one
prefill; and decoding through its cache), at least 4 ulps of the largest logit; 1e-12 of it for `--precision double`.
Tokens are drawn until every top-k selection of the float64 model is clear, since a flipped selection is no rounding.

Axes: T tokens, V vocabulary.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import safetensors
import torch
import transformers
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "generators"))

from model_transformers import (LAYER_TYPES, assemble, decode_logits, layer_ratios, library_config,  # noqa: E402
                                prefill_logits, smallest_gap, v4)
from oracle_transformers import DeepseekV4Config  # noqa: E402

SLIDING, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"
READ_BY_LIBRARY = {*LAYER_TYPES, 128}  # the ratios that the library's config class knows
CLEAR_GAP = 1e-4  # of the largest score; float32 noise of scores is some 1e-6
SPREAD_FACTOR, FLOOR_ULPS, ULP, DOUBLE_RELATIVE = 4, 4, 2.0**-23, 1e-12  # of FORMAT.md
DRAWS = 20  # of tokens, for each length
PREFILL = 5  # tokens before decoding starts

ORDINARY = {
    "vocab_size": 64, "hidden_size": 24, "moe_intermediate_size": 20, "num_hidden_layers": 5,
    "num_attention_heads": 4, "head_dim": 16, "qk_rope_head_dim": 8, "q_lora_rank": 18, "o_groups": 2,
    "o_lora_rank": 10, "sliding_window": 6, "n_routed_experts": 6, "num_experts_per_tok": 2, "hc_mult": 4,
    "index_n_heads": 12, "index_head_dim": 16, "index_topk": 4, "max_position_embeddings": 4096,
    "layer_types": [SLIDING, SPARSE, HEAVY, SPARSE, HEAVY], "compress_rates": {SPARSE: 4, HEAVY: 8},
    "num_hash_layers": 2,
    "rope_scaling": {"type": "yarn", "factor": 16, "original_max_position_embeddings": 256, "beta_fast": 32,
                     "beta_slow": 1},
}  # fmt: skip
ODD = {
    "vocab_size": 50, "hidden_size": 20, "moe_intermediate_size": 14, "num_hidden_layers": 4,
    "num_attention_heads": 6, "head_dim": 12, "qk_rope_head_dim": 6, "q_lora_rank": 15, "o_groups": 3,
    "o_lora_rank": 7, "sliding_window": 11, "n_routed_experts": 7, "num_experts_per_tok": 3, "hc_mult": 4,
    "index_n_heads": 10, "index_head_dim": 8, "index_topk": 30, "max_position_embeddings": 300,
    "layer_types": [HEAVY, SPARSE, SLIDING, SPARSE], "compress_rates": {SPARSE: 4, HEAVY: 128},
    "num_hash_layers": 1, "rope_theta": 500.0, "compress_rope_theta": 900.0, "hc_eps": 1e-2, "hc_sinkhorn_iters": 3,
    "rms_norm_eps": 1e-3, "swiglu_limit": 0.5, "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 0,
}  # fmt: skip
MODELS = {"saved by transformers, ordinary": (ORDINARY, 45), "saved by transformers, odd": (ODD, 140)}
SYNTHESIZED, SYNTHESIZED_TOKENS = "synthesized, official names", 40


class Failure(Exception):
    """What keeps a comparison from being made."""


@dataclass
class Comparison:
    """How far logits of one checkpoint are from the float64 ones; all numbers are absolute."""

    name: str
    tokens: int
    gap: float
    scale: float
    prefill: float
    decode: float
    between: float
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance and self.gap >= CLEAR_GAP

    def cells(self) -> list[str]:
        verdict = "pass" if self.passed else "near tie" if self.gap < CLEAR_GAP else "FAIL"
        numbers = (self.gap, self.scale, self.prefill, self.decode, self.between, self.error, self.tolerance)
        return [self.name, str(self.tokens), *(f"{x:.2g}" for x in numbers),
                f"{self.error / self.tolerance:.2g}", verdict]


COLUMNS = ["checkpoint", "tokens", "gap", "scale", "library float32", "library decode", "ours - float32",
           "ours - float64", "tolerance", "share", "result"]
LEGEND = """\
gap: smallest distance of a selected score to a rejected one, as a share of the largest; scale: largest logit;
library float32, library decode: largest error of transformers' own float32 logits (one prefill; token by token);
ours - float32, ours - float64: largest difference of our logits to transformers'; share: of the tolerance."""


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def random_tensor(name: str, like: Tensor, experts: int, source: torch.Generator) -> Tensor:
    """A value that makes every tensor matter, whatever the library would have begun with."""
    if name.endswith("tid2eid"):  # distinct experts in every row
        return torch.rand(len(like), experts, generator=source).argsort(dim=-1)[:, : like.shape[1]]
    noise = torch.randn(like.shape, generator=source)
    if name.endswith(("norm.weight", "scale")):
        return 1 + 0.3 * noise
    if name.endswith("e_score_correction_bias"):
        return 0.1 * noise
    if like.ndim == 1 or name.endswith("position_bias"):
        return 0.5 * noise
    return noise if name.endswith("embed_tokens.weight") else noise / math.sqrt(like.shape[-1])


def save_random_model(fields: dict[str, Any], seed: int, folder: Path) -> None:
    """A random float32 model, saved as the library saves it."""
    config = DeepseekV4Config(**fields)
    model = v4.DeepseekV4ForCausalLM(config)
    source = torch.Generator().manual_seed(seed)
    model.load_state_dict({name: random_tensor(name, tensor, config.n_routed_experts, source)
                           for name, tensor in model.state_dict().items()})
    model.save_pretrained(folder)


def read_config(folder: Path) -> DeepseekV4Config:
    """The library's reading of config.json, or ours where its class refuses a ratio or takes a limit of 0 literally."""
    given = json.loads((folder / "config.json").read_text())
    ours = "compress_ratios" in given and (
        not READ_BY_LIBRARY.issuperset(given["compress_ratios"]) or not given.get("swiglu_limit", 10))
    if not ours:
        return DeepseekV4Config.from_pretrained(folder, experts_implementation="eager")
    if len(heavy := {*layer_ratios(given)}.difference(LAYER_TYPES)) > 1:
        raise Failure(f"transformers knows one ratio of heavy compression, the checkpoint has {sorted(heavy)}")
    return library_config(given)


def read_model(folder: Path) -> v4.DeepseekV4ForCausalLM:
    """The model as the library loads it, in float32; every one of its tensors must be there."""
    model, report = v4.DeepseekV4ForCausalLM.from_pretrained(
        folder, config=read_config(folder), dtype=torch.float32, output_loading_info=True)
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if report[what]:
            raise Failure(f"transformers loads the checkpoint with {what}: {sorted(map(str, report[what]))[:5]}")
    return model.eval()


def widened(model: v4.DeepseekV4ForCausalLM) -> v4.DeepseekV4ForCausalLM:
    """The same weights in a float64 model, whose angles are float64 as well."""
    return assemble(model.config, {name: tensor.double() if tensor.is_floating_point() else tensor
                                   for name, tensor in model.state_dict().items()})


def clear_tokens(network: v4.DeepseekV4ForCausalLM, count: int) -> tuple[Tensor, float]:
    """Tokens on which no selection is close to another one, with the smallest gap; the best of all draws otherwise.

    Fewer tokens are tried where `count` never gives clear ones: with few index heads many scores are exactly 0.
    """
    best = (torch.zeros(0, dtype=torch.int64), -1.0)
    source = torch.Generator().manual_seed(count)
    for length in (count, count // 2, count // 4):
        for _ in range(DRAWS):
            tokens = torch.randint(network.config.vocab_size, (length,), generator=source)
            best = max(best, (tokens, smallest_gap(network, tokens)), key=lambda drawn: drawn[1])
            if best[1] >= CLEAR_GAP:
                return best
    return best


# --- Our side --------------------------------------------------------------------------------------------------------


def call(arguments: list[str]) -> None:
    """Runs v4-oracle; what it says is shown only if it fails."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        command = " ".join(["v4-oracle", *arguments[1:3]])
        raise Failure(f"{command} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")


def traced_logits(oracle: str, folder: Path, tokens: Tensor, precision: str, scratch: Path) -> Tensor:
    """The logits of `v4-oracle trace`, all its calls one after the other. -> [T,V]"""
    ids, trace = scratch / "tokens.json", scratch / f"{precision}.h5"
    ids.write_text(json.dumps(tokens.tolist()))
    call([oracle, "trace", "--checkpoint", str(folder), "--tokens", str(ids), "--precision", precision,
          "--out", str(trace)])
    with h5py.File(trace, "r") as file:
        calls = file["calls"]
        logits = np.concatenate([calls[name]["logits"][()] for name in sorted(calls)]).astype(np.float64)
    return torch.from_numpy(logits)


# --- The comparison --------------------------------------------------------------------------------------------------


def largest(difference: Tensor) -> float:
    """NaN, which passes no comparison, if there is any."""
    return float(difference.abs().max())


def compare(name: str, folder: Path, count: int, oracle: str, precisions: list[str], scratch: Path
            ) -> list[Comparison]:
    """One checkpoint, in each precision."""
    single = read_model(folder)
    double = widened(single)
    tokens, gap = clear_tokens(double, count)
    truth, at_once = prefill_logits(double, tokens), prefill_logits(single, tokens).double()
    by_one = decode_logits(single, tokens, PREFILL).double()
    scale, prefill, decode = largest(truth), largest(at_once - truth), largest(by_one - truth)
    tolerances = {"float": max(SPREAD_FACTOR * max(prefill, decode), FLOOR_ULPS * ULP * scale),
                  "double": DOUBLE_RELATIVE * scale}
    result = []
    for precision in precisions:
        ours = traced_logits(oracle, folder, tokens, precision, scratch)
        if ours.shape != truth.shape:
            raise Failure(f"the trace has logits of shape {tuple(ours.shape)}, not {tuple(truth.shape)}")
        result.append(Comparison(f"{name}, {precision}", len(tokens), gap, scale, prefill, decode,
                                 largest(ours - at_once), largest(ours - truth), tolerances[precision]))
    return result


def all_comparisons(oracle: str, precisions: list[str], scratch: Path) -> tuple[list[Comparison], list[str]]:
    """Every comparison that could be made, and a sentence for each that could not."""
    comparisons, failures = [], []

    def attempt(name: str, count: int, *, seed: int = 0, fields: dict[str, Any] | None = None) -> None:
        place = scratch / name.replace(", ", "-").replace(" ", "-")
        folder = place / "checkpoint"
        place.mkdir()
        try:
            if fields is not None:
                save_random_model(fields, seed, folder)
            else:
                call([oracle, "checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--seed", "1",
                      "--out", str(folder)])
            comparisons.extend(compare(name, folder, count, oracle, precisions, place))
        except (Failure, OSError, KeyError, RuntimeError, ValueError) as error:
            failures.append(f"{name}: {type(error).__name__}: {error}".replace(str(scratch), "..."))

    for seed, (name, (fields, count)) in enumerate(MODELS.items(), start=1):
        attempt(name, count, seed=seed, fields=fields)
    attempt(SYNTHESIZED, SYNTHESIZED_TOKENS)
    return comparisons, failures


# --- Output ----------------------------------------------------------------------------------------------------------


def versions() -> str:
    """What the numbers were measured with."""
    parts = {"Python": platform.python_version(), "transformers": transformers.__version__,
             "torch": torch.__version__, "safetensors": safetensors.__version__, "numpy": np.__version__,
             "h5py": h5py.__version__}
    return ", ".join(f"{name} {version}" for name, version in parts.items())


def table(comparisons: list[Comparison]) -> str:
    """Markdown, with columns that also line up as plain text."""
    rows = [COLUMNS, *(comparison.cells() for comparison in comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
             for row in rows]
    return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])


def report_text(comparisons: list[Comparison], failures: list[str]) -> str:
    """The report, for the terminal and the file alike."""
    passed = sum(comparison.passed for comparison in comparisons)
    total = len(comparisons) + len(failures)
    rule = (f"tolerance: max({SPREAD_FACTOR} x larger float32 error of the library, {FLOOR_ULPS} ulps of scale) for "
            f"float, {DOUBLE_RELATIVE:g} of scale for double, against transformers in float64.")
    parts = ["# Comparison with transformers", f"{passed} of {total} comparisons passed. With {versions()}.",
             table(comparisons), f"{LEGEND}\n{rule}", *(f"FAIL: {failure}" for failure in failures)]
    return "\n\n".join(parts) + "\n"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare whole models of v4-oracle with PyPI transformers. Exit code "
                                                 "0 if every comparison passed, 1 if not.")
    parser.add_argument("--v4-oracle", required=True, metavar="PATH", help="the built v4-oracle executable")
    parser.add_argument("--precision", nargs="+", choices=("float", "double"), default=["float"],
                        help="precisions of our runs (default: float)")
    parser.add_argument("--report", type=Path, metavar="PATH", help="also write the report to this Markdown file")
    parser.add_argument("--keep", type=Path, metavar="DIR",
                        help="put checkpoints and traces into this new folder and keep them")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = arguments.keep or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=scratch == Path(temporary))
        comparisons, failures = all_comparisons(arguments.v4_oracle, arguments.precision, scratch)
    report = report_text(comparisons, failures)
    print(report, end="")
    if arguments.report:
        arguments.report.write_text(report)
    return 0 if not failures and all(comparison.passed for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
