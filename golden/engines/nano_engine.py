"""PyPI `nano-deepseek-v4` as an engine of docs/engine-protocol.md, in float32.

    v4-oracle conform --engine 'python golden/engines/nano_engine.py'

Each operation builds the library's own module from its own config class, copies the case's weights into it by name and
calls it; what it computes on the way is picked up. Nothing is put right: the library is known to differ from the
released model (no factor 2 in `post`, combination from a sigmoid and not transposed, theta of the sliding layers for
queries and window entries of compressed ones, no YaRN), and its numbers come out as they are. `unsupported` is what its
interface has no place for.

How cases are put into its config:

* `theta` of a layer that compresses is `compress_rope_theta`, of any other `rope_theta`; the other one is the default.
  The numbers of YaRN have no place in the config and are dropped, as the library does with those of a config.json;
* no clamp (`clamp_limit` 0), which the config refuses, is the largest float32;
* all tokens are fed in one call.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from unittest.mock import patch

import folders  # noqa: F401
import numpy as np
import torch
from attention_transformers import kept_calls, ordered_selection
from model_transformers import rotary_fraction
from model_weights import official_weights
from nano_deepseek_v4 import modeling
from nano_deepseek_v4.checkpoint import convert_deepseek_official_state_dict
from nano_deepseek_v4.config import DeepSeekV4Config
from operations import configuration, expected_names, finite, margin, require_complete
from oracle_transformers import Given, Trace, kept_outputs, library
from torch import Tensor, nn

from v4oracle import Case, Engine, Unsupported, serve

NO_CLAMP = float(torch.finfo(torch.float32).max)
SPARSE, HEAVY = "compressed_sparse_attention", "heavily_compressed_attention"
KINDS = {0: "sliding_attention", 4: SPARSE}  # any other: heavy
COMPRESSOR_NAMES = {"kv_proj.weight": "kv_projection", "gate_proj.weight": "gate_projection",
                    "position_bias": "position_bias", "norm.weight": "norm"}
INDEXER_NAMES = {"q_b_proj.weight": "index_query_projection", "weights_proj.weight": "index_weights_projection"
                 } | {name: f"index_{ours}" for name, ours in COMPRESSOR_NAMES.items()}
ATTENTION_NAMES = {"q_a_proj.weight": "query_down", "q_a_norm.weight": "query_norm", "q_b_proj.weight": "query_up",
                   "kv_proj.weight": "kv_projection", "kv_norm.weight": "kv_norm", "attention_sink": "sinks",
                   "o_a_proj.weight": "output_down", "o_b_proj.weight": "output_up"}
REASONS = {
    "expert/activation": "the slot weight is applied after the down projection",
    "compress/pooled": "without a complete block there is no pooling",
    "selection": "scores are equal where the selection ends, or rounding decides their order",
    "core-attention/attended": "an entry is named twice",
    "mtp/margin": "its MTP block is routed as layer 0 is, by table",
}


# --- Configs and modules ---------------------------------------------------------------------------------------------


def config_of(case: Case, **fields: Any) -> DeepSeekV4Config:
    """A config of one layer; what is not given stays at the library's default."""
    names = {"norm_epsilon": "rms_norm_eps", "epsilon": "hc_eps", "iterations": "hc_sinkhorn_iters",
             "route_scale": "routed_scaling_factor", "experts_per_token": "num_experts_per_tok",
             "index_heads": "index_n_heads", "index_topk": "index_topk", "window": "sliding_window"}
    for ours, theirs in names.items():
        if ours in case.parameters:
            fields[theirs] = case.parameters[ours]
    if fields.get("hc_eps") == 0 or fields.get("rms_norm_eps") == 0:
        raise Unsupported("its config takes no epsilon of 0")
    if "clamp_limit" in case.parameters:
        fields["swiglu_limit"] = case.parameters["clamp_limit"] or NO_CLAMP
    defaults = {"num_hidden_layers": 1, "layer_types": ["sliding_attention"], "mlp_layer_types": ["moe"],
                "num_nextn_predict_layers": 0}
    return DeepSeekV4Config(**(defaults | fields))


