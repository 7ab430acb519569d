"""Generator A, whole models: the operation `model`, computed by DeepseekV4ForCausalLM of `transformers` on torch.

As in `oracle_transformers`, whose shim this file uses: the library's own model is built from the case's config, gets
the case's generated weights under the library's names, and is called once on all tokens; what it computes on the way
is picked up by hooks. The rotary modules are built under the shim too, so float64 runs have float64 angles. Float32
runs are the library as it is, with float32 frequencies and angles.

`weights` may hold the official weights by their official names, for a `weight_format` that rounds them; without any,
the generated float32 weights are used.

Axes: T tokens, n residual streams, d model width, E experts, k experts per token or entries per query, V vocabulary.

Left out of the result, because the library has it not, or otherwise than FORMAT.md:

* `mtp`; numerics other than `exact`; `angles` = `float32`; `weight_format` = `official` without given weights;
* `chunks` and drafts are ignored: all tokens are fed at once. `check_decode` is how the library feeds them one by one;
* `margin`, of which the library has nothing;
* everything from a layer on where router logits leave softplus's exact range, or their sum is near the library's 1e-20,
  or scores tie where a selection ends; only `selection` or `indices` where equal scores leave their order open;
* everything, when the YaRN range is clamped otherwise, or nothing is rotated (see `attention_transformers`).
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.models.deepseek_v4.configuration_deepseek_v4 import DeepseekV4Config

from attention_transformers import LAYER_TYPES, ordered_selection, rotary_comparable, text
from model_weights import official_weights
from oracle_transformers import (SMALLEST_NORMALISATION, Case, build, kept_outputs, library, load, make_config,
                                 scores_comparable, v4)

HEAVY, SPARSE = "heavily_compressed_attention", LAYER_TYPES[4]
SAME_IN_BOTH = (  # keys of config.json that the library takes as they are
    "vocab_size", "hidden_size", "moe_intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim",
    "q_lora_rank", "num_experts_per_tok", "n_routed_experts", "n_shared_experts", "scoring_func", "norm_topk_prob",
    "routed_scaling_factor", "max_position_embeddings", "rope_theta", "compress_rope_theta", "hc_mult", "hc_eps",
    "hc_sinkhorn_iters", "sliding_window", "o_groups", "o_lora_rank", "index_n_heads", "index_head_dim", "index_topk",
    "rms_norm_eps", "hidden_act")  # fmt: skip
COMPRESSOR_NAMES = {"wkv.weight": "kv_proj.weight", "wgate.weight": "gate_proj.weight", "ape": "position_bias",
                    "norm.weight": "kv_norm.weight"}
BLOCK_NAMES = {
    "attn_norm.weight": "input_layernorm.weight", "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn.attn_sink": "self_attn.sinks", "attn.wq_a.weight": "self_attn.q_a_proj.weight",
    "attn.q_norm.weight": "self_attn.q_a_norm.weight", "attn.wq_b.weight": "self_attn.q_b_proj.weight",
    "attn.wkv.weight": "self_attn.kv_proj.weight", "attn.kv_norm.weight": "self_attn.kv_norm.weight",
    "attn.wo_a.weight": "self_attn.o_a_proj.weight", "attn.wo_b.weight": "self_attn.o_b_proj.weight",
    "attn.indexer.wq_b.weight": "self_attn.compressor.indexer.q_b_proj.weight",
    "attn.indexer.weights_proj.weight": "self_attn.compressor.indexer.scorer.weights_proj.weight",
    "ffn.gate.weight": "mlp.gate.weight", "ffn.gate.bias": "mlp.gate.e_score_correction_bias",
    "ffn.gate.tid2eid": "mlp.gate.tid2eid", "ffn.shared_experts.w1.weight": "mlp.shared_experts.gate_proj.weight",
    "ffn.shared_experts.w2.weight": "mlp.shared_experts.down_proj.weight",
    "ffn.shared_experts.w3.weight": "mlp.shared_experts.up_proj.weight",
} | {f"attn.compressor.{ours}": f"self_attn.compressor.{theirs}" for ours, theirs in COMPRESSOR_NAMES.items()
} | {f"attn.indexer.compressor.{ours}": f"self_attn.compressor.indexer.{theirs}"
     for ours, theirs in COMPRESSOR_NAMES.items()
} | {f"hc_{site}_{part}": f"{site}_hc.{part}" for site in ("attn", "ffn") for part in ("fn", "base", "scale")}
TOP_NAMES = {"embed.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight",
             "head.weight": "lm_head.weight"} | {f"hc_head_{part}": f"model.hc_head.hc_{part}"
                                                 for part in ("fn", "base", "scale")}


# --- Config and weights under the library's names --------------------------------------------------------------------


def layer_ratios(given: dict[str, Any]) -> list[int]:
    """The compression ratio of every layer, without those of the MTP blocks."""
    return list(given["compress_ratios"][: given["num_hidden_layers"]])


def yarn_of(given: dict[str, Any]) -> dict[str, Any] | None:
    """The config's YaRN numbers; None where it has none."""
    scaling = given.get("rope_scaling")
    return scaling if scaling and scaling.get("original_max_position_embeddings") else None


