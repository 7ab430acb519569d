"""Generator A, the attention half: golden operations computed by `transformers` (models/deepseek_v4) on torch.

As in `oracle_transformers`, whose shim this file uses: the library's own modules are built with a small config, loaded
with the case's weights and called; what they compute on the way is picked up by hooks, never recomputed.
In float64 the library's rotary module is built under the shim too, so its frequencies and angles are float64. With
`angles` = `float32` it gets the stored table as its frequencies. With `exact` in float32 it runs as it is, which means
float32 frequencies and angles: its float32 results stray from the float64 ones in proportion to the position.

Left out of the result, because the library has it not, or otherwise than FORMAT.md:

* `attention-from-state`; `chunks` are ignored: all tokens are fed at once;
* `margin`, of which the library has nothing;
* `index_queries` and `index_keys`: the library has no Hadamard transform, which changes them but not their products;
* `index_weights`: the library applies the factor i^-1/2 to the products instead, so that only `index_scores` agree;
* `pooled` and `normalized`, when no block is complete: the library then skips the pooling and has only `entries`;
* `selection`, `attended` and `output`, when scores tie where the selection ends: the library takes any of the equal
  ones. When scores inside the selection are equal up to rounding, only `selection`, whose order is then open;
* everything, when a YaRN correction index leaves [0, r-1] on the far side: the library clamps `low` only from below
  and `high` only from above; and when nothing is to be rotated (r = 0), which the library takes for "all".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import DynamicCache
from transformers.masking_utils import create_sliding_window_causal_mask
from transformers.models.deepseek_v4.configuration_deepseek_v4 import DeepseekV4Config

from oracle_transformers import TIE_ULPS, Case, Given, Trace, build, library, load, make_config, v4

transformers.logging.set_verbosity_error()  # it warns of YaRN factors that are not a ratio of two lengths

LAYER_TYPES = {0: "sliding_attention", 4: "compressed_sparse_attention"}  # any other: heavily compressed
COMPRESSOR_WEIGHTS = {"kv_proj.weight": "kv_projection", "gate_proj.weight": "gate_projection",
                      "position_bias": "position_bias", "kv_norm.weight": "norm"}
INDEXER_WEIGHTS = {"q_b_proj.weight": "index_query_projection", "scorer.weights_proj.weight": "index_weights_projection"
                   } | {name: f"index_{ours}" for name, ours in COMPRESSOR_WEIGHTS.items()}
ATTENTION_WEIGHTS = {"q_a_proj.weight": "query_down", "q_a_norm.weight": "query_norm", "q_b_proj.weight": "query_up",
                     "kv_proj.weight": "kv_projection", "kv_norm.weight": "kv_norm", "sinks": "sinks",
                     "o_a_proj.weight": "output_down", "o_b_proj.weight": "output_up"}


# --- Configs and running ---------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A choice, which a file reader may hand over as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def attention_config(case: Case, ratio: int, **fields: Any) -> DeepseekV4Config:
    """A config of one layer, of the kind that the ratio asks for."""
    kind = LAYER_TYPES.get(ratio, "heavily_compressed_attention")
    rates = {"compressed_sparse_attention": 4, "heavily_compressed_attention": ratio}
    if "norm_epsilon" in case.parameters:
        fields["rms_norm_eps"] = case.real("norm_epsilon")
    if "index_norm" in case.weights:
        fields |= {"index_n_heads": case.count("index_heads"), "index_topk": case.count("index_topk"),
                   "index_head_dim": case.weights["index_norm"].shape[0]}
    return make_config(**({"layer_types": [kind], "compress_rates": rates} | fields), attn_implementation="eager")


class RoundedAngles(TorchFunctionMode):
    """Rounds to float32 what goes into cos and sin, which are then taken in float64.

    The product of a position below 2^24 and a float32 frequency is exact in float64, so that this is the float32
    product. Only the rotary module takes cos and sin.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in (Tensor.cos, Tensor.sin):
            args = (torch.from_numpy(args[0].numpy().astype(np.float32).astype(np.float64)),)
        return func(*args, **(kwargs or {}))


def float32_angles(case: Case) -> bool:
    return "angles" in case.parameters and text(case.parameters["angles"]) == "float32"