def attention_config(case: Case, ratio: int, **fields: Any) -> DeepSeekV4Config:
    """The same for parts of an attention layer; `head_dim` is one of the fields."""
    kind = KINDS.get(ratio, HEAVY)
    if "rope_dims" in case.parameters:
        fields["partial_rotary_factor"] = rotary_fraction(fields["head_dim"], case.parameters["rope_dims"])
        fields["compress_rope_theta" if ratio else "rope_theta"] = case.parameters["theta"]
    return config_of(case, layer_types=[kind], compress_rates={SPARSE: 4, HEAVY: ratio if kind == HEAVY else 128},
                     **fields)


def load(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Copies the tensors into the module; names and shapes must be its own."""
    module.load_state_dict(tensors, strict=True)
    return module.eval()


def renamed(case: Case, names: dict[str, str], *, inside: str = "", prefix: str = "") -> dict[str, Tensor]:
    """The case's weights under the library's names."""
    return {inside + name: torch.from_numpy(case.weights[prefix + ours]) for name, ours in names.items()}


def weight(case: Case, name: str) -> Tensor:
    return torch.from_numpy(case.weights[name])


def given(case: Case, name: str) -> Tensor:
    """An input with a batch axis in front."""
    return torch.from_numpy(case.inputs[name])[None]


def positions(count: int) -> Tensor:
    return torch.arange(count)[None]


def running(*watched: str) -> Any:
    """Runs the library in float32; the trace holds its calls of the watched torch functions."""
    return library(torch.float32, *watched)


# --- Hyper-connections -----------------------------------------------------------------------------------------------


def expand(case: Case) -> dict[str, Tensor]:
    """What a model of one layer gives to that layer, each row of the embedding being a token."""
    embedding = torch.from_numpy(case.inputs["embedding"])
    tokens, width = embedding.shape
    model = modeling.DeepSeekV4Model(config_of(case, vocab_size=max(tokens, 2), hidden_size=width,
                                               hc_mult=case.parameters["streams"]))
    model.embed_tokens.weight.data = embedding
    layer = Given((embedding.new_zeros(1, tokens, case.parameters["streams"], width), None))
    model.layers = nn.ModuleList([layer])
    with running():
        model(positions(tokens))
    return {"streams": layer.received[0]}


def sinkhorn(case: Case) -> dict[str, Tensor]:
    """Each token's logits as the `base` of a hyper-connection whose projection is zero."""
    logits = torch.from_numpy(case.inputs["combination_logits"])
    n = logits.shape[1]
    module = modeling.HyperConnection(config_of(case, hc_mult=n, hidden_size=1))
    zeros, combinations = torch.zeros(1, 1, n, 1), []
    for token in logits:
        load(module, {"fn": torch.zeros((2 + n) * n, n), "scale": torch.ones(3),
                      "base": torch.cat([torch.zeros(2 * n), token.flatten()])})
        with running():
            combinations.append(module(zeros)[1][0, 0])
    return {"combination": torch.stack(combinations)}


def site(case: Case) -> dict[str, Tensor]:
    """The attention half of a decoder layer, whose attention returns the case's layer output."""
    streams, layer_output = given(case, "streams"), given(case, "layer_output")
    n, width = streams.shape[2:]
    layer = modeling.DeepSeekV4DecoderLayer(config_of(case, hc_mult=n, hidden_size=width), 0)
    load(layer.attn_hc, {"fn": weight(case, "projection"), "base": weight(case, "base"),
                         "scale": weight(case, "scale")})
    layer.self_attn, layer.moe, layer.ffn_hc = Given(layer_output), Given((layer_output, layer_output)), Given()
    with running("linear", "sigmoid", "unsqueeze") as trace:
        layer.ffn_hc.given = post, combination, layer_input = layer.attn_hc(streams)
    with running():
        layer(streams, positions(streams.shape[1]), positions(streams.shape[1]), None)
    (_, mixes), (pre, _) = trace.only("linear"), trace.only("unsqueeze")
    (combination_logits,), _ = trace.calls["sigmoid"][2]
    return {"mixes": mixes[0], "pre": pre[0], "post": post[0], "combination_logits": combination_logits[0],
            "combination": combination[0], "layer_input": layer_input[0], "streams_out": layer.ffn_hc.received[0]}


def head(case: Case) -> dict[str, Tensor]:
    streams = given(case, "streams")
    n, width = streams.shape[2:]
    module = load(modeling.HyperHead(config_of(case, hc_mult=n, hidden_size=width)), {
        "fn": weight(case, "projection"), "base": weight(case, "base"), "scale": weight(case, "scale")})
    with running("linear", "unsqueeze") as trace:
        collapsed = module(streams)
    (_, mixes), (gates, _) = trace.only("linear"), trace.only("unsqueeze")
    return {"mixes": mixes[0], "gates": gates[0], "collapsed": collapsed[0]}


# --- Expert routing --------------------------------------------------------------------------------------------------


def mixture_module(case: Case, kind: str, experts: int, hidden_size: int, **fields: Any) -> modeling.DeepSeekV4MoE:
    return modeling.DeepSeekV4MoE(config_of(case, n_routed_experts=experts, hidden_size=hidden_size, **fields),
                                  kind).eval()


def routing(trace: Trace, indices: Tensor, weights: Tensor, k: int) -> dict[str, Tensor]:
    """What `route` computed, slots by score, then by index."""
    _, scores = trace.only("sqrt")
    if not trace.calls["topk"]:
        return {"scores": scores[0], "indices": indices[0], "weights": weights[0]}
    selection_scores, _ = trace.only("topk")
    chosen = indices[0].sort(dim=-1)
    order = selection_scores[0].gather(1, chosen.values).argsort(dim=-1, descending=True, stable=True)
    order = chosen.indices.gather(1, order)
    return {"scores": scores[0], "selection_scores": selection_scores[0], "indices": indices[0].gather(1, order),
            "weights": weights[0].gather(1, order), "margin": margin(selection_scores[0], k)}


def affinity(case: Case) -> dict[str, Tensor]:
    """What `route` makes of the logits that its gate returns."""
    logits = given(case, "logits")
    module = mixture_module(case, "moe", logits.shape[2], 1, num_experts_per_tok=1)
    module.gate = Given(logits)
    with running("sqrt") as trace:
        module.route(logits, None)
    return {"scores": trace.only("sqrt")[1][0]}


def router(case: Case) -> dict[str, Tensor]:
    experts, width = case.weights["gate"].shape
    module = mixture_module(case, "moe", experts, width)
    module.gate.weight.data = weight(case, "gate")
    module.e_score_correction_bias.copy_(weight(case, "bias"))
    with running("sqrt", "topk") as trace:
        indices, weights, logits = module.route(given(case, "hidden"), None)
    return {"logits": logits[0]} | routing(trace, indices, weights, case.parameters["experts_per_token"])


def hash_router(case: Case) -> dict[str, Tensor]:
    experts, width = case.weights["gate"].shape
    tokens, k = case.weights["token_experts"].shape
    module = mixture_module(case, "hash_moe", experts, width, num_experts_per_tok=k, vocab_size=max(tokens, 2))
    module.gate.weight.data = weight(case, "gate")
    module.set_hash_routing_table(weight(case, "token_experts"))
    with running("sqrt", "topk") as trace:
        indices, weights, logits = module.route(given(case, "hidden"), given(case, "token_ids"))
    return {"logits": logits[0]} | routing(trace, indices, weights, k)


def expert(case: Case) -> dict[str, Tensor]:
    """One expert alone, which has no slot weight."""
    if (case.inputs["slot_weights"] != 1).any():
        raise Unsupported("activation: the slot weight is applied after the down projection")
    width, hidden_size = case.weights["gate_projection"].shape
    module = load(modeling.SwiGLUExpert(config_of(case, hidden_size=hidden_size, moe_intermediate_size=width)), {
        "gate_up_proj.weight": torch.cat([weight(case, "gate_projection"), weight(case, "up_projection")]),
        "down_proj.weight": weight(case, "down_projection")})
    down = kept_calls(module.down_proj)
    with running("chunk") as trace:
        output = module(torch.from_numpy(case.inputs["hidden"]))
    _, (gate, up) = trace.only("chunk")
    return {"gate": gate, "up": up, "activation": down[0][0], "output": output}


def mixture(case: Case) -> dict[str, Tensor]:
    """The whole block; `routed` is that of the same block without shared experts."""
    weights, by_hash = case.weights, case.parameters["routing"] == "hash"
    experts, width, hidden_size = weights["gate_projection"].shape
    module = mixture_module(case, "hash_moe" if by_hash else "moe", experts, hidden_size, moe_intermediate_size=width,
                            vocab_size=max(len(weights["token_experts"]), 2) if by_hash else 8)
    module.gate.weight.data = weight(case, "gate")
    if by_hash:
        module.set_hash_routing_table(weight(case, "token_experts"))
    else:
        module.e_score_correction_bias.copy_(weight(case, "bias"))
    gate_up = torch.cat([weight(case, "gate_projection"), weight(case, "up_projection")], dim=1)
    for number, part in enumerate(module.experts):
        load(part, {"gate_up_proj.weight": gate_up[number],
                    "down_proj.weight": weight(case, "down_projection")[number]})
    load(module.shared_experts[0], {
        "gate_up_proj.weight": torch.cat([weight(case, f"shared_{part}_projection") for part in ("gate", "up")]),
        "down_proj.weight": weight(case, "shared_down_projection")})
    hidden, token_ids = given(case, "hidden"), given(case, "token_ids") if by_hash else None
    shared = kept_outputs(module.shared_experts[0])
    with running():
        output, _ = module(hidden, token_ids)
    with running("sqrt", "topk") as trace:
        indices, slot_weights, _ = module.route(hidden, token_ids)
    alone = copy.copy(module)
    alone._modules = module._modules | {"shared_experts": nn.ModuleList()}
    with running():
        routed, _ = alone(hidden, token_ids)
    chosen = routing(trace, indices, slot_weights, module.topk)
    return {"indices": chosen["indices"], "weights": chosen["weights"], "routed": routed[0], "shared": shared[0],
            "output": output[0]}


# --- Attention -------------------------------------------------------------------------------------------------------


def rotary(case: Case) -> dict[str, Tensor]:
    """The library's two functions; the inverse is what its attention does: the sine negated."""
    parameters = case.parameters
    if parameters["yarn_original_length"]:
        raise Unsupported("there is no YaRN")
    if "frequency_table" in case.weights:
        raise Unsupported("there is no place for a frequency table")
    x, places = given(case, "x").transpose(1, 2), given(case, "positions")
    with running("__rtruediv__", "__rdiv__", "reciprocal") as trace:
        cos, sin = modeling.rope_cos_sin(places, parameters["rope_dims"], parameters["theta"])
        sin = -sin if parameters["direction"] == "inverse" else sin
        rotated = modeling.apply_partial_rope(x, cos, sin)
    frequencies = next(calls for calls in trace.calls.values() if calls)[0][1]
    return {"frequencies": frequencies, "rotated": rotated[0].transpose(0, 1)}


def compressor_module(config: DeepSeekV4Config) -> nn.Module:
    """The compressor that the config asks for. Entries do not depend on the indexer, whose place is taken."""
    if config.layer_types == [HEAVY]:
        return modeling.HCACompressor(config)
    module = modeling.CSACompressor(config)
    module.indexer = Given((None, None))
    return module


def compress(case: Case) -> dict[str, Tensor]:
    hidden, ratio = given(case, "hidden"), case.parameters["ratio"]
    if ratio == 0:
        raise Unsupported("there is no compressor of ratio 0")
    config = attention_config(case, ratio, hidden_size=hidden.shape[2], head_dim=len(case.weights["norm"]))
    module = load(compressor_module(config), renamed(case, COMPRESSOR_NAMES))
    norms = kept_calls(module.norm)
    places = positions(hidden.shape[1])
    with running():
        entries = (module(hidden, places) if ratio != 4 else module(hidden, hidden, places))[0]
    result = {"entries": entries[0, 0]}
    for pooled, normalized in norms:
        result |= {"pooled": pooled[0], "normalized": normalized[0]}
    return result


def core_attention(case: Case) -> dict[str, Tensor]:
    """The library's core attention alone, with its own mask of the window, and one of the selection beside it."""
    queries, selection = given(case, "queries"), given(case, "selection")
    tokens, heads, width = queries.shape[1:]
    count = len(case.inputs["compressed_entries"])
    listed = selection[0].sort(dim=-1).values
    if ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).any():
        return {}
    layer = modeling.DeepSeekV4Attention(config_of(case, hidden_size=1, num_attention_heads=heads, head_dim=width,
                                                   partial_rotary_factor=1.0 if width % 2 == 0 else 2 / width,
                                                   o_groups=1), "sliding_attention").eval()
    layer.attention_sink.data = weight(case, "sinks")
    chosen = torch.zeros(1, tokens, count + 1, dtype=torch.bool)
    chosen.scatter_(2, selection.masked_fill(selection < 0, count), True)
    entries = torch.cat([given(case, "window_entries"), given(case, "compressed_entries")], dim=1)[:, None]
    with running():
        mask = torch.cat([layer._local_mask(positions(tokens), positions(tokens), None), chosen[..., :count]], dim=-1)
        attended = layer._core_attention(queries.transpose(1, 2), entries.expand(1, heads, -1, -1),
                                         entries.expand(1, heads, -1, -1), mask)
    return {"attended": attended[0].transpose(0, 1)}