def rotary_fraction(head_dim: int, rope_dims: int) -> float:
    """The share of a head that is rotated, such that the library, which rounds the product down, finds `rope_dims`."""
    fraction = rope_dims / head_dim
    return fraction if int(head_dim * fraction) == rope_dims else math.nextafter(fraction, 1.0)


def library_config(given: dict[str, Any]) -> DeepseekV4Config:
    """The library's config of a config.json in the released form.

    The library itself reads that form too, but only with ratios 0, 4 and 128, and takes a clamp limit of 0 literally.
    """
    ratios, layers = layer_ratios(given), given["num_hidden_layers"]
    heavy = [ratio for ratio in ratios if ratio not in LAYER_TYPES]
    fields = {key: given[key] for key in SAME_IN_BOTH if key in given}
    hashed = min(given["num_hash_layers"], layers)
    fraction = rotary_fraction(given["head_dim"], given["qk_rope_head_dim"])
    rotation = {"partial_rotary_factor": fraction, "rope_type": "default"}
    main, compress = ({**rotation, "rope_theta": float(given[key])} for key in ("rope_theta", "compress_rope_theta"))
    if yarn := yarn_of(given):
        numbers = {key: yarn[key] for key in ("factor", "original_max_position_embeddings", "beta_fast", "beta_slow")}
        compress |= {"rope_type": "yarn", "attention_factor": 1.0} | numbers
    return make_config(
        **fields, layer_types=[LAYER_TYPES.get(ratio, HEAVY) for ratio in ratios],
        mlp_layer_types=["hash_moe"] * hashed + ["moe"] * (layers - hashed),
        compress_rates={SPARSE: 4, HEAVY: heavy[0] if heavy else 128}, partial_rotary_factor=fraction,
        swiglu_limit=float(given["swiglu_limit"]) or math.inf, rope_parameters={"main": main, "compress": compress},
        attn_implementation="eager")


def library_tensors(official: dict[str, Tensor], given: dict[str, Any]) -> dict[str, Tensor]:
    """Official tensors under the library's names, the routed experts stacked; MTP blocks are left out."""
    tensors = {theirs: official[ours] for ours, theirs in TOP_NAMES.items()}
    for layer in range(given["num_hidden_layers"]):
        ours, theirs = f"layers.{layer}.", f"model.layers.{layer}."
        tensors |= {theirs + name: official[ours + key] for key, name in BLOCK_NAMES.items() if ours + key in official}

        def stacked(part: str, prefix: str = f"{ours}ffn.experts.") -> Tensor:
            return torch.stack([official[f"{prefix}{expert}.{part}.weight"]
                                for expert in range(given["n_routed_experts"])])

        tensors[f"{theirs}mlp.experts.gate_up_proj"] = torch.cat([stacked("w1"), stacked("w3")], dim=1)
        tensors[f"{theirs}mlp.experts.down_proj"] = stacked("w2")
    return tensors


