"""Traces as docs/traces.md describes them: every call of a model with its tokens and as many taps as there are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from .taps import find_tap
from .tensors import as_array, fixed, temporary_name

PRECISIONS = ("fp64", "fp32", "tf32", "bf16", "fp8-fp4")


class TraceError(ValueError):
    """What must not be written."""


class TraceWriter:
    """Writes a trace: `with TraceWriter(path, precision="fp32") as trace: trace.call(0, ids); trace.record(tap, x)`.

    The file stands under its name when the block ends without an error.
    """

    def __init__(self, path: str | Path, precision: str = "fp32", *, numerics: str = "exact", angles: str = "float32",
                 producer: str = "v4oracle", configuration: str | None = None) -> None:
        if precision not in PRECISIONS:
            raise TraceError(f"precision is one of {', '.join(PRECISIONS)}, not {precision}")
        self.path = Path(path)
        self.attributes = {"precision": precision, "numerics": numerics, "angles": angles, "producer": producer}
        if configuration is not None:
            self.attributes["configuration"] = configuration
        self.calls = 0
        self.end = 0
        """The position after the last token of the last call."""
        self.file: h5py.File | None = None
        self.group: h5py.Group | None = None
        self.tokens = 0

    def __enter__(self) -> TraceWriter:
        self.temporary = temporary_name(self.path)
        self.file = h5py.File(self.temporary, "w")
        self.file.attrs["format_version"] = np.int64(1)
        for key, value in self.attributes.items():
            self.file.attrs[key] = fixed(value)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.open_file().close()
        self.file = self.group = None
        if kind is None and self.calls:
            os.replace(self.temporary, self.path)
            return
        self.temporary.unlink()
        if kind is None:
            raise TraceError("a trace has at least one call")

    def open_file(self) -> h5py.File:
        if self.file is None:
            raise TraceError("the trace is not open: use it in a with statement")
        return self.file

    def call(self, start: int, token_ids: Sequence[int] | np.ndarray) -> None:
        """Begins a call of the model on these tokens, the first of them at position `start`."""
        file, ids = self.open_file(), np.asarray(token_ids)
        if ids.ndim != 1 or len(ids) == 0 or ids.dtype.kind not in "iu":
            raise TraceError(f"a call has a row of token ids, not {ids.dtype} of shape {list(ids.shape)}")
        if not 0 <= start <= self.end:
            raise TraceError(f"a call starts at a position from 0 to {self.end}, where the last one ended, not {start}")
        self.group = file.create_group(f"calls/{self.calls:04}")
        self.group.attrs["start"], self.group.attrs["tokens"] = np.int64(start), np.int64(len(ids))
        self.group.create_dataset("token_ids", data=ids.astype(np.int64))
        self.calls, self.end, self.tokens = self.calls + 1, start + len(ids), len(ids)

    def record(self, name: str, value: Any) -> None:
        """Writes one tap of the present call, an array or a torch tensor without a batch axis.

        Refuses what is no tap, was recorded before, or has not the registry's axes. NaN and infinities are allowed.
        """
        if self.group is None:
            raise TraceError(f"{name}: there is no call yet")
        try:
            tap = find_tap(name)
        except KeyError as error:
            raise TraceError(error.args[0]) from None
        array = as_array(value)
        if name in self.group:
            raise TraceError(f"{name} was recorded before in this call")
        if array.ndim != len(tap.axes):
            raise TraceError(f"{name} has the axes {' '.join(tap.axes)}, but shape {list(array.shape)}")
        if tap.per_token and len(array) != self.tokens:
            raise TraceError(f"{name} has {len(array)} rows in a call of {self.tokens} tokens")
        if tap.is_integer != (array.dtype.kind == "i"):
            raise TraceError(f"{name} has to hold {'integers' if tap.is_integer else 'reals'}, not {array.dtype}")
        self.group.create_dataset(name, data=array)
