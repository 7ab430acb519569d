"""What the operations of golden/FORMAT.md expect, for engines that have to know whether they can answer.

Axes: T tokens, N entries or experts, k those that are selected.
"""

from __future__ import annotations

import json
from typing import Any

import folders  # noqa: F401
import numpy as np
import torch
from torch import Tensor

from v4oracle import Case, Unsupported

EXPECTED = {
    "expand": ["streams"],
    "sinkhorn": ["combination"],
    "site": ["mixes", "pre", "post", "combination_logits", "combination", "layer_input", "streams_out"],
    "head": ["mixes", "gates", "collapsed"],
    "affinity": ["scores"],
    "router": ["logits", "scores", "selection_scores", "indices", "margin", "weights"],
    "hash-router": ["logits", "scores", "indices", "weights"],
    "expert": ["gate", "up", "activation", "output"],
    "mixture": ["indices", "weights", "routed", "shared", "output"],
    "rotary": ["frequencies", "rotated"],
    "compress": ["pooled", "normalized", "entries"],
    "indexer": ["index_queries", "index_keys", "index_weights", "index_scores", "selection", "margin"],
    "core-attention": ["attended"],
    "attention": ["query_latent", "queries", "window_entries", "attended", "output"],
}
EXPECTED_OF_MTP = [f"mtp.0.{name}" for name in
                   ("projected", "ffn.indices", "ffn.margin", "streams", "hidden", "logits")]


def configuration(case: Case) -> dict[str, Any]:
    """The config.json of a whole model."""
    return json.loads(case.parameters["config"])


def expected_names(case: Case) -> list[str]:
    """The tensors that an engine has to give for a case without numerics that round."""
    if case.operation == "mtp":
        return EXPECTED_OF_MTP
    if case.operation == "model":
        return expected_of_model(configuration(case))
    names = list(EXPECTED[case.operation])
    if case.operation == "attention":
        ratio = int(case.parameters["ratio"])
        names += ["compressed_entries"] if ratio else []
        names += ["index_scores", "selection", "margin"] if ratio == 4 else []
    return names


def expected_of_model(config: dict[str, Any]) -> list[str]:
    names = ["hidden", "logits"]
    for layer, ratio in enumerate(config["compress_ratios"][: config["num_hidden_layers"]]):
        names += [f"layers.{layer}.streams", f"layers.{layer}.ffn.indices"]
        names += [f"layers.{layer}.attn.selection", f"layers.{layer}.attn.margin"] if ratio == 4 else []
        names += [f"layers.{layer}.ffn.margin"] if layer >= config["num_hash_layers"] else []
    return names


def finite(case: Case) -> bool:
    """Whether no number of the case is NaN or infinite."""
    return all(np.isfinite(array).all() for array in [*case.inputs.values(), *case.weights.values()])


def require_complete(case: Case, result: dict[str, Any], reasons: dict[str, str]) -> None:
    """Raises Unsupported, with the reason for the first expected tensor that is not there.

    Numbers that are not finite have to be refused: where a library took them, what it made of them stands as it is.
    """
    missing = [name for name in expected_names(case) if name not in result]
    if missing and finite(case):
        name = missing[0]
        last = name.split(".")[-1]
        raise Unsupported(f"{name}: {reasons.get(f'{case.operation}/{last}') or reasons.get(last, 'not computed')}")


def margin(scores: Tensor, k: int) -> Tensor:
    """The k-th highest minus the next score, infinite where nothing was rejected; -inf marks what is invisible.

    [T,N] -> [T]
    """
    nothing = scores.new_full((len(scores),), torch.inf)
    if not 0 < k < scores.shape[1]:
        return nothing
    ranked = scores.sort(dim=-1, descending=True).values
    return torch.where(ranked[:, k] == -torch.inf, nothing, ranked[:, k - 1] - ranked[:, k])
