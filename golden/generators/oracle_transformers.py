"""Generator A: the golden operations, computed by the modules of PyPI `transformers` (models/deepseek_v4) on torch.

Nothing of the model is written here. Each operation instantiates the library's own module with a small config, loads
the case's weights into it, calls it, and returns what it returned. Values that a module computes but does not return
are picked up on the way (`Trace`, forward hooks); they are never recomputed.

`dtype="float32"` runs the library as it is. `dtype="float64"` runs the same code with every float32 request turned
into float64 (`Trace`), while `OnlyFloat64` watches each tensor that torch produces and raises if one is narrower.

A tensor that the library computes differently from FORMAT.md is left out of the result:

* `margin`, `equation-8` and the harness operations: the library has nothing of the kind;
* `activation`, unless all slot weights are 1: the library applies the slot weight after the down projection;
* `scores` and all that follows from them, when a logit lies outside [-60, 20]: torch's softplus turns linear above 20;
* `weights` and the mixture's `routed` and `output`, when a normalisation sum is below 1e-7: the library adds 1e-20;
* `indices` and all that follows from them, when scores tie at the k-th place or above it: torch.topk leaves the order
  of equal scores undefined. `selection_multiset [T,k]`, the selected scores from high to low, is returned instead.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers.models.deepseek_v4 import modeling_deepseek_v4 as v4  # noqa: E402
from transformers.models.deepseek_v4.configuration_deepseek_v4 import DeepseekV4Config  # noqa: E402

torch.set_num_threads(1)  # one summation order, whatever the machine

LARGEST_LOGIT = 20.0
SMALLEST_LOGIT = -60.0
SMALLEST_NORMALISATION = 1e-7
TIE_ULPS = 16  # two scores this close are a tie: the rounding of the gate product could put either first


# --- Running the library in a chosen precision -----------------------------------------------------------------------


class Trace(TorchFunctionMode):
    """Sees every torch call that the library makes: widens float32 requests, keeps the watched calls.

    A function mode is handed calls of torch functions and tensor methods alike, so the three ways in which the library
    asks for float32 (`x.float()`, `x.to(torch.float32)`, a `dtype=` argument) all pass through here.
    """

    def __init__(self, watched: tuple[str, ...], widen: bool) -> None:
        super().__init__()
        self.widen = widen
        self.calls: dict[str, list[tuple[tuple, Any]]] = {name: [] for name in watched}

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self.widen:
            func = torch.Tensor.double if func is torch.Tensor.float else func
            args = tuple(torch.float64 if value is torch.float32 else value for value in args)
            kwargs = {key: torch.float64 if value is torch.float32 else value for key, value in kwargs.items()}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in self.calls:
            self.calls[name].append((args, result))
        return result

    def only(self, name: str) -> tuple[Tensor, Any]:
        """The first argument and the result of the only call of `name`."""
        ((args, result),) = self.calls[name]
        return args[0], result


class OnlyFloat64(TorchDispatchMode):
    """Sees every kernel that torch runs, below all Python, and refuses a real result that is not float64."""

    def __torch_dispatch__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dtype != torch.float64:
                raise TypeError(f"{func} gave {leaf.dtype} in a float64 run")
        return result


@contextmanager
def library(dtype: torch.dtype, *watched: str) -> Iterator[Trace]:
    """Runs library code in `dtype`; the trace holds its calls of the `watched` torch functions."""
    trace = Trace(watched, widen=dtype == torch.float64)
    with torch.no_grad(), trace, OnlyFloat64() if trace.widen else nullcontext():
        yield trace


# --- Building library modules ----------------------------------------------------------------------------------------


class Given(nn.Module):
    """Takes a submodule's place inside a library module: keeps what it receives, returns what it was given."""

    def __init__(self, result: Any = None) -> None:
        super().__init__()
        self.given = result
        self.received: Any = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.received = args[0] if args else None
        return self.given


def make_config(**fields: Any) -> DeepseekV4Config:
    """A one-layer config; what concerns attention stays at its default and is never used."""
    defaults = {"num_hidden_layers": 1, "layer_types": ["sliding_attention"], "mlp_layer_types": ["moe"]}
    return DeepseekV4Config(**(defaults | fields), experts_implementation="eager")


def build(module_class: type[nn.Module], config: DeepseekV4Config, *args: Any, **replaced: nn.Module) -> nn.Module:
    """A module without storage, hence without random numbers, with some submodules replaced. `load` fills it."""
    with torch.device("meta"):
        module = module_class(config, *args)
    for name, replacement in replaced.items():
        setattr(module, name, replacement)
    return module.eval()


