"""Traces of DeepSeek-V4 models of PyPI `transformers` (models/deepseek_v4), of any type, through hooks.

Taps that the library does not compute as the registry defines them are left out:

* `attn.indexer.queries_transformed`, `queries`, `keys_transformed`, `keys`: it has no Hadamard transform;
* `attn.indexer.weights`: it applies the factor i^-1/2 to the products instead;
* `ffn.experts.activation`, `ffn.experts.output`: it applies the slot weight after the down projection;
* the `..._quantized` taps and those of MTP blocks: it has neither.

`ffn.experts.gate` and `up` are there where experts run one by one (`experts_implementation="eager"`), `logits` where
all tokens have them. Selections and expert ids are brought into the registry's order: by score, then by index.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .modules import given_tokens, without_batch
from .taps import find_tap
from .tensors import as_array
from .traces import TraceError, TraceWriter

Call = tuple[tuple, Any]
"""The arguments and the result of a call of a function."""


@contextmanager
def hook_transformers(model: Any, writer: TraceWriter) -> Iterator[None]:
    """Writes a call of the trace at each forward call of `model`, a DeepseekV4ForCausalLM or DeepseekV4Model.

    A key-value cache makes later calls start where the last one ended. Raises TraceError where a call has more than one
    sequence, padding or no token ids.
    """
    base = getattr(model, "model", model)
    library = sys.modules[type(base).__module__]
    if not hasattr(library, "apply_rotary_pos_emb") or not hasattr(base, "hc_head"):
        raise TraceError(f"{type(model).__name__} is no DeepSeek-V4 model of transformers")
    with ExitStack() as undo:
        hooks = Hooks(writer, undo)
        hooks.hook_calls(model, base.layers[0])
        hooks.hook_rotation(library)
        hooks.hook_ends(model, base)
        for number, layer in enumerate(base.layers):
            hooks.hook_layer(f"layers.{number}.", layer)
        yield


class Hooks:
    """All hooks of one model, what they caught in the present call, and how they are removed (`undo`)."""

    def __init__(self, writer: TraceWriter, undo: ExitStack) -> None:
        self.writer, self.undo = writer, undo
        self.kept: dict[str, Any] = {}
        self.rotations: list[list[Call]] = []
        """For each of the running modules that rotate, the innermost last, the rotations so far."""
        self.orders: dict[str, Any] = {}
        """How the slots of each router were reordered."""

    # --- The parts that all places need

    def keep(self, name: str, value: Any) -> None:
        """Remembers a tap of the present call, with the batch axis removed."""
        if name in self.kept:
            raise TraceError(f"{name} was computed twice in one call")
        self.kept[name] = as_array(without_batch(value, len(find_tap(name).axes), name)).copy()

    def on_output(self, module: Any, act: Callable[[tuple, Any], None]) -> None:
        """Calls `act` with the arguments and the output of each call of the module."""

        def hook(_module: Any, arguments: tuple, output: Any) -> None:  # what a hook returns would replace the output
            act(arguments, output)

        self.undo.callback(module.register_forward_hook(hook).remove)

    def keep_output(self, name: str, module: Any) -> None:
        self.on_output(module, lambda _arguments, output: self.keep(name, output))

    def wrap(self, owner: Any, name: str, wrapper: Callable) -> None:
        """Puts `wrapper` in the place of a method of an object, or of a function of a module."""
        own = name in vars(owner)
        original = getattr(owner, name)
        setattr(owner, name, wrapper)
        self.undo.callback(lambda: setattr(owner, name, original) if own else delattr(owner, name))

    def watch(self, module: Any, names: tuple[str, ...], act: Callable[[dict[str, list[Call]], tuple, Any], None]
              ) -> None:
        """Calls `act` with the calls of the named torch functions that the module's forward makes."""
        forward = module.forward

        def watched(*arguments: Any, **keywords: Any) -> Any:
            with torch_calls(names) as calls:
                output = forward(*arguments, **keywords)
            act(calls, arguments, output)
            return output

        self.wrap(module, "forward", watched)

    def collect_rotations(self, module: Any, act: Callable[[list[Call]], None]) -> None:
        """Calls `act` with the rotations that the module's forward makes, without those of its submodules."""
        forward = module.forward

        def collecting(*arguments: Any, **keywords: Any) -> Any:
            self.rotations.append([])
            try:
                output = forward(*arguments, **keywords)
            finally:
                rotations = self.rotations.pop()
            act(rotations)
            return output

        self.wrap(module, "forward", collecting)

    def hook_rotation(self, library: Any) -> None:
        original = library.apply_rotary_pos_emb

        def rotated(*arguments: Any, **keywords: Any) -> Any:
            result = original(*arguments, **keywords)
            if self.rotations:
                self.rotations[-1].append((arguments, result))
            return result

        self.wrap(library, "apply_rotary_pos_emb", rotated)

    # --- A call

    def hook_calls(self, model: Any, first_layer: Any) -> None:
        """What begins and ends a call of the trace."""
        seen: dict[str, Any] = {}

        def begin(_module: Any, arguments: tuple, keywords: dict[str, Any]) -> None:
            self.kept.clear()
            seen["ids"] = without_batch(given_tokens(arguments, keywords), 1, "token ids")
            mask = keywords.get("attention_mask")
            if hasattr(mask, "all") and mask.ndim == 2 and not bool(mask.all()):
                raise TraceError("a trace has no place for padding: the attention mask hides tokens")

        def position(_module: Any, _arguments: tuple, keywords: dict[str, Any]) -> None:
            positions = keywords["position_ids"].flatten()
            if bool((positions.diff() != 1).any()):
                raise TraceError("the positions of a call have to follow each other")
            seen["start"] = int(positions[0])

        def end(_module: Any, _arguments: tuple, _output: Any) -> None:
            ids = as_array(seen["ids"])
            self.writer.call(seen["start"], ids)
            for name, array in self.kept.items():
                if name != "logits" or len(array) == len(ids):
                    self.writer.record(name, array)

        for handle in (model.register_forward_pre_hook(begin, with_kwargs=True),
                       first_layer.register_forward_pre_hook(position, with_kwargs=True),
                       model.register_forward_hook(end)):
            self.undo.callback(handle.remove)

    # --- Places

    def hook_ends(self, model: Any, base: Any) -> None:
        """Embedding, initial streams, hyper-connection head, last norm, logits."""
        self.keep_output("embedding", base.embed_tokens)
        self.on_output(base.layers[0], lambda arguments, _output: self.keep("streams", arguments[0]))
        self.keep_output("hidden", base.norm)
        if model is not base:
            self.keep_output("logits", model.lm_head)

        def head(calls: dict[str, list[Call]], _arguments: tuple, output: Any) -> None:
            self.keep("hc_head.mixes", calls["linear"][0][1])
            self.keep("hc_head.gates", calls["unsqueeze"][0][0][0])  # the collapse is gates.unsqueeze(-1) * streams
            self.keep("hc_head.collapsed", output)

        self.watch(base.hc_head, ("linear", "unsqueeze"), head)

    def hook_layer(self, prefix: str, layer: Any) -> None:
        self.hook_site(f"{prefix}hc_attn.", layer.attn_hc)
        self.hook_site(f"{prefix}hc_ffn.", layer.ffn_hc)
        self.on_output(layer.ffn_hc, lambda arguments, _output: self.keep(f"{prefix}hc_attn.streams", arguments[0]))
        self.keep_output(f"{prefix}hc_ffn.streams", layer)
        self.keep_output(f"{prefix}attn.hidden", layer.input_layernorm)
        self.keep_output(f"{prefix}ffn.hidden", layer.post_attention_layernorm)
        self.hook_attention(f"{prefix}attn.", layer.self_attn)
        self.hook_mixture(f"{prefix}ffn.", layer.mlp)

    def hook_site(self, prefix: str, module: Any) -> None:
        """A hyper-connection; its forward makes one linear map, one softmax and one unsqueeze."""

        def site(calls: dict[str, list[Call]], _arguments: tuple, output: Any) -> None:
            post, combination, layer_input = output
            self.keep(f"{prefix}mixes", calls["linear"][0][1])
            self.keep(f"{prefix}pre", calls["unsqueeze"][0][0][0])
            self.keep(f"{prefix}combination_logits", calls["softmax"][0][0][0])
            self.keep(f"{prefix}post", post)
            self.keep(f"{prefix}combination", combination)
            self.keep(f"{prefix}layer_input", layer_input)

        self.watch(module, ("linear", "softmax", "unsqueeze"), site)

    def hook_attention(self, prefix: str, module: Any) -> None:
        self.keep_output(f"{prefix}query_latent_projected", module.q_a_proj)
        self.keep_output(f"{prefix}query_latent", module.q_a_norm)
        self.on_output(module.q_b_proj, lambda _arguments, output: self.keep(
            f"{prefix}query_heads", output[0].unflatten(-1, (-1, module.head_dim))))
        self.on_output(module.q_b_norm, lambda _arguments, output: self.keep(
            f"{prefix}query_heads_normalized", output.transpose(1, 2)))
        self.keep_output(f"{prefix}window_projected", module.kv_proj)
        self.keep_output(f"{prefix}window_normalized", module.kv_norm)
        self.on_output(module.o_b_proj, lambda arguments, _output: self.keep(f"{prefix}group_latents", arguments[0]))
        self.on_output(module, lambda _arguments, output: self.keep(f"{prefix}output", output[0]))

        def rotated(rotations: list[Call]) -> None:
            (_, queries), (_, entries), ((attended, *_), derotated) = rotations
            self.keep(f"{prefix}queries", queries.transpose(1, 2))
            self.keep(f"{prefix}window_rotated", entries[:, 0])
            self.keep(f"{prefix}window_entries", entries[:, 0])  # no rounding in between
            self.keep(f"{prefix}attended_rotated", attended.transpose(1, 2))
            self.keep(f"{prefix}attended", derotated.transpose(1, 2))

        self.collect_rotations(module, rotated)
        if module.compressor is not None:
            self.hook_compressor(f"{prefix}compressor.", module.compressor, f"{prefix}compressed_entries")
            if hasattr(module.compressor, "indexer"):
                self.hook_indexer(f"{prefix}indexer.", module.compressor.indexer)

    def hook_projections(self, prefix: str, module: Any) -> None:
        """The two projections of a compressor and its norm, which runs only where a block became complete."""
        self.keep_output(f"{prefix}key_values", module.kv_proj)
        self.keep_output(f"{prefix}scores", module.gate_proj)
        self.on_output(module.kv_norm, lambda arguments, output: (
            self.keep(f"{prefix}pooled", arguments[0]), self.keep(f"{prefix}normalized", output)))

    def keep_entries(self, prefix: str, module: Any, entries: Any) -> None:
        """Of a call that completed no block (`entries` is None), there are no rows."""
        if entries is None:
            entries = self.kept[f"{prefix}key_values"][:0, : module.head_dim]
            self.keep(f"{prefix}pooled", entries)
            self.keep(f"{prefix}normalized", entries)
        self.keep(f"{prefix}rotated", entries)

    def hook_compressor(self, prefix: str, module: Any, entries_name: str) -> None:
        self.hook_projections(prefix, module)

        def rotated(rotations: list[Call]) -> None:
            self.keep_entries(prefix, module, rotations[0][1][0, 0] if rotations else None)
            self.keep(entries_name, self.kept[f"{prefix}rotated"])  # no rounding in between

        self.collect_rotations(module, rotated)

    def hook_indexer(self, prefix: str, module: Any) -> None:
        """Keys are rotated first, if a block became complete; queries always."""
        compressor = f"{prefix}compressor."
        self.hook_projections(compressor, module)
        self.on_output(module.q_b_proj, lambda _arguments, output: self.keep(
            f"{prefix}query_heads", output[0].unflatten(-1, (-1, module.head_dim))))
        self.keep_output(f"{prefix}weights_projected", module.scorer.weights_proj)

        def rotated(rotations: list[Call]) -> None:
            *keys, (_, queries) = rotations
            self.keep_entries(compressor, module, keys[0][1][0, 0] if keys else None)
            self.keep(f"{prefix}queries_rotated", queries.transpose(1, 2))

        def selected(calls: dict[str, list[Call]], _arguments: tuple, output: Any) -> None:
            ((scores, *_), _), = calls["topk"]
            self.keep(f"{prefix}scores", scores)
            self.keep(f"{prefix}selection", output[0].gather(1, slot_order(scores[0], output[0])))

        self.collect_rotations(module, rotated)
        self.watch(module, ("topk",), selected)

    def hook_mixture(self, prefix: str, module: Any) -> None:
        gate = f"{prefix}gate."

        def routed(calls: dict[str, list[Call]], _arguments: tuple, output: Any) -> None:
            logits, weights, indices = output
            self.keep(f"{gate}logits", logits)
            self.orders.pop(prefix, None)
            if calls["topk"]:
                selection_scores = calls["topk"][0][0][0]
                order = self.orders[prefix] = slot_order(selection_scores, indices)
                weights, indices = weights.gather(1, order), indices.gather(1, order)
                self.keep(f"{gate}selection_scores", selection_scores)
            self.keep(f"{gate}indices", indices)
            self.keep(f"{gate}weights", weights)

        self.keep_output(f"{gate}scores", module.gate.score_fn)
        self.watch(module.gate, ("topk",), routed)
        self.hook_experts(prefix, module.experts)
        shared, name = module.shared_experts, f"{prefix}shared_experts."
        self.on_output(shared.gate_proj, lambda _arguments, output: self.keep(f"{name}gate", output[0][:, None]))
        self.on_output(shared.up_proj, lambda _arguments, output: self.keep(f"{name}up", output[0][:, None]))
        self.on_output(shared.down_proj, lambda arguments, output: (
            self.keep(f"{name}activation", arguments[0][0][:, None]), self.keep(f"{name}output", output[0][:, None])))
        self.keep_output(f"{prefix}output", module)

    def hook_experts(self, prefix: str, module: Any) -> None:

        def summed(calls: dict[str, list[Call]], arguments: tuple, output: Any) -> None:
            self.keep(f"{prefix}routed", output)
            indices, projections = arguments[1], [result for _, result in calls["linear"][::2]]
            experts = indices.unique()  # in the order in which they run
            if len(calls["linear"]) != 2 * len(experts):
                return  # another implementation, which computes all at once
            slots = projections[0].new_zeros(*indices.shape, projections[0].shape[1])
            for expert, projected in zip(experts, projections, strict=True):
                slot, token = (indices.T == expert).nonzero(as_tuple=True)
                slots[token, slot] = projected
            if (order := self.orders.get(prefix)) is not None:
                slots = slots.gather(1, order[:, :, None].expand_as(slots))
            for name, part in zip(("gate", "up"), slots.chunk(2, dim=-1), strict=True):
                self.keep(f"{prefix}experts.{name}", part)

        self.watch(module, ("linear",), summed)


# --- On torch --------------------------------------------------------------------------------------------------------


@contextmanager
def torch_calls(names: tuple[str, ...]) -> Iterator[dict[str, list[Call]]]:
    """The calls that are made of torch functions or tensor methods of these names."""
    from torch.overrides import TorchFunctionMode

    calls: dict[str, list[Call]] = {name: [] for name in names}

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if (name := getattr(func, "__name__", "")) in calls:
                calls[name].append((args, result))
            return result

    with Watch():
        yield calls


def slot_order(scores: Any, chosen: Any) -> Any:
    """The order of the chosen columns by score, highest first, equal ones by index; -1, no choice, comes last.

    `scores [T,N]`, `chosen [T,K]` -> `[T,K]`
    """
    count = scores.shape[1]
    by_index = chosen.masked_fill(chosen < 0, count).argsort(dim=-1, stable=True)
    ids = chosen.masked_fill(chosen < 0, count).gather(1, by_index)
    padded = scores.new_full((len(scores), count + 1), float("-inf"))
    padded[:, :count] = scores
    return by_index.gather(1, padded.gather(1, ids).argsort(dim=-1, descending=True, stable=True))
