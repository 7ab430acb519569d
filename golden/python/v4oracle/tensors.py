"""Named tensors in a file, HDF5 or safetensors; a file stands under its name only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .safetensors_file import read_safetensors, safetensors_bytes


def as_array(value: Any) -> np.ndarray:
    """An array of a type that the oracle reads: float64, float32 or int64. Takes torch tensors of any type, too."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if value.is_floating_point() and value.element_size() < 4:  # numpy has no bfloat16
            value = value.float()
        value = value.contiguous().numpy()
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)
    if array.dtype.kind in "iub":
        return array.astype(np.int64)
    raise TypeError(f"neither reals nor integers, but {array.dtype}")


def replace_file(path: str | Path, write: Callable[[Path], None]) -> None:
    """Lets `write` make a file under a temporary name beside `path`, then renames it; leaves nothing on an error."""
    temporary = temporary_name(path)
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_name(path: str | Path) -> Path:
    """Where a file is written that is to be renamed to `path`."""
    return Path(f"{path}.{os.getpid()}.tmp")


def format_of(path: str | Path) -> str:
    return "safetensors" if Path(path).suffix == ".safetensors" else "hdf5"


def write_tensors(path: str | Path, tensors: Mapping[str, Any], attributes: Mapping[str, Any] | None = None, *,
                  format: str | None = None) -> None:
    """Writes tensors at the root: as `format` says, or else safetensors where the name ends so and HDF5 where not.

    `attributes` go to the root, text with a fixed length (the oracle refuses a variable one).
    """
    arrays = {name: as_array(value) for name, value in tensors.items()}

    def write(temporary: Path) -> None:
        if (format or format_of(path)) == "safetensors":
            texts = {name: str(value) for name, value in (attributes or {}).items()}
            temporary.write_bytes(safetensors_bytes(arrays, texts))
            return
        with h5py.File(temporary, "w") as file:
            for name, value in (attributes or {}).items():
                file.attrs[name] = fixed(value)
            for name, array in arrays.items():
                file.create_dataset(name, data=array)

    replace_file(path, write)


def fixed(value: Any) -> Any:
    """An attribute as the oracle reads it: text of fixed length."""
    return np.bytes_(value.encode() or b"\0") if isinstance(value, str) else value


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """All tensors of a file, groups joined to the names by a slash."""
    if format_of(path) == "safetensors":
        return read_safetensors(path)[0]
    tensors: dict[str, np.ndarray] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            tensors[name] = node[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return tensors