def load(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Gives the module these parameters and buffers in the precision they have. Names and shapes must be its own."""
    module.load_state_dict(tensors, strict=True, assign=True)
    return module


def kept_outputs(module: nn.Module) -> list[Any]:
    """The list into which every later call of the module puts its output."""
    outputs: list[Any] = []
    module.register_forward_hook(lambda _module, _args, output: outputs.append(output))
    return outputs


@dataclass
class Case:
    """A case's parameters as stored, its inputs and weights as tensors of the precision of the run."""

    parameters: dict[str, Any]
    inputs: dict[str, Tensor]
    weights: dict[str, Tensor]
    dtype: torch.dtype

    def count(self, name: str) -> int:
        return int(self.parameters[name])

    def real(self, name: str) -> float:
        return float(self.parameters[name])

    def swiglu_limit(self) -> float:
        """0 means "no clamp" to us and "clamp to zero" to the library; clamping to infinity changes no number."""
        return self.real("clamp_limit") or math.inf


# --- Hyper-connections -----------------------------------------------------------------------------------------------


def hyper_config(case: Case, streams: int, width: int, **fields: Any) -> DeepseekV4Config:
    """For the hyper-connection modules; the head has no iterations."""
    return make_config(hc_mult=streams, hidden_size=width, hc_eps=case.real("epsilon"),
                       hc_sinkhorn_iters=int(case.parameters.get("iterations", 1)), **fields)


def expand(case: Case) -> dict[str, Tensor]:
    """The model's own forward with no layers; the head's place is taken by a `Given`, which receives the streams."""
    embedding = case.inputs["embedding"]
    config = make_config(num_hidden_layers=0, layer_types=[], mlp_layer_types=[], vocab_size=8,
                         hidden_size=embedding.shape[1], hc_mult=case.count("streams"))
    head = Given(embedding)
    model = build(v4.DeepseekV4Model, config, rotary_emb=Given(None), hc_head=head, norm=Given(embedding))
    with library(case.dtype):
        # A ready-made mask keeps the library from building one; there is no layer that would read it.
        model(inputs_embeds=embedding[None], attention_mask={"any": None}, use_cache=False)
    return {"streams": head.received[0]}


def sinkhorn(case: Case) -> dict[str, Tensor]:
    """Each token's logits, one at a time, as the `base` of a hyper-connection whose projection is zero.

    The library's logits are then 0 · scale + base, which is base without rounding.
    """
    logits = case.inputs["combination_logits"]
    n = logits.shape[1]
    module = build(v4.DeepseekV4HyperConnection, hyper_config(case, streams=n, width=1))
    zeros = torch.zeros(1, 1, n, 1, dtype=case.dtype)
    combinations = []
    for token in logits:
        base = torch.cat([zeros.new_zeros(2 * n), token.flatten()])
        load(module, {"fn": zeros.new_zeros((2 + n) * n, n), "base": base, "scale": zeros.new_ones(3)})
        with library(case.dtype):
            _, combination, _ = module(zeros)
        combinations.append(combination[0, 0])
    return {"combination": torch.stack(combinations)}


def site(case: Case) -> dict[str, Tensor]:
    """The attention half of a decoder layer: its hyper-connection by itself, then the layer for `streams_out`.

    In the layer the attention block is a `Given` that returns the case's layer output. Another one stands for the
    second hyper-connection: what it receives is the result of the first site, mixed by the layer's own code.
    """
    streams, layer_output = case.inputs["streams"][None], case.inputs["layer_output"][None]
    n, width = streams.shape[2:]
    config = hyper_config(case, streams=n, width=width, rms_norm_eps=case.real("norm_epsilon"))
    second_site, ones = Given(), streams.new_ones(width)
    layer = load(build(v4.DeepseekV4DecoderLayer, config, 0, self_attn=Given((layer_output, None)), ffn_hc=second_site,
                       mlp=Given(layer_output)),
                 {"attn_hc.fn": case.weights["projection"], "attn_hc.base": case.weights["base"],
                  "attn_hc.scale": case.weights["scale"],
                  "input_layernorm.weight": ones, "post_attention_layernorm.weight": ones})
    with library(case.dtype, "linear", "softmax", "unsqueeze") as trace:
        second_site.given = post, combination, layer_input = layer.attn_hc(streams)
    with library(case.dtype):
        layer(streams)
    _, mixes = trace.only("linear")
    pre, _ = trace.only("unsqueeze")  # the collapse is pre.unsqueeze(-1) * streams
    combination_logits, _ = trace.only("softmax")
    return {"mixes": mixes[0], "pre": pre[0], "post": post[0], "combination_logits": combination_logits[0],
            "combination": combination[0], "layer_input": layer_input[0], "streams_out": second_site.received[0]}


def head(case: Case) -> dict[str, Tensor]:
    """The collapse at the end of the model."""
    streams = case.inputs["streams"][None]
    n, width = streams.shape[2:]
    module = build(v4.DeepseekV4HyperHead,
                   hyper_config(case, streams=n, width=width, rms_norm_eps=case.real("norm_epsilon")))
    load(module, {"hc_fn": case.weights["projection"], "hc_base": case.weights["base"],
                  "hc_scale": case.weights["scale"]})
    with library(case.dtype, "linear", "unsqueeze") as trace:
        collapsed = module(streams)
    (_, mixes), (gates, _) = trace.only("linear"), trace.only("unsqueeze")
    return {"mixes": mixes[0], "gates": gates[0], "collapsed": collapsed[0]}


# --- Expert routing --------------------------------------------------------------------------------------------------


def router_config(case: Case, *, experts_per_token: int, **fields: Any) -> DeepseekV4Config:
    """For the routers and the whole block."""
    experts, width = case.weights["gate"].shape
    return make_config(hidden_size=width, n_routed_experts=experts, num_experts_per_tok=experts_per_token,
                       routed_scaling_factor=case.real("route_scale"), **fields)


def scores_comparable(logits: Tensor) -> bool:
    """Whether torch's softplus computes log(1 + exp x) for every logit. False for NaN as well."""
    return bool(((logits >= SMALLEST_LOGIT) & (logits <= LARGEST_LOGIT)).all())


def selection(scores: Tensor, weights: Tensor, indices: Tensor) -> dict[str, Tensor]:
    """`indices`, and `weights` unless a sum is so small that the library's + 1e-20 shows."""
    comparable = bool((scores.gather(1, indices).sum(-1) >= SMALLEST_NORMALISATION).all())
    return {"indices": indices} | ({"weights": weights} if comparable else {})


def learned_selection(trace: Trace, scores: Tensor, weights: Tensor, indices: Tensor) -> dict[str, Tensor]:
    """As `selection`, ordered by score, then by index; `selection_multiset` instead if that order is undefined."""
    selection_scores, (chosen, _) = trace.only("topk")
    result = {"selection_scores": selection_scores}
    k = indices.shape[1]
    highest = selection_scores.sort(dim=-1, descending=True).values[:, : k + 1]
    rounding = TIE_ULPS * torch.finfo(highest.dtype).eps * selection_scores.abs().amax(-1, keepdim=True)
    if (highest[:, :-1] - highest[:, 1:] <= rounding).any():
        return result | {"selection_multiset": chosen.sort(dim=-1, descending=True).values}
    order = selection_scores.gather(1, indices).argsort(dim=-1, descending=True)  # no two are equal
    return result | selection(scores, weights.gather(1, order), indices.gather(1, order))


def affinity(case: Case) -> dict[str, Tensor]:
    """The score function that the router holds."""
    logits = case.inputs["logits"]
    gate = build(v4.DeepseekV4TopKRouter, make_config(hidden_size=1, n_routed_experts=logits.shape[1]))
    with library(case.dtype):
        scores = gate.score_fn(logits)
    return {"scores": scores} if scores_comparable(logits) else {}


def router(case: Case) -> dict[str, Tensor]:
    """The learned router."""
    gate = load(build(v4.DeepseekV4TopKRouter, router_config(case, experts_per_token=case.count("experts_per_token"))),
                {"weight": case.weights["gate"], "e_score_correction_bias": case.weights["bias"]})
    scores = kept_outputs(gate.score_fn)
    with library(case.dtype, "topk") as trace:
        logits, weights, indices = gate(case.inputs["hidden"])
    if not scores_comparable(logits):
        return {"logits": logits}
    return {"logits": logits, "scores": scores[0]} | learned_selection(trace, scores[0], weights, indices)


def hash_router(case: Case) -> dict[str, Tensor]:
    """The router of the hash layers; it has no bias, so a stray one is not loaded."""
    table = case.weights["token_experts"]
    config = router_config(case, experts_per_token=table.shape[1], vocab_size=table.shape[0])
    gate = load(build(v4.DeepseekV4HashRouter, config), {"weight": case.weights["gate"], "tid2eid": table})
    scores = kept_outputs(gate.score_fn)
    with library(case.dtype):
        logits, weights, indices = gate(case.inputs["hidden"], case.inputs["token_ids"])
    if not scores_comparable(logits):
        return {"logits": logits, "indices": indices}
    return {"logits": logits, "scores": scores[0]} | selection(scores[0], weights, indices)


def expert(case: Case) -> dict[str, Tensor]:
    """A bank of one expert, to which every token is sent with its slot weight."""
    hidden, slot_weights = case.inputs["hidden"], case.inputs["slot_weights"]
    width, hidden_size = case.weights["gate_projection"].shape
    config = make_config(hidden_size=hidden_size, moe_intermediate_size=width, n_routed_experts=1,
                         swiglu_limit=case.swiglu_limit())
    experts = load(build(v4.DeepseekV4Experts, config), {
        "gate_up_proj": torch.cat([case.weights["gate_projection"], case.weights["up_projection"]])[None],
        "down_proj": case.weights["down_projection"][None]})
    indices = torch.zeros(len(hidden), 1, dtype=torch.int64)
    with library(case.dtype, "chunk", "linear") as trace:
        output = experts(hidden, indices, slot_weights[:, None])
    _, (gate, up) = trace.only("chunk")
    result = {"gate": gate, "up": up, "output": output}
    if (slot_weights == 1).all():
        _, ((activation, _), _) = trace.calls["linear"]  # the second call is the down projection
        result["activation"] = activation
    return result


def mixture(case: Case) -> dict[str, Tensor]:
    """The whole block: router, routed experts, shared expert, sum."""
    weights, hidden = case.weights, case.inputs["hidden"][None]
    by_hash = case.parameters["routing"] in ("hash", b"hash")
    config = router_config(case, experts_per_token=case.count("experts_per_token"),
                           moe_intermediate_size=weights["gate_projection"].shape[1],
                           vocab_size=len(weights["token_experts"]) if by_hash else 8,
                           mlp_layer_types=["hash_moe" if by_hash else "moe"], swiglu_limit=case.swiglu_limit())
    name, tensor = ("tid2eid", "token_experts") if by_hash else ("e_score_correction_bias", "bias")
    block = load(build(v4.DeepseekV4SparseMoeBlock, config, 0), {
        "gate.weight": weights["gate"], f"gate.{name}": weights[tensor],
        "experts.gate_up_proj": torch.cat([weights["gate_projection"], weights["up_projection"]], dim=1),
        "experts.down_proj": weights["down_projection"],
        "shared_experts.gate_proj.weight": weights["shared_gate_projection"],
        "shared_experts.up_proj.weight": weights["shared_up_projection"],
        "shared_experts.down_proj.weight": weights["shared_down_projection"]})
    routings, scores, routed, shared = (
        kept_outputs(part) for part in (block.gate, block.gate.score_fn, block.experts, block.shared_experts))
    with library(case.dtype, "topk") as trace:
        output = block(hidden, case.inputs["token_ids"][None] if by_hash else None)
    (logits, gate_weights, indices), result = routings[0], {"shared": shared[0][0]}
    if not scores_comparable(logits):
        return result | ({"indices": indices} if by_hash else {})
    if by_hash:
        result |= selection(scores[0], gate_weights, indices)
    else:
        result |= learned_selection(trace, scores[0], gate_weights, indices)
        del result["selection_scores"]  # not a tensor of this operation
    return result | ({"routed": routed[0], "output": output[0]} if "weights" in result else {})


# --- The interface ---------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Case], dict[str, Tensor]]] = {
    "expand": expand, "sinkhorn": sinkhorn, "site": site, "head": head, "affinity": affinity, "router": router,
    "hash-router": hash_router, "expert": expert, "mixture": mixture,
}


def run(operation: str, parameters: dict[str, Any], inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray], *,
        dtype: str = "float64") -> dict[str, np.ndarray]:
    """The expected tensors of `operation` that the library computes, in `dtype`; none for what it does not cover."""
    if operation not in OPERATIONS or parameters.get("iterations", 1) < 1:  # the library takes 0 iterations for 1
        return {}
    floating = {"float64": torch.float64, "float32": torch.float32}[dtype]

    def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """Copies: reals in the precision of the run, ids as int64."""
        return {name: torch.tensor(array, dtype=floating if array.dtype.kind == "f" else torch.int64)
                for name, array in arrays.items()}

    result = OPERATIONS[operation](Case(parameters, tensors(inputs), tensors(weights), floating))
    for name, tensor in result.items():
        assert tensor.dtype == (torch.int64 if name == "indices" else floating), f"{name} is {tensor.dtype}"
    return {name: tensor.detach().contiguous().numpy().copy() for name, tensor in result.items()}