def assemble(config: DeepseekV4Config, tensors: dict[str, Tensor], ratios: list[int] | None = None
             ) -> v4.DeepseekV4ForCausalLM:
    """The whole model with these tensors, in their precision, which its angles have as well.

    The library knows one ratio of heavy compression; layers of another one get their compressor anew.
    """
    network = build(v4.DeepseekV4ForCausalLM, config)
    for layer, ratio in zip(network.model.layers, ratios or [], strict=bool(ratios)):
        if layer.self_attn.layer_type == HEAVY and ratio != config.compress_rates[HEAVY]:
            other = copy.deepcopy(config)
            other.compress_rates = config.compress_rates | {HEAVY: ratio}
            layer.self_attn.compressor = build(v4.DeepseekV4HCACompressor, other)
    with library(tensors["lm_head.weight"].dtype):
        rotary_emb = v4.DeepseekV4RotaryEmbedding(config)
    for module in network.modules():
        if hasattr(module, "rotary_emb"):
            module.rotary_emb = rotary_emb
    return load(network, tensors)


def network_of(case: Case) -> v4.DeepseekV4ForCausalLM:
    """The model of a case."""
    given = json.loads(text(case.parameters["config"]))
    return assemble(library_config(given), library_tensors(case.weights, given), layer_ratios(given))


# --- Running ---------------------------------------------------------------------------------------------------------


def prefill_logits(network: v4.DeepseekV4ForCausalLM, token_ids: Tensor) -> Tensor:
    """All tokens in one call, without a cache. -> [T,V]"""
    with library(network.lm_head.weight.dtype):
        return network(input_ids=token_ids[None], use_cache=False).logits[0]


def decode_logits(network: v4.DeepseekV4ForCausalLM, token_ids: Tensor, prefill: int) -> Tensor:
    """The first `prefill` tokens in one call, the others one by one, through the library's cache. -> [T,V]"""
    cache = DynamicCache(config=network.config)
    for state, layer in zip(cache.layers, network.model.layers, strict=True):
        if layer.self_attn.compressor is not None:
            state.compress_rate = layer.self_attn.compressor.compress_rate
    pieces = [token_ids[:prefill], *token_ids[prefill:].split(1)] if prefill else token_ids.split(1)
    with library(network.lm_head.weight.dtype):
        return torch.cat([network(input_ids=piece[None], past_key_values=cache, use_cache=True).logits[0]
                          for piece in pieces])


def smallest_gap(network: v4.DeepseekV4ForCausalLM, token_ids: Tensor) -> float:
    """How far the last selected score is from the first rejected one, at the closest of all routers and indexers.

    Relative to the largest score of each. Infinite where nothing is rejected.
    """
    gap = math.inf
    with library(network.lm_head.weight.dtype, "topk") as trace:
        network(input_ids=token_ids[None], use_cache=False)
    for (scores, k, *_), _ in trace.calls["topk"]:
        if 0 < k < scores.shape[-1]:
            ranked = scores.sort(dim=-1, descending=True).values
            gaps = (ranked[..., k - 1] - ranked[..., k])[ranked[..., k].isfinite()]
            largest = float(scores[scores.isfinite()].abs().max()) or 1.0
            gap = min([gap, *(gaps / largest).tolist()])
    return gap


def ordered(scores: Tensor, chosen: Tensor, name: str, result: dict[str, Tensor]) -> bool:
    """Adds the choice, brought into our order, to the result; returns whether it is settled at all."""
    selection, settled = ordered_selection(scores, chosen)
    if selection is not None:
        result[name] = selection
    return settled


def routed_alike(logits: Tensor, scores: Tensor, indices: Tensor) -> bool:
    """Whether the library's routing weights are those of FORMAT.md to rounding."""
    sums = scores.gather(1, indices).sum(-1)
    return scores_comparable(logits) and bool((sums >= SMALLEST_NORMALISATION).all())


