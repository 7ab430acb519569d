"""Reads a golden case and judges an output. Needs numpy and h5py: python golden/read_case.py CASE"""
import hashlib, json, sys
from pathlib import Path
import h5py
import numpy as np

def read_case(case_id, golden=Path(__file__).resolve().parent):
    """-> its manifest entry, parameters, inputs, weights, expected (empty where the engine has to refuse)."""
    cases = json.loads((golden / "manifest.json").read_text())["cases"]
    entry = next((case for case in cases if case["id"] == case_id), None)
    if entry is None:
        raise KeyError(f"the manifest has no case {case_id}")
    if hashlib.sha256((golden / entry["file"]).read_bytes()).hexdigest() != entry["sha256"]:
        raise ValueError(f"{entry['file']} is not the file that the manifest describes")
    with h5py.File(golden / entry["file"], "r") as file:
        if file.attrs["format_version"] != 1:
            raise ValueError(f"{entry['file']} has an unknown format version")
        parameters = {k: v.decode() if isinstance(v, bytes) else v for k, v in file["parameters"].attrs.items()}
        groups = [{k: v[()] for k, v in file.get(g, {}).items()} for g in ("inputs", "weights", "expected")]
    return entry, parameters, *groups

def judge(expected, got, tensor, precision="float"):
    """The error as a multiple of the tolerance (`tensor` is its manifest entry): at most 1 passes."""
    if got.shape != expected.shape or not np.array_equal(np.isnan(got), np.isnan(expected)):
        return np.inf
    finite = np.isfinite(expected)
    if not np.isfinite(got[finite]).all() or not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return np.inf
    if tensor["judge"] == "exact":
        return 0.0 if np.array_equal(got[finite], expected[finite]) else np.inf
    size = np.abs(expected[finite]) if tensor["judge"] == "relative" else 1.0
    return (np.abs(got[finite] - expected[finite]) / size).max(initial=0.0) / tensor["tolerance"][precision]

def judge_rounded(expected, got, unrounded, margin, tolerance):
    """The same for a tensor rounded to codes: another code passes only where rounding was not clear."""
    if got.shape != expected.shape or not np.isfinite(got).all():
        return np.inf
    allowed = np.abs(expected - unrounded) + 2 * margin + tolerance
    other_code = np.where(margin <= tolerance, np.abs(got - unrounded) / allowed, np.inf)
    errors = np.where(np.isinf(margin), np.abs(got - expected) / tolerance, other_code)
    return np.where(got == expected, 0.0, errors).max(initial=0.0)

def judge_case(entry, expected, got, precision="float"):
    """-> for each tensor that an engine has to give, its error as a multiple of the tolerance: at most 1 passes."""
    results, tensors = {}, entry["tensors"]
    for name in (name for name, tensor in tensors.items() if tensor["judge"] != "none"):
        if tensors[name]["judge"] == "rounded":
            tolerance = tensors[f"{name}.unrounded"]["tolerance"][precision]
            parts = expected[f"{name}.unrounded"], expected[f"{name}.margin"], tolerance
            results[name] = judge_rounded(expected[name], got[name], *parts)
        else:
            results[name] = judge(expected[name], got[name], tensors[name], precision)
    return results

if __name__ == "__main__":
    entry, parameters, *groups = read_case(sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__))
    print(entry["description"], *(f"{k} = {v}" for k, v in parameters.items()), sep="\n")
    for group, tensors in zip(("inputs", "weights", "expected"), groups):
        print(*(f"{group:9} {name:22} {str(x.shape):16} {x.dtype}" for name, x in tensors.items()), sep="\n")