@contextmanager
def running(case: Case, *watched: str) -> Iterator[Trace]:
    """`library` in the precision of the run, with float32 angles where the case wants them in a float64 run."""
    rounded = float32_angles(case) and case.dtype == torch.float64
    with library(case.dtype, *watched) as trace, RoundedAngles() if rounded else nullcontext():
        yield trace


def kept_calls(module: nn.Module) -> list[tuple[Tensor, Any]]:
    """The list into which every later call of the module puts its first argument and its output."""
    calls: list[tuple[Tensor, Any]] = []
    module.register_forward_hook(lambda _module, args, output: calls.append((args[0], output)))
    return calls


def renamed(case: Case, names: dict[str, str], *, inside: str = "", prefix: str = "") -> dict[str, Tensor]:
    """The case's weights under the library's names; `inside` is a submodule, `prefix` begins our names."""
    return {inside + theirs: case.weights[prefix + ours] for theirs, ours in names.items()}


def positions(count: int) -> Tensor:
    return torch.arange(count)[None]


# --- Rotary embedding ------------------------------------------------------------------------------------------------


def rotary_comparable(case: Case) -> bool:
    """Whether the library clamps the YaRN range as FORMAT.md does, and has something to rotate."""
    r, length = case.count("rope_dims"), case.count("yarn_original_length")
    if r == 0 or length == 0:
        return r > 0

    def index(rotations: float) -> float:
        return r * math.log(length / (2 * math.pi * rotations)) / (2 * math.log(case.real("theta")))

    low, high = math.floor(index(case.real("yarn_beta_fast"))), math.ceil(index(case.real("yarn_beta_slow")))
    return low <= r - 1 and high >= 0


def rotary_module(case: Case) -> v4.DeepseekV4RotaryEmbedding:
    """The library's rotary module, with the same parameters for both of its kinds of layer."""
    section = {"rope_type": "default", "rope_theta": case.real("theta"), "partial_rotary_factor": 1.0}
    if case.count("yarn_original_length"):
        section |= {"rope_type": "yarn", "factor": case.real("yarn_factor"), "attention_factor": 1.0,
                    "original_max_position_embeddings": case.count("yarn_original_length"),
                    "beta_fast": case.real("yarn_beta_fast"), "beta_slow": case.real("yarn_beta_slow")}
    # The whole of a head as wide as the rotated part: r / c * c would not always give r again.
    config = make_config(head_dim=case.count("rope_dims"), partial_rotary_factor=1.0,
                         rope_parameters={"main": dict(section), "compress": dict(section)})
    with library(case.dtype):
        module = v4.DeepseekV4RotaryEmbedding(config)
    if float32_angles(case):
        module.main_inv_freq = module.compress_inv_freq = case.weights["frequency_table"]
    return module


def rotary(case: Case) -> dict[str, Tensor]:
    """The module's cosines and sines, and the library's function that rotates with them.

    The inverse is what the attention layer does to its output: the same with the sine negated.
    """
    x, module = case.inputs["x"][None], rotary_module(case)
    with running(case):
        cos, sin = module(x, position_ids=case.inputs["positions"][None], layer_type="compress")
        sin = -sin if text(case.parameters["direction"]) == "inverse" else sin
        rotated = v4.apply_rotary_pos_emb(x, cos, sin, unsqueeze_dim=2)
    return {"frequencies": module.compress_inv_freq, "rotated": rotated[0]}


# --- Compression and indexer -----------------------------------------------------------------------------------------


def compress(case: Case) -> dict[str, Tensor]:
    """A compressor alone. At ratio 4 the indexer is a `Given` that selects nothing; entries do not depend on it."""
    hidden, ratio = case.inputs["hidden"][None], case.count("ratio")
    if ratio == 0:
        return {}
    config = attention_config(case, ratio, hidden_size=hidden.shape[2], head_dim=case.weights["norm"].shape[0])
    replaced: dict[str, nn.Module] = {"rotary_emb": rotary_module(case)}
    if ratio == 4:
        replaced["indexer"] = Given(torch.empty(1, hidden.shape[1], 0, dtype=torch.int64))
    module = load(build(v4.COMPRESSOR_CLASSES[config.layer_types[0]], config, **replaced),
                  renamed(case, COMPRESSOR_WEIGHTS))
    norm_calls = kept_calls(module.kv_norm)
    with running(case):
        entries, _ = module(hidden, None, positions(hidden.shape[1]), None, 0)
    result = {"entries": entries[0, 0]}
    for pooled, normalized in norm_calls:
        result |= {"pooled": pooled[0], "normalized": normalized[0]}
    return result