def model(case: Case) -> dict[str, Tensor]:
    """The whole model, all tokens in one call."""
    network = network_of(case)
    layers = network.model.layers
    kept: dict[str, list[list[Any]]] = {
        "streams": [kept_outputs(layer) for layer in layers],
        "routing": [kept_outputs(layer.mlp.gate) for layer in layers],
        "scores": [kept_outputs(layer.mlp.gate.score_fn) for layer in layers],
        "chosen": [kept_outputs(layer.self_attn.compressor.indexer) if layer.self_attn.layer_type == SPARSE else []
                   for layer in layers]}
    hidden = kept_outputs(network.model.norm)
    with library(case.dtype, "topk") as trace:
        logits = network(input_ids=case.inputs["token_ids"][None], use_cache=False).logits
    ranked: Iterator[Tensor] = (args[0] for args, _ in trace.calls["topk"])  # of each layer: indexer, then router
    result: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        prefix = f"layers.{number}."
        if layer.self_attn.layer_type == SPARSE:
            ((chosen,),) = kept["chosen"][number]
            if not ordered(next(ranked)[0], chosen, f"{prefix}attn.selection", result):
                return result
        ((gate_logits, _, indices),), (scores,) = kept["routing"][number], kept["scores"][number]
        if layer.mlp.is_hash:
            result[f"{prefix}ffn.indices"] = indices
        elif not ordered(next(ranked), indices, f"{prefix}ffn.indices", result):
            return result
        if not routed_alike(gate_logits, scores, indices):
            return result
        result[f"{prefix}streams"] = kept["streams"][number][0][0]
    return result | {"hidden": hidden[0][0], "logits": logits[0]}


def comparable(parameters: dict[str, Any], weights: dict[str, np.ndarray]) -> bool:
    """Whether the library computes what the case asks for."""
    if text(parameters["numerics"]) != "exact" or text(parameters["angles"]) != "exact":
        return False
    if text(parameters["weight_format"]) != "float32" and not weights:
        return False
    given = json.loads(text(parameters["config"]))
    yarn = yarn_of(given) or {"original_max_position_embeddings": 0, "factor": 1, "beta_fast": 1, "beta_slow": 1}
    return rotary_comparable(Case({
        "rope_dims": given["qk_rope_head_dim"], "theta": given["compress_rope_theta"],
        "yarn_original_length": yarn["original_max_position_embeddings"], "yarn_factor": yarn["factor"],
        "yarn_beta_fast": yarn["beta_fast"], "yarn_beta_slow": yarn["beta_slow"]}, {}, {}, torch.float64))


def case_of(parameters: dict[str, Any], inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray],
            dtype: str) -> Case:
    """The case on torch, with its generated weights unless others are given."""
    floating = {"float64": torch.float64, "float32": torch.float32}[dtype]
    official = weights or official_weights(json.loads(text(parameters["config"])), int(parameters["weights_seed"]))

    def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """Copies: reals in the precision of the run, ids as int64."""
        return {name: torch.tensor(array, dtype=floating if array.dtype.kind == "f" else torch.int64)
                for name, array in arrays.items()}

    return Case(parameters, tensors(inputs), tensors(official), floating)


# --- The interface ---------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Case], dict[str, Tensor]]] = {"model": model}


def run(operation: str, parameters: dict[str, Any], inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray], *,
        dtype: str = "float64") -> dict[str, np.ndarray]:
    """The expected tensors of `operation` that the library computes, in `dtype`; none for what it does not cover."""
    if operation not in OPERATIONS or not comparable(parameters, weights):
        return {}
    case = case_of(parameters, inputs, weights, dtype)
    result = OPERATIONS[operation](case)
    for name, tensor in result.items():
        kind = torch.int64 if name.endswith(("selection", "indices")) else case.dtype
        assert tensor.dtype == kind, f"{name} is {tensor.dtype}"
    return {name: tensor.detach().contiguous().numpy().copy() for name, tensor in result.items()}


def check_decode(parameters: dict[str, Any], inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray], *,
                 prefill: int = 0, dtype: str = "float64") -> float:
    """How far the library's decoding, one token a call after `prefill` tokens, is from its single call on all tokens.

    The largest difference of two logits, as a multiple of the largest logit.
    """
    case = case_of(parameters, inputs, weights, dtype)
    network, token_ids = network_of(case), case.inputs["token_ids"]
    at_once, by_one = prefill_logits(network, token_ids), decode_logits(network, token_ids, prefill)
    return float((at_once - by_one).abs().max() / at_once.abs().max())