def attention(case: Case) -> dict[str, Tensor]:
    """A whole layer. Queries and entries are what it hands to its core attention."""
    hidden, ratio = given(case, "hidden"), case.parameters["ratio"]
    tokens, heads, groups = hidden.shape[1], case.parameters["heads"], case.parameters["groups"]
    fields = {"index_head_dim": len(case.weights["index_norm"])} if ratio == 4 else {}
    config = attention_config(case, ratio, hidden_size=hidden.shape[2], num_attention_heads=heads, o_groups=groups,
                              head_dim=len(case.weights["kv_norm"]), q_lora_rank=len(case.weights["query_norm"]),
                              o_lora_rank=len(case.weights["output_down"]) // groups, **fields)
    layer = modeling.DeepSeekV4Attention(config, config.layer_types[0])
    weights = renamed(case, ATTENTION_NAMES)
    weights["o_a_proj.weight"] = weights["o_a_proj.weight"].reshape(layer.o_a_proj.weight.shape)
    if ratio:
        inside = "csa." if ratio == 4 else "hca."
        weights |= renamed(case, COMPRESSOR_NAMES, inside=inside, prefix="compressor_")
    if ratio == 4:
        weights |= renamed(case, INDEXER_NAMES, inside="csa.indexer.")
    load(layer, weights)
    latents, grouped = kept_calls(layer.q_a_norm), kept_calls(layer.o_a_proj)
    core = patch.object(layer, "_core_attention", wraps=layer._core_attention)
    with running("topk") as trace, core as seen:
        output = layer(hidden, positions(tokens))
    queries, keys, _, _ = seen.call_args.args
    result = {"query_latent": latents[0][1][0], "queries": queries[0].transpose(0, 1),
              "window_entries": keys[0, 0, :tokens], "attended": grouped[0][0].reshape(tokens, heads, -1),
              "output": output[0]}
    if ratio:
        result["compressed_entries"] = keys[0, 0, tokens:]
    if ratio == 4:
        result |= selected(trace, case.parameters["index_topk"], tokens)
    return result


def selected(trace: Trace, k: int, tokens: int) -> dict[str, Tensor]:
    """What the indexer handed to topk, and its choice in our order. Without an entry it does not choose."""
    if not trace.calls["topk"]:
        return {"index_scores": torch.zeros(tokens, 0), "selection": torch.zeros(tokens, 0, dtype=torch.int64),
                "margin": torch.full((tokens,), torch.inf)}
    scores, (values, chosen) = trace.only("topk")
    selection, _ = ordered_selection(scores[0], chosen[0].masked_fill(values[0] == -torch.inf, -1))
    result = {"index_scores": scores[0], "margin": margin(scores[0], k)}
    return result if selection is None else result | {"selection": selection}


# --- Whole models ----------------------------------------------------------------------------------------------------


def model_config(config: dict[str, Any], mtp_blocks: int) -> DeepSeekV4Config:
    """The library's own reading of a config.json, with the ratio of heavy compression beside it."""
    ratios = config["compress_ratios"][: config["num_hidden_layers"]]
    heavy = sorted({ratio for ratio in ratios if ratio not in KINDS})
    if len(heavy) > 1:
        raise Unsupported(f"one ratio of heavy compression, not {heavy}")
    return DeepSeekV4Config.from_official_json(
        config, compress_rates={SPARSE: 4, HEAVY: heavy[0] if heavy else 128}, num_nextn_predict_layers=mtp_blocks,
        partial_rotary_factor=rotary_fraction(config["head_dim"], config["qk_rope_head_dim"]),
        swiglu_limit=config.get("swiglu_limit", 10.0) or NO_CLAMP)


def network_of(config: DeepSeekV4Config, official: dict[str, Tensor]) -> modeling.DeepSeekV4ForCausalLM:
    """The library's model with official weights, by its own table of names. Raises Unsupported where one has no place.

    What it has beside them, tables of learned layers and biases of hash layers, is not used.
    """
    network = modeling.DeepSeekV4ForCausalLM(config)
    if not config.num_nextn_predict_layers:
        official = {name: tensor for name, tensor in official.items() if not name.startswith("mtp.")}
    converted, report = convert_deepseek_official_state_dict(official, network)
    if report.unconverted_keys:
        raise Unsupported(f"there is no place for {report.unconverted_keys[0]}")
    missing = network.load_state_dict(converted, strict=False).missing_keys
    if needed := [name for name in missing if not name.endswith(("tid2eid", "e_score_correction_bias"))]:
        raise Unsupported(f"there is no weight for its {needed[0]}")
    return network.eval()


def whole_model(case: Case) -> dict[str, Tensor]:
    """`model` and `mtp`: all tokens in one call; the MTP block runs only with labels."""
    with_mtp = case.operation == "mtp"
    config = configuration(case)
    arrays = case.weights or official_weights(config, case.parameters["weights_seed"])
    network = network_of(model_config(config, int(with_mtp)), {name: torch.from_numpy(np.asarray(array))
                                                               for name, array in arrays.items()})
    token_ids = given(case, "token_ids")
    hidden, streams = kept_outputs(network.model.norm), [kept_outputs(layer) for layer in network.model.layers]
    routes = Routes(network)
    indexers = [kept_topk(layer.self_attn.csa.indexer if layer.self_attn.csa else None)
                for layer in network.model.layers]
    block = mtp_outputs(network) if with_mtp else {}
    with running():
        output = network(token_ids, labels=token_ids if with_mtp else None)
    if with_mtp:
        if not block["hidden"]:
            raise Unsupported("the MTP block wants three tokens")
        return mtp_result(block, routes, network, output.mtp_logits[0])
    result = {"hidden": hidden[0][0], "logits": output.logits[0]}
    for number, layer in enumerate(network.model.layers):
        prefix = f"layers.{number}."
        result[f"{prefix}streams"] = streams[number][0][0][0]
        result |= routes.result(f"{prefix}ffn.", layer.moe)
        if layer.self_attn.csa:
            found = selected(indexers[number], config["index_topk"], token_ids.shape[1])
            result |= {f"{prefix}attn.{name}": found[name] for name in ("selection", "margin") if name in found}
    return result


class Routes:
    """Watches the routing of every mixture of a network."""

    def __init__(self, network: nn.Module) -> None:
        self.found: dict[nn.Module, dict[str, Tensor]] = {}
        for module in network.modules():
            if isinstance(module, modeling.DeepSeekV4MoE):
                module.route = self.watched(module, module.route)

    def watched(self, module: modeling.DeepSeekV4MoE, route: Callable) -> Callable:
        def watching(*arguments: Any) -> Any:
            with running("sqrt", "topk") as trace:
                indices, weights, logits = route(*arguments)
            self.found[module] = routing(trace, indices, weights, module.topk)
            return indices, weights, logits

        return watching

    def result(self, prefix: str, module: nn.Module) -> dict[str, Tensor]:
        return {prefix + name: self.found[module][name] for name in ("indices", "margin") if name in self.found[module]}


def kept_topk(module: nn.Module | None) -> Trace:
    """The calls of topk that the module's forward will make."""
    trace = Trace(("topk",), widen=False)
    if module is not None:
        forward = module.forward

        def watching(*arguments: Any) -> Any:
            with trace:
                return forward(*arguments)

        module.forward = watching
    return trace


def mtp_outputs(network: modeling.DeepSeekV4ForCausalLM) -> dict[str, list]:
    block = network.mtp_modules[0]
    return {"layer": kept_calls(block.layer), "hidden": kept_outputs(block.norm)}


def mtp_result(block: dict[str, list], routes: Routes, network: modeling.DeepSeekV4ForCausalLM, logits: Tensor
               ) -> dict[str, Tensor]:
    projected, (streams, _) = block["layer"][0]
    return {"mtp.0.projected": projected[0], "mtp.0.streams": streams[0], "mtp.0.hidden": block["hidden"][0][0],
            "mtp.0.logits": logits[0]} | routes.result("mtp.0.ffn.", network.mtp_modules[0].layer.moe)


# --- The engine ------------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Case], dict[str, Tensor]]] = {
    "expand": expand, "sinkhorn": sinkhorn, "site": site, "head": head, "affinity": affinity, "router": router,
    "hash-router": hash_router, "expert": expert, "mixture": mixture, "rotary": rotary, "compress": compress,
    "core-attention": core_attention, "attention": attention, "model": whole_model, "mtp": whole_model,
}


class NanoEngine(Engine):
    """The library in float32."""

    name = "nano-deepseek-v4"
    version = version("nano-deepseek-v4")
    precision = "fp32"
    operations = [*OPERATIONS]

    def __init__(self) -> None:
        self.details = {"runtime": f"torch {torch.__version__}", "device": "cpu"}

    def run(self, case: Case) -> dict[str, Tensor]:
        if case.parameters.get("numerics", "exact") != "exact":
            raise Unsupported(f"no {case.parameters['numerics']} numerics")
        if case.parameters.get("weight_format", "float32") != "float32":
            raise Unsupported(f"no weights of the {case.parameters['weight_format']} format")
        result = OPERATIONS[case.operation](case)
        wanted = expected_names(case) if finite(case) else result
        require_complete(case, result, REASONS)
        return {name: result[name] for name in wanted}


if __name__ == "__main__":
    serve(NanoEngine())