def ordered_selection(scores: Tensor, chosen: Tensor) -> tuple[Tensor | None, bool]:
    """The chosen entries by score, then by index (None if rounding decides the order); whether the choice is settled.

    `scores [T,N]` are -inf where an entry is invisible, `chosen [T,K]` -1 where fewer than K are visible.
    """
    k, count = chosen.shape[1], scores.shape[1]
    ranked = scores.sort(dim=-1, descending=True).values
    finite = scores[scores.isfinite()]
    rounding = TIE_ULPS * torch.finfo(scores.dtype).eps * float(finite.abs().max()) if len(finite) else 0.0
    gaps = ranked[:, :-1] - ranked[:, 1:]  # NaN, which is not <= anything, between two invisible entries
    settled = k == count or k == 0 or not bool((gaps[:, k - 1] <= rounding).any())
    inside = gaps[:, : max(k - 1, 0)]
    if not settled or bool(((inside > 0) & (inside <= rounding)).any()):
        return None, settled
    by_index = torch.where(chosen < 0, count, chosen).sort(dim=-1).values
    padded = torch.cat([scores, scores.new_full((len(scores), 1), -math.inf)], dim=-1)
    order = padded.gather(1, by_index).argsort(dim=-1, descending=True, stable=True)
    by_score = by_index.gather(1, order)
    return torch.where(by_score == count, -1, by_score), settled


def indexer(case: Case) -> dict[str, Tensor]:
    """The indexer alone. The scores are what it hands to topk."""
    hidden, latent = case.inputs["hidden"][None], case.inputs["query_latent"][None]
    if case.count("ratio") != 4:
        return {}
    config = attention_config(case, 4, hidden_size=hidden.shape[2], q_lora_rank=latent.shape[2])
    module = load(build(v4.DeepseekV4Indexer, config, rotary_emb=rotary_module(case)), renamed(case, INDEXER_WEIGHTS))
    with running(case, "topk") as trace:
        chosen = module(hidden, latent, positions(hidden.shape[1]), None, 0)
    scores, _ = trace.only("topk")
    selection, _ = ordered_selection(scores[0], chosen[0])
    return {"index_scores": scores[0]} | ({} if selection is None else {"selection": selection})


# --- Attention -------------------------------------------------------------------------------------------------------


def window_mask(config: DeepseekV4Config, hidden: Tensor) -> Tensor:
    """The mask that the model makes for its attention layers. Call it where the library runs."""
    return create_sliding_window_causal_mask(config=config, inputs_embeds=hidden, attention_mask=None,
                                             past_key_values=None, position_ids=positions(hidden.shape[1]))


def core_attention(case: Case) -> dict[str, Tensor]:
    """The library's eager attention, alone, with the mask that its compressor makes of the selection.

    To have that mask made, the compressor is called with a cache that holds the case's entries already, and with a
    ratio that lets the (meaningless) tokens stay in the cache's buffer.
    """
    queries, window, entries, selection = (
        case.inputs[name][None] for name in ("queries", "window_entries", "compressed_entries", "selection"))
    tokens, heads, width = queries.shape[1:]
    listed = selection[0].sort(dim=-1).values
    if ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).any():
        return {}  # an entry named twice counts once in the library; FORMAT.md does not say
    config = attention_config(case, 4, hidden_size=1, head_dim=width, num_attention_heads=heads,
                              sliding_window=case.count("window"), o_groups=1, o_lora_rank=1,
                              compress_rates={"compressed_sparse_attention": tokens + 1,
                                              "heavily_compressed_attention": tokens + 1})
    layer = build(v4.DeepseekV4Attention, config, 0)
    layer.sinks = nn.Parameter(case.weights["sinks"], requires_grad=False)
    hidden = queries.new_zeros(1, tokens, 1)
    projection = queries.new_zeros(2 * width, 1)
    compressor = load(build(v4.DeepseekV4CSACompressor, config, indexer=Given(selection)), {
        "kv_proj.weight": projection, "gate_proj.weight": projection,
        "position_bias": queries.new_zeros(tokens + 1, 2 * width), "kv_norm.weight": queries.new_zeros(width)})
    cache = DynamicCache(config=config)
    cache.layers[0].compressed_kv["compressor"] = entries
    with running(case):
        compressed, bias = compressor(hidden, None, positions(tokens), cache, 0)
        keys = torch.cat([window[:, None], compressed], dim=2)
        mask = torch.cat([window_mask(config, hidden), bias], dim=-1)
        attended, _ = v4.eager_attention_forward(layer, queries.transpose(1, 2), keys, keys, mask, layer.scaling)
    return {"attended": attended[0]}


