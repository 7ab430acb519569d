"""Makes manifest.json: one entry a case, from the case, its evidence and its file."""

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from agreement import AGREEMENT_LIMIT, DOUBLE_RELATIVE, FLOOR_ULPS, SPREAD_FACTOR, Expected
from case import Case
from case_file import FORMAT_VERSION
from equations import EQUATIONS

Json = dict[str, Any]

TITLE = "Golden tensors of DeepSeek-V4 from three independent implementations"
ORACLE_VERSION = "1"  # of generators B and C; raise it when a stored value changes


def relative_path(case: Case) -> str:
    return f"vectors/{case.id}.h5"


def installed(package: str) -> str:
    return importlib.metadata.version(package)


def generators() -> Json:
    """The three oracles and what they run on."""
    return {
        "A": {
            "name": "transformers, models/deepseek_v4",
            "version": installed("transformers"),
            "runtime": f"torch {installed('torch')}",
            "precision": "float64 (its float32 casts widened) and float32 (unchanged)",
            "description": "The public library's modules and whole model, run by *_transformers.py.",
        },
        "B": {
            "name": "generators/*_numpy.py",
            "version": ORACLE_VERSION,
            "runtime": f"numpy {installed('numpy')}",
            "precision": "float64 (stored), float32, and float32 with permuted sums",
            "description": "Vectorised NumPy, written from the report and the released equations.",
        },
        "C": {
            "name": "generators/*_scalar.py",
            "version": ORACLE_VERSION,
            "runtime": f"mpmath {installed('mpmath')}",
            "precision": "40 decimal digits, or 80-bit reals for attention, rounded to float64",
            "description": "Scalar loops, or one token at a time, in extended precision, sharing no formula with B.",
        },
    }


def provenance(expected: dict[str, Expected], oracles: Json) -> list[Json]:
    """Which runs stand behind a case; empty for a case that has to be refused."""
    if not expected:
        return []

    def run(oracle: str, precision: str) -> Json:
        return {"generator": oracle, "version": oracles[oracle]["version"], "precision": precision}

    runs = [run("B", "float64 (stored)")]
    confirming = {oracle for tensor in expected.values() for oracle in tensor.confirmed_by}
    runs += [run("A", "float64")] * ("A" in confirming) + [run("C", "extended")] * ("C" in confirming)
    spreads = {name for tensor in expected.values() for name in tensor.spreads}
    runs += [run("A", "float32")] * ("spread_a_float32" in spreads)
    return runs + ([run("B", "float32"), run("B", "float32, permuted sums")] if spreads else [])


def tensor_entry(expected: Expected) -> Json:
    return {
        "shape": list(expected.value.shape),
        "dtype": str(expected.value.dtype),
        "judge": expected.judge,
        "tolerance": expected.tolerance(),
        "confirmed_by": expected.confirmed_by,
    }


def case_entry(
    case: Case, expected: dict[str, Expected], path: Path, margin: float | str | None, oracles: Json, kills: Json
) -> Json:
    """One case of the manifest; `path` is its file."""
    content = path.read_bytes()
    return {
        "id": case.id,
        "file": relative_path(case),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "preset": case.preset,
        "component": case.component,
        "operation": case.operation,
        "description": case.description,
        "equations": list(case.equations),
        "seed": case.seed,
        "provenance": provenance(expected, oracles),
        "tensors": {name: tensor_entry(tensor) for name, tensor in expected.items()},
        "smallest_margin": margin,
        "kills": kills,
        "expected_error": case.expected_error,
        "note": case.note,
    }


def manifest(cases: list[Json], oracles: Json) -> Json:
    return {
        "format_version": FORMAT_VERSION,
        "title": TITLE,
        "case_count": len(cases),
        "tolerance_rule": {
            "spread_factor": SPREAD_FACTOR,
            "floor_ulps": FLOOR_ULPS,
            "double_relative": DOUBLE_RELATIVE,
            "agreement_limit": AGREEMENT_LIMIT,
        },
        "generators": oracles,
        "equations": [equation._asdict() for equation in EQUATIONS],
        "cases": cases,
    }


def load(path: Path) -> Json | None:
    """The manifest at `path`, or None if there is none yet."""
    return json.loads(path.read_text(encoding="ascii")) if path.exists() else None


def store(path: Path, content: Json) -> None:
    """Write under a temporary name, then rename. Strict JSON: no NaN, no infinity."""
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    partial.write_text(text, encoding="ascii", newline="\n")
    partial.replace(path)


def merge_kills(content: Json, kills: dict[str, Json]) -> None:
    """Put a kill matrix {case: {bug: multiple of tolerance, "inf" or "nan"}} into the manifest.

    Raises ValueError for a case that the manifest does not have.
    """
    known = {entry["id"]: entry for entry in content["cases"]}
    if unknown := sorted(kills.keys() - known.keys()):
        raise ValueError(f"the kill matrix names case {unknown[0]}, which the manifest does not have")
    for case_id, entry in known.items():
        entry["kills"] = kills.get(case_id, {})


def kept_kills(previous: Json | None) -> dict[tuple[str, str], Json]:
    """The kills of a previous manifest by case and checksum, so that a changed file loses its own."""
    return {(entry["id"], entry["sha256"]): entry["kills"] for entry in (previous or {"cases": []})["cases"]}
