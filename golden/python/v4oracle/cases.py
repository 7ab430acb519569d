"""Golden cases: from the golden folder with what is expected, or from the file that the protocol hands over."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from .safetensors_file import read_safetensors
from .tensors import format_of

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Case:
    """What golden/FORMAT.md describes. `entry` (of the manifest) and `expected` are empty where it was handed over."""

    id: str
    operation: str
    parameters: dict[str, Any]
    inputs: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    expected: dict[str, np.ndarray] = field(default_factory=dict)
    entry: dict[str, Any] = field(default_factory=dict)


def loader(golden: Path) -> ModuleType:
    """`read_case.py` of a golden folder, which reads a case and has the judge."""
    spec = importlib.util.spec_from_file_location("v4oracle_read_case", golden / "read_case.py")
    if spec is None or spec.loader is None or not (golden / "read_case.py").is_file():
        raise FileNotFoundError(f"{golden} is no golden folder: there is no read_case.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_golden(case_id: str, golden: str | Path) -> Case:
    """A case by its id, its checksum compared with that of the manifest.

    `loader(golden).judge_case(case.entry, case.expected, got)` judges an answer.
    """
    golden = Path(golden)
    entry, parameters, inputs, weights, expected = loader(golden).read_case(case_id, golden)
    return Case(case_id, entry["operation"], plain(parameters), inputs, weights, expected, entry)


def read_handed(path: str | Path, format: str | None = None) -> Case:
    """A case from the file of a `run` message: as `format` says, or else safetensors where its name ends so.

    Raises OSError or ValueError where it is no case.
    """
    read = handed_safetensors if (format or format_of(path)) == "safetensors" else handed_hdf5
    attributes, parameters, groups = read(path)
    if attributes.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{path}: unknown format version {attributes.get('format_version')}")
    if not isinstance(attributes.get("operation"), str):
        raise ValueError(f"{path}: there is no operation")
    return Case(str(attributes.get("case", "")), attributes["operation"], parameters, *groups)


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as int, float and str."""
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in attributes.items()}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


Handed = tuple[dict[str, Any], dict[str, Any], list[dict[str, np.ndarray]]]


def handed_hdf5(path: str | Path) -> Handed:
    with h5py.File(path, "r") as file:
        if "parameters" not in file:
            raise ValueError(f"{path}: there is no group parameters")
        groups = [{name: node[()] for name, node in file.get(group, {}).items()} for group in ("inputs", "weights")]
        return plain(file.attrs), plain(file["parameters"].attrs), groups


def handed_safetensors(path: str | Path) -> Handed:
    tensors, metadata = read_safetensors(path)
    values: dict[str, Any] = {name: value_of(text) for name, text in metadata.items()}
    prefix = "parameters/"
    parameters = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    groups = [{name.removeprefix(group): array for name, array in tensors.items() if name.startswith(group)}
              for group in ("inputs/", "weights/")]
    return {name: value for name, value in values.items() if not name.startswith(prefix)}, parameters, groups


def value_of(text: str) -> Any:
    """What JSON text says; a root attribute may also stand as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
