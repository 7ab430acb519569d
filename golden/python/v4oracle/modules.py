"""Hooks for the torch modules of any model: which module's output is which tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .taps import find_tap
from .tensors import as_array
from .traces import TraceError, TraceWriter

Extract = Callable[[tuple, Any], Any]


def given_tokens(arguments: tuple, keywords: dict[str, Any]) -> Any:
    """The token ids of a call: `input_ids`, or else the first argument. -> [T]"""
    ids = keywords.get("input_ids", arguments[0] if arguments else None)
    if ids is None or ids.ndim not in (1, 2):
        raise TraceError("the model has to be called with token ids, [T] or [1,T]")
    return without_batch(ids, 1, "token ids")


def without_batch(value: Any, rank: int, name: str) -> Any:
    """The tensor without its batch axis, which must be of one sequence; as it is if it has none."""
    if value.ndim != rank + 1:
        return value
    if len(value) != 1:
        raise TraceError(f"{name}: a trace holds one sequence, the batch has {len(value)}")
    return value[0]


@contextmanager
def hook_modules(module: Any, writer: TraceWriter, taps: Mapping[str, Any], *,
                 start: Callable[[tuple, dict[str, Any]], int] | None = None) -> Iterator[None]:
    """Writes a call of the trace whenever `module` is called, with what the named submodules return.

    `taps` says for the path of a submodule the tap that its output is, or a pair of tap and function of (arguments,
    output) that finds the tensor, or a list of these. A batch axis of one sequence is removed. `start` says from the
    arguments of a call where its first token is; without it, where the last call ended.
    """
    kept: dict[str, Any] = {}

    def keep(name: str, function: Extract) -> Callable[..., None]:
        rank = len(find_tap(name).axes)

        def hook(_module: Any, arguments: tuple, output: Any) -> None:
            if name in kept:
                raise TraceError(f"{name} was computed twice in one call")
            kept[name] = as_array(without_batch(function(arguments, output), rank, name))

        return hook

    def begin(_module: Any, arguments: tuple, keywords: dict[str, Any]) -> None:
        given_tokens(arguments, keywords)
        kept.clear()

    def end(_module: Any, arguments: tuple, keywords: dict[str, Any], _output: Any) -> None:
        position = start(arguments, keywords) if start else writer.end
        writer.call(position, as_array(given_tokens(arguments, keywords)))
        for name, array in kept.items():
            writer.record(name, array)

    handles = [module.register_forward_pre_hook(begin, with_kwargs=True)]
    try:
        for path, wanted in taps.items():
            for one in wanted if isinstance(wanted, list) else [wanted]:
                name, function = one if isinstance(one, tuple) else (one, lambda _arguments, output: output)
                handles.append(module.get_submodule(path).register_forward_hook(keep(name, function)))
        handles.append(module.register_forward_hook(end, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()
