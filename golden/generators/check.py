"""Checks the golden folder without building anything: schema, checksums, every file, every tolerance.

    python golden/generators/check.py [GOLDEN]

Needs requirements-check.txt only. Exits with 1 and a sentence for each fault; else prints "checked N cases".
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import numpy as np

GOLDEN = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(GOLDEN))

from case import judged_margins, rounding_of, scaled_by  # noqa: E402
from read_case import judge, judge_rounded, read_case  # noqa: E402

Json = dict[str, Any]


def schema_faults(manifest: Json, golden: Path) -> Iterator[str]:
    """Where the manifest breaks its schema."""
    schema = json.loads((golden / "manifest.schema.json").read_text())
    for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest):
        yield f"manifest.json: {error.json_path}: {error.message}"


def budget_faults(manifest: Json, golden: Path) -> Iterator[str]:
    """Where the budgets break their schema, were measured on other files, or lack a tensor."""
    path = golden / "budgets.json"
    if not path.exists():
        yield "budgets.json: is not there"
        return
    budgets = json.loads(path.read_text())
    schema = json.loads((golden / "budgets.schema.json").read_text())
    for error in jsonschema.Draft202012Validator(schema).iter_errors(budgets):
        yield f"budgets.json: {error.json_path}: {error.message}"
        return
    for entry in manifest["cases"]:
        wanted = {name for name, tensor in entry["tensors"].items() if tensor["tolerance"]}
        case = budgets["cases"].get(entry["id"], {"sha256": entry["sha256"], "tensors": {}})
        if case["sha256"] != entry["sha256"]:
            yield f"budgets.json: {entry['id']} was measured on another file"
        if case["tensors"].keys() != wanted:
            yield f"budgets.json: {entry['id']} has budgets for other tensors than those with a tolerance"


def listing_faults(manifest: Json, golden: Path) -> Iterator[str]:
    """Counts, ids, equations, and files that nobody lists."""
    cases = manifest["cases"]
    ids = [case["id"] for case in cases]
    equations = {equation["id"] for equation in manifest["equations"]}
    if manifest["case_count"] != len(cases):
        yield f"manifest.json: case_count is {manifest['case_count']}, but there are {len(cases)} cases"
    if ids != sorted(set(ids)):
        yield "manifest.json: ids are not sorted, or one occurs twice"
    for case in cases:
        if case["file"] != f"vectors/{case['id']}.h5":
            yield f"{case['id']}: file {case['file']} has another name than its case"
        if unknown := set(case["equations"]) - equations:
            yield f"{case['id']}: equation {min(unknown)} is not in the registry"
    if orphans := equations - {equation for case in cases if case["tensors"] for equation in case["equations"]}:
        yield f"manifest.json: no case covers equation {min(orphans)}"
    listed = {case["file"] for case in cases}
    for path in sorted((golden / "vectors").rglob("*")):
        if path.is_file() and path.relative_to(golden).as_posix() not in listed:
            yield f"{path.relative_to(golden)}: not in the manifest"


def variable_length(kind: h5py.h5t.TypeID) -> bool:
    """Whether an element type holds references to data elsewhere in the file."""
    return kind.detect_class(h5py.h5t.VLEN) or (isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str())


def forbidden(group: h5py.Group) -> Iterator[str]:
    """Links that are not hard, external storage and variable-length data: a file must not hold any."""
    for name in group.attrs:
        if variable_length(group.attrs.get_id(name).get_type()):
            yield f"attribute {name} of {group.name} has variable length"
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            yield f"{group.name}/{name} is not a hard link"
        elif isinstance(node := group[name], h5py.Group):
            yield from forbidden(node)
        elif node.external or variable_length(node.id.get_type()):
            yield f"{node.name} has external storage or variable length"
        elif any(variable_length(node.attrs.get_id(key).get_type()) for key in node.attrs):
            yield f"an attribute of {node.name} has variable length"


def tolerance_of(attributes: h5py.AttributeManager, rule: Json) -> tuple[float, float]:
    """The tolerances of the float and the double path by FORMAT.md's rule, from the measurements in the file."""
    scale = attributes["scale"]
    spread = max(attributes[name] for name in attributes if name.startswith("spread_"))
    floor = rule["floor_ulps"] * 2.0**-23 * scale
    return float(max(rule["spread_factor"] * spread, floor)), float(rule["double_relative"] * scale)


def tensor_faults(name: str, group: h5py.Group, tensor: Json, rule: Json) -> Iterator[str]:
    """Where one expected dataset is not what the manifest says, or the judge does not tell right from wrong."""
    attributes, value = group[name].attrs, group[name][()]
    stated = (list(value.shape), str(value.dtype), attributes["judge"].decode(), attributes["confirmed_by"].decode())
    if stated != (tensor["shape"], tensor["dtype"], tensor["judge"], ",".join(tensor["confirmed_by"])):
        yield f"{name}: shape, type, judge or confirmation is {stated} in the file and something else in the manifest"
        return
    if tensor["judge"] in ("rounded", "none"):
        yield from rounding_faults(name, group, rule)
        return
    if judge(value, value, tensor) != 0:
        yield f"{name}: the stored value does not pass its own judge"
    if tensor["judge"] == "exact":
        if value.size and judge(value, 2 * value + 1, tensor) <= 1:
            yield f"{name}: a wrong value passes the judge"
        return
    agreements = [attributes[key] for key in attributes if key.startswith("agreement_")]
    if not agreements or max(agreements) > rule["agreement_limit"]:
        yield f"{name}: the confirmations in the file are missing or differ too much"
    measured = group[scaled_by(name, group)][()]
    largest = np.abs(measured[np.isfinite(measured)]).max(initial=0)
    if attributes["scale"] != (1.0 if tensor["judge"] == "relative" else largest or 1.0):
        yield f"{name}: scale {attributes['scale']} is not the largest finite magnitude"
    tolerances = tensor["tolerance"]["float"], tensor["tolerance"]["double"]
    if tolerances != (ruled := tolerance_of(attributes, rule)):
        yield f"{name}: tolerances {tolerances} do not follow from the file, which gives {ruled}"
    for precision, tolerance in zip(("float", "double"), tolerances, strict=True):
        step = 1.5 * tolerance * (np.abs(value) if tensor["judge"] == "relative" else 1.0)
        if np.isfinite(value).any() and not judge(value, value + step, tensor, precision) > 1:
            yield f"{name}: an error of 1.5 tolerances passes the judge"