def attention(case: Case) -> dict[str, Tensor]:
    """A whole attention layer. Queries and entries are what it hands to the eager attention function."""
    hidden, ratio = case.inputs["hidden"][None], case.count("ratio")
    tokens, heads, groups = hidden.shape[1], case.count("heads"), case.count("groups")
    config = attention_config(case, ratio, hidden_size=hidden.shape[2], num_attention_heads=heads, o_groups=groups,
                              head_dim=case.weights["kv_norm"].shape[0], sliding_window=case.count("window"),
                              q_lora_rank=case.weights["query_norm"].shape[0],
                              o_lora_rank=case.weights["output_down"].shape[0] // groups)
    layer, rotary_emb = build(v4.DeepseekV4Attention, config, 0), rotary_module(case)
    weights = renamed(case, ATTENTION_WEIGHTS)
    if ratio:
        layer.compressor.rotary_emb = rotary_emb
        weights |= renamed(case, COMPRESSOR_WEIGHTS, inside="compressor.", prefix="compressor_")
    if ratio == 4:
        layer.compressor.indexer.rotary_emb = rotary_emb
        weights |= renamed(case, INDEXER_WEIGHTS, inside="compressor.indexer.")
    load(layer, weights)
    latents, grouped, chosen = (kept_calls(part) for part in (
        layer.q_a_norm, layer.o_a_proj, layer.compressor.indexer if ratio == 4 else nn.Identity()))
    spy = patch.object(v4, "eager_attention_forward", wraps=v4.eager_attention_forward)
    with running(case, "topk") as trace, spy as eager:
        embeddings = {kind: rotary_emb(hidden, position_ids=positions(tokens), layer_type=kind)
                      for kind in ("main", "compress")}
        output, _ = layer(hidden, embeddings, positions(tokens), window_mask(config, hidden))
    _, queries, keys, _, _ = eager.call_args.args
    result = {"query_latent": latents[0][1][0], "queries": queries[0].transpose(0, 1),
              "window_entries": keys[0, 0, :tokens]}
    after = {"attended": grouped[0][0].reshape(tokens, heads, -1), "output": output[0]}  # what o_a_proj received
    if ratio:
        result["compressed_entries"] = keys[0, 0, tokens:]
    if ratio != 4:
        return result | after
    scores, _ = trace.only("topk")
    selection, settled = ordered_selection(scores[0], chosen[0][1][0])
    result |= {"index_scores": scores[0]} | ({} if selection is None else {"selection": selection})
    return result | (after if settled else {})


# --- The interface ---------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Case], dict[str, Tensor]]] = {
    "rotary": rotary, "compress": compress, "indexer": indexer, "core-attention": core_attention,
    "attention": attention,
}


def run(operation: str, parameters: dict[str, Any], inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray], *,
        dtype: str = "float64") -> dict[str, np.ndarray]:
    """The expected tensors of `operation` that the library computes, in `dtype`; none for what it does not cover."""
    if operation not in OPERATIONS:
        return {}
    floating = {"float64": torch.float64, "float32": torch.float32}[dtype]

    def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """Copies: reals in the precision of the run, positions and indices as int64."""
        return {name: torch.tensor(array, dtype=floating if array.dtype.kind == "f" else torch.int64)
                for name, array in arrays.items()}

    case = Case(parameters, tensors(inputs), tensors(weights), floating)
    if "rope_dims" in parameters and not rotary_comparable(case):
        return {}
    result = OPERATIONS[operation](case)
    for name, tensor in result.items():
        assert tensor.dtype == (torch.int64 if name == "selection" else floating), f"{name} is {tensor.dtype}"
    return {name: tensor.detach().contiguous().numpy().copy() for name, tensor in result.items()}
