"""PyPI `transformers` (models/deepseek_v4) as an engine of docs/engine-protocol.md.

    v4-oracle conform --engine 'python golden/engines/transformers_engine.py --precision fp32'

Every operation is run as generator A of the golden cases runs it (golden/generators/*_transformers.py): by the
library's own modules with the case's weights, all tokens in one call. What those modules leave out, the library has
not, or has otherwise; such a case is answered by `unsupported` with the reason. Only margins are computed here, from
the scores that the library hands to topk.

fp64 is the library under the shim that turns its float32 requests into float64; fp32 is the library as it is; bf16 has
inputs and weights in bfloat16, except the parameters that the library itself keeps in float32.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import folders  # noqa: F401
import attention_transformers
import model_transformers
import oracle_transformers
import torch
import transformers
from model_weights import official_weights
from operations import configuration, finite, margin, require_complete
from oracle_transformers import Trace, v4
from torch import Tensor, nn

from v4oracle import Case, Engine, Unsupported, serve

GENERATORS = (oracle_transformers, attention_transformers, model_transformers)
PRECISIONS = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}
KEPT_MODULES = (v4.DeepseekV4RMSNorm, v4.DeepseekV4HyperConnection, v4.DeepseekV4HyperHead)
KEPT_NAMES = ("sinks", "position_bias", "e_score_correction_bias")
TIE = "scores are equal where the selection ends, and torch.topk takes any of the equal ones"
SOFTPLUS = "a logit lies where torch's softplus is not log(1 + exp x)"
SMALL_SUM = "a sum of scores is so small that the added 1e-20 shows"
REASONS = {  # by operation and tensor, or by tensor alone
    "scores": SOFTPLUS,
    "indices": TIE,
    "weights": SMALL_SUM,
    "selection": f"{TIE}; or rounding decides the order",
    "hidden": f"{TIE}; or {SMALL_SUM}; or {SOFTPLUS}",
    "expert/activation": "the slot weight is applied after the down projection",
    "mixture/indices": f"{TIE}; or {SOFTPLUS}",
    "mixture/weights": f"{SMALL_SUM}; or {SOFTPLUS}",
    "compress/pooled": "without a complete block there is no pooling",
    "core-attention/attended": "an entry is named twice",
    "attention/attended": TIE,
}


# --- bfloat16 --------------------------------------------------------------------------------------------------------


def kept_in_float32(module: nn.Module, name: str) -> bool:
    """Whether the library keeps this parameter in float32 in a bfloat16 model (`_keep_in_fp32_modules_strict`)."""
    owner, _, last = name.rpartition(".")
    return last in KEPT_NAMES or isinstance(module.get_submodule(owner), KEPT_MODULES)


def load_bfloat16(module: nn.Module, tensors: dict[str, Tensor],
                  load: Callable = oracle_transformers.load) -> nn.Module:
    """As the generators' `load`, into a bfloat16 module."""
    return load(module, {name: tensor if not tensor.is_floating_point() or kept_in_float32(module, name)
                         else tensor.bfloat16() for name, tensor in tensors.items()})


@contextmanager
def adapted(dtype: torch.dtype) -> Iterator[list[Trace]]:
    """The generators as they are, but their traces are kept, and bfloat16 modules are loaded as such.

    In bfloat16 rounding makes ties of its own, so the library's choice stands there.
    """
    traces: list[Trace] = []

    @contextmanager
    def library(*arguments: Any) -> Iterator[Trace]:
        with oracle_transformers.library(*arguments) as trace:
            traces.append(trace)
            yield trace

    with ExitStack() as stack:
        stack.enter_context(patch.object(model_transformers, "library", library))
        if dtype == torch.bfloat16:
            for generator in GENERATORS:
                stack.enter_context(patch.object(generator, "load", load_bfloat16))
            for generator in (oracle_transformers, attention_transformers):
                stack.enter_context(patch.object(generator, "TIE_ULPS", -1))
        yield traces


# --- Margins ---------------------------------------------------------------------------------------------------------