def rounding_faults(name: str, group: h5py.Group, rule: Json) -> Iterator[str]:
    """Where a rounded tensor and its margin do not belong together, or a wrong value passes the judge."""
    if (stem := rounding_of(name, group)) is None or {f"{stem}.unrounded", f"{stem}.margin"} - group.keys():
        yield f"{name}: its unrounded values or its margins are missing"
        return
    value, unrounded, margin = (group[key][()] for key in (stem, f"{stem}.unrounded", f"{stem}.margin"))
    clear = np.isinf(margin)
    if not (margin >= 0).all() or not np.array_equal(value[clear], unrounded[clear]):
        yield f"{name}: a margin is negative, or infinite where a value was rounded"
    for tolerance in tolerance_of(group[f"{stem}.unrounded"].attrs, rule):
        if judge_rounded(value, value, unrounded, margin, tolerance) != 0:
            yield f"{name}: the stored value does not pass its own judge"
        wrong = value + 1.5 * tolerance
        if value.size and not judge_rounded(value, wrong, unrounded, margin, tolerance) > 1:
            yield f"{name}: an error of 1.5 tolerances passes the judge"


def selection_faults(expected: dict[str, np.ndarray], k: int) -> Iterator[str]:
    """Where a selection or margin does not follow from the index scores: score descending, then index ascending."""
    rows = zip(expected["index_scores"], expected["selection"], expected["margin"], strict=True)
    for token, (scores, selected, margin) in enumerate(rows):
        order = [s for s in np.argsort(-scores, kind="stable") if np.isfinite(scores[s])]
        if [*selected[selected >= 0]] != order[:k] or (selected[len(order[:k]) :] != -1).any():
            yield f"selection: row {token} is {selected.tolist()}, the scores give {[int(s) for s in order[:k]]}"
        gap = scores[order[k - 1]] - scores[order[k]] if len(order) > k else np.inf
        if margin != gap:
            yield f"margin: token {token} has {margin}, the scores give {gap}"


def case_faults(entry: Json, manifest: Json, golden: Path) -> Iterator[str]:
    """What is wrong with one case: its file, its attributes, its expected tensors."""
    path = golden / entry["file"]
    if not path.exists():
        yield "the file is missing"
        return
    if path.stat().st_size != entry["bytes"]:
        yield f"the file has {path.stat().st_size} bytes, the manifest says {entry['bytes']}"
    try:
        with h5py.File(path, "r") as file:
            found = list(forbidden(file))
        if found:
            yield from found
            return
        _, parameters, _, _, expected = read_case(entry["id"], golden)
    except (ValueError, OSError) as error:
        yield str(error)
        return
    if expected.keys() != entry["tensors"].keys():
        yield f"the file expects {sorted(expected)}, the manifest {sorted(entry['tensors'])}"
        return
    if margins := judged_margins(expected):
        smallest = min(expected[name].min() for name in margins)
        if float(entry["smallest_margin"]) != smallest:
            yield f"smallest_margin is {entry['smallest_margin']}, the file says {smallest}"
    if "index_scores" in expected:
        yield from selection_faults(expected, int(parameters["index_topk"]))
    with h5py.File(path, "r") as file:
        names = {"case": "id", "preset": "preset", "component": "component", "operation": "operation",
                 "description": "description", "expected_error": "expected_error"}  # fmt: skip
        for name, key in names.items():
            stored = file.attrs[name].decode() if name in file.attrs else None
            if stored != entry[key]:
                yield f"attribute {name} is {stored!r} in the file and {entry[key]!r} in the manifest"
        if file.attrs["seed"] != entry["seed"]:
            yield f"seed is {file.attrs['seed']} in the file and {entry['seed']} in the manifest"
        for name, tensor in entry["tensors"].items():
            yield from tensor_faults(name, file["expected"], tensor, manifest["tolerance_rule"])


def faults(golden: Path) -> Iterator[str]:
    """Every fault of the folder; the schema first, since the rest relies on it."""
    manifest = json.loads((golden / "manifest.json").read_text())
    found = False
    for fault in schema_faults(manifest, golden):
        found = True
        yield fault
    if found:
        return
    yield from listing_faults(manifest, golden)
    yield from budget_faults(manifest, golden)
    for entry in manifest["cases"]:
        yield from (f"{entry['id']}: {fault}" for fault in case_faults(entry, manifest, golden))
    if (golden / "read_case.py").read_text().strip() not in (golden / "README.md").read_text():
        yield "README.md: it quotes another read_case.py than the one beside it"


def main() -> int:
    golden = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else GOLDEN
    if not (golden / "manifest.json").exists():
        print(f"fault: there is no manifest.json in {golden}", file=sys.stderr)
        return 1
    found = list(faults(golden))
    for fault in found:
        print(f"fault: {fault}", file=sys.stderr)
    if found:
        return 1
    print(f"checked {len(json.loads((golden / 'manifest.json').read_text())['cases'])} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
