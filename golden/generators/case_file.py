"""Writes a case to HDF5 as FORMAT.md says, with bytes that depend on its content only, and compares two such files."""

from pathlib import Path

import h5py
import numpy as np

from agreement import AGREEMENT_LIMIT, WITHOUT_EVIDENCE, Expected, Fault, distance, same
from case import Array, Case, scaled_by

FORMAT_VERSION = 1
COMPRESS_ABOVE = 1024  # bytes


def attribute(value: int | float | str) -> np.generic:
    """int64, float64 or a fixed-length ASCII string."""
    if isinstance(value, str):
        return np.bytes_(value.encode("ascii"))
    return np.int64(value) if isinstance(value, int) else np.float64(value)


def create_dataset(group: h5py.Group, name: str, value: Array) -> h5py.Dataset:
    """One dataset without time stamps, compressed if that can pay."""
    options = {}
    if value.nbytes > COMPRESS_ABOVE:
        options = {"chunks": value.shape, "compression": "gzip", "compression_opts": 9, "shuffle": True}
    return group.create_dataset(name, data=value, track_times=False, **options)


def set_evidence(dataset: h5py.Dataset, expected: Expected) -> None:
    """The attributes of an expected dataset."""
    dataset.attrs["judge"] = attribute(expected.judge)
    dataset.attrs["confirmed_by"] = attribute(",".join(expected.confirmed_by))
    if expected.judge in WITHOUT_EVIDENCE:
        return
    dataset.attrs["scale"] = attribute(expected.scale)
    for oracle, agreement in sorted(expected.agreements.items()):
        dataset.attrs[f"agreement_{oracle.lower()}_float64"] = attribute(agreement)
    for name, spread in sorted(expected.spreads.items()):
        dataset.attrs[name] = attribute(spread)


def write_case(path: Path, case: Case, expected: dict[str, Expected]) -> None:
    """One file; a case that has to be refused gets no `expected` group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    root = {
        "format_version": FORMAT_VERSION,
        "case": case.id,
        "preset": case.preset,
        "component": case.component,
        "operation": case.operation,
        "description": case.description,
        "seed": case.seed,
    }
    if case.expected_error is not None:
        root["expected_error"] = case.expected_error
    with h5py.File(path, "w") as file:
        for name, value in root.items():
            file.attrs[name] = attribute(value)
        parameters = file.create_group("parameters")
        for name, value in sorted(case.parameters.items()):
            parameters.attrs[name] = attribute(value)
        for group_name, tensors in (("inputs", case.inputs), ("weights", case.weights)):
            group = file.create_group(group_name)
            for name, value in sorted(tensors.items()):
                create_dataset(group, name, value)
        if expected:
            group = file.create_group("expected")
            for name, tensor in sorted(expected.items()):
                set_evidence(create_dataset(group, name, tensor.value), tensor)


def contents(path: Path) -> tuple[dict[str, object], dict[str, Array]]:
    """Every attribute and every dataset of a file by its path."""
    attributes: dict[str, object] = {}
    datasets: dict[str, Array] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        attributes.update({f"{name}@{key}": value for key, value in node.attrs.items()})
        if isinstance(node, h5py.Dataset):
            datasets[name] = node[()]

    with h5py.File(path, "r") as file:
        visit("", file)
        file.visititems(visit)
    return attributes, datasets


def measured(attribute_name: str) -> bool:
    """Whether an attribute is a measurement, which differs a little between machines."""
    key = attribute_name.split("@")[1]
    return key.startswith(("agreement_", "spread_")) or key in ("scale", "confirmed_by")


def difference(stored: Path, rebuilt: Path) -> str | None:
    """Where a rebuilt case differs in more than the last bits of float64, as a sentence; None if nowhere.

    Inputs, weights, parameters and descriptions have to be equal; expected tensors to AGREEMENT_LIMIT; float32 runs
    have to be as good as the stored tolerance says.
    """
    (old_attributes, old), (new_attributes, new) = contents(stored), contents(rebuilt)
    if old.keys() != new.keys():
        return f"other datasets: {sorted(old.keys() ^ new.keys())}"
    for name in sorted(k for k in old_attributes.keys() | new_attributes.keys() if not measured(k)):
        if old_attributes.get(name) != new_attributes.get(name):
            return f"attribute {name} is stored as {old_attributes.get(name)}, not {new_attributes.get(name)}"
    for name, value in old.items():
        if value.dtype != new[name].dtype:
            return f"{name}: type {value.dtype} is stored, not {new[name].dtype}"
        judge = old_attributes.get(f"{name}@judge", b"exact").decode()
        if judge == "exact":
            if not same(value, new[name]):
                return f"{name}: other values are stored"
            continue
        scale = old_attributes[f"{scaled_by(name, old) if judge in WITHOUT_EVIDENCE else name}@scale"]
        try:
            error = distance(judge, value, new[name], name) / scale
        except Fault as fault:
            return str(fault)
        if error > AGREEMENT_LIMIT:
            return f"{name}: the stored value is {error:.2g} of its scale away"
        if judge in WITHOUT_EVIDENCE:
            continue
        spreads = {
            key: [v for k, v in side.items() if k.startswith(f"{name}@spread_")]
            for key, side in (("old", old_attributes), ("new", new_attributes))
        }
        allowed = Expected(value, judge, scale, spreads={"stored": max(spreads["old"])}).tolerance()["float"]
        if max(spreads["new"]) > allowed:
            return f"{name}: float32 is {max(spreads['new']):.2g} away here, and the stored tolerance is {allowed:.2g}"
    return None