def add_margins(case: Case, result: dict[str, Tensor], traces: list[Trace]) -> None:
    """The margins of the selections that are in the result."""
    if case.operation == "router" and "indices" in result:
        result["margin"] = margin(result["selection_scores"], int(case.parameters["experts_per_token"]))
    if "selection" in result:
        result["margin"] = margin(result["index_scores"], int(case.parameters["index_topk"]))
    if case.operation == "model":
        add_margins_of_model(configuration(case), result, traces)


def add_margins_of_model(config: dict[str, Any], result: dict[str, Tensor], traces: list[Trace]) -> None:
    """In each layer topk is called by the indexer, if there is one, then by the router, if it is learned."""
    ranked = (arguments for trace in traces for arguments, _ in trace.calls.get("topk", ()))
    for layer, ratio in enumerate(model_transformers.layer_ratios(config)):
        if ratio == 4:
            scores, *_ = next(ranked)
            result[f"layers.{layer}.attn.margin"] = margin(scores[0], config["index_topk"])
        if layer >= config["num_hash_layers"]:
            scores, *_ = next(ranked)
            result[f"layers.{layer}.ffn.margin"] = margin(scores, config["num_experts_per_tok"])


# --- The engine ------------------------------------------------------------------------------------------------------


class TransformersEngine(Engine):
    """The library in one precision."""

    name = "transformers"
    version = transformers.__version__
    operations = [name for generator in GENERATORS for name in generator.OPERATIONS]

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.dtype = PRECISIONS[precision]
        self.details = {"runtime": f"torch {torch.__version__}", "device": "cpu"}

    def run(self, case: Case) -> dict[str, Tensor]:
        self.refuse_what_is_absent(case)
        operation = next(generator.OPERATIONS[case.operation] for generator in GENERATORS
                         if case.operation in generator.OPERATIONS)
        with adapted(self.dtype) as traces:
            result = operation(self.generator_case(case))
        if finite(case):
            add_margins(case, result, traces)
        require_complete(case, result, REASONS)
        return result

    def refuse_what_is_absent(self, case: Case) -> None:
        """Raises Unsupported where the library, or its float64 run, has nothing of the kind."""
        parameters = case.parameters
        if parameters.get("numerics", "exact") != "exact":
            raise Unsupported(f"no {parameters['numerics']} numerics")
        if parameters.get("weight_format", "float32") != "float32":
            raise Unsupported(f"no weights of the {parameters['weight_format']} format")
        if case.operation == "indexer":
            raise Unsupported("index_queries: there is no Hadamard transform")
        if case.operation == "model" and self.dtype == torch.float64 and parameters["angles"] != "exact":
            raise Unsupported("the float64 run forms its angles in float64")
        if "rope_dims" in parameters and not attention_transformers.rotary_comparable(self.generator_case(case)):
            raise Unsupported("the range of YaRN is clamped otherwise" if parameters["rope_dims"] else
                              "no rotary dims are taken for all of them")

    def generator_case(self, case: Case) -> oracle_transformers.Case:
        """The case on torch. In bfloat16 weights stay in float32 until they are loaded into their modules.

        The logits of `sinkhorn` go in as a parameter that the library keeps in float32, and `expand` copies what it gets.
        """
        weights = case.weights
        if case.operation == "model":
            weights = weights or official_weights(configuration(case), int(case.parameters["weights_seed"]))
        narrow = self.dtype == torch.bfloat16
        of_weights = torch.float32 if narrow else self.dtype
        of_inputs = of_weights if case.operation in ("sinkhorn", "expand") else self.dtype

        def tensors(arrays: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
            return {name: torch.tensor(array, dtype=dtype if array.dtype.kind == "f" else torch.int64)
                    for name, array in arrays.items()}

        return oracle_transformers.Case(case.parameters, tensors(case.inputs, of_inputs), tensors(weights, of_weights),
                                        self.dtype)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="transformers as an engine of v4-oracle conform.")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    serve(TransformersEngine(parser.parse_args().precision))
