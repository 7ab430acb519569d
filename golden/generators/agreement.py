"""Runs the three oracles on a case and measures how well each expected tensor is known.

The stored value is oracle B in float64. A and C have to agree with it to AGREEMENT_LIMIT, and at least one of them has
to be there. Float32 runs of A and B say how far single precision strays from it; tolerances follow from that.
"""

import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np

import attention_numpy
import attention_scalar
import model_numpy
import model_scalar
import oracle_numpy
import oracle_scalar
import precision_numpy
import precision_scalar
from case import MARGIN_FLOOR, Array, Case, Tensors, judged_margins, rounding_of, scaled_by

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from read_case import judge_rounded  # noqa: E402

AGREEMENT_LIMIT = 1e-13
SPREAD_FACTOR = 4
FLOOR_ULPS = 4
ULP = 2.0**-23
DOUBLE_RELATIVE = 1e-12
PERMUTATIONS = range(1, 9)  # seeds of the eight runs with summation in another order

RELATIVE = {
    "affinity": {"scores"},
    "router": {"scores", "weights"},
    "hash-router": {"scores", "weights"},
    "mixture": {"weights"},
    "rotary": {"frequencies"},
}
EXACT = {"indices", "selection"}
EXACT_COMPONENTS = {"harness", "low-precision"}
WITHOUT_EVIDENCE = {"exact", "rounded", "none"}  # judges of tensors that have neither scale nor spreads of their own
PRECISION = {"round", "decode", "quantize", "dequantize"}
WHOLE = {"model", "mtp"}


class Fault(Exception):
    """A case that must not be stored; the sentence names the case and the tensor."""


@dataclass(frozen=True)
class Oracle:
    """A generator: modules for reports 2.1 and 2.2 and the harness, for 2.3, for whole models, for low precision."""

    core: ModuleType
    attention: ModuleType
    model: ModuleType
    precision: ModuleType | None = None  # A has none

    def module(self, operation: str) -> ModuleType | None:
        if operation in PRECISION:
            return self.precision
        if operation in WHOLE:
            return self.model
        return self.attention if operation in attention_numpy.MODEL else self.core

    def run(self, case: Case, **options: object) -> Tensors:
        """The expected tensors; names that start with "_" are for the search of seeds, and left out."""
        results = self.module(case.operation).run(case.operation, case.parameters, case.inputs, case.weights, **options)
        return {name: value for name, value in results.items() if not name.startswith("_")}


ORACLE_B = Oracle(oracle_numpy, attention_numpy, model_numpy, precision_numpy)
ORACLE_C = Oracle(oracle_scalar, attention_scalar, model_scalar, precision_scalar)


def covered_by_a(case: Case) -> bool:
    """Whether the public library computes what the case asks for: it rounds nowhere and has no MTP block."""
    unrounded = case.parameters.get("numerics", "exact") == "exact"
    plain = case.parameters.get("weight_format", "float32") == "float32"
    return unrounded and plain and case.operation not in PRECISION | {"mtp"}


def judge_of(case: Case, name: str, names: Tensors) -> str:
    """The measure of FORMAT.md for one expected tensor of `names`: exact, relative, absolute, rounded or none."""
    if name.split(".")[-1] in EXACT or case.operation == "expand" or case.component in EXACT_COMPONENTS:
        return "exact"
    if rounding_of(name, names):
        return "rounded" if f"{name}.unrounded" in names else "none"
    return "relative" if name in RELATIVE.get(case.operation, ()) else "absolute"


def same(truth: Array, other: Array) -> bool:
    """Whether all values are equal, the signs of zeros too."""
    if truth.dtype.kind != "f":
        return np.array_equal(truth, other)
    numbers = ~np.isnan(truth)
    return np.array_equal(truth, other, equal_nan=True) and np.array_equal(
        np.signbit(truth[numbers]), np.signbit(other[numbers])
    )


def distance(judge: str, truth: Array, other: Array, what: str) -> float:
    """How far `other` is from `truth`: the largest error over finite elements, absolute or relative.

    Raises a Fault if shapes, NaN or infinity positions, or exact values differ.
    """
    if truth.shape != other.shape:
        raise Fault(f"{what}: shape {other.shape} against {truth.shape}")
    if judge == "exact":
        if not same(truth, other):
            raise Fault(f"{what}: values differ from the stored ones, which have to be exact")
        return 0.0
    truth, other = truth.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(truth)
    if not np.array_equal(truth[~finite], other[~finite], equal_nan=True) or not np.isfinite(other[finite]).all():
        raise Fault(f"{what}: NaN or infinity is not where the stored value has it")
    error = np.abs(other[finite] - truth[finite])
    if judge == "relative":
        error = error / np.abs(truth[finite])
    return float(error.max(initial=0.0))


@dataclass
class Expected:
    """One expected tensor and the evidence for it. Agreements are multiples of `scale`; spreads are in the measure."""

    value: Array
    judge: str
    scale: float = 1.0
    agreements: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)

    @property
    def confirmed_by(self) -> list[str]:
        return sorted(self.agreements)

    def tolerance(self) -> dict[str, float | str] | None:
        """FORMAT.md's rule, and which of its terms won. None for tensors that have no tolerance of their own."""
        if self.judge in WITHOUT_EVIDENCE:
            return None
        name, spread = max(self.spreads.items(), key=lambda item: item[1])
        floor = FLOOR_ULPS * ULP * self.scale
        if SPREAD_FACTOR * spread > floor:
            basis = f"{SPREAD_FACTOR} x {name} {spread:.2g}"
        else:
            basis = f"floor: {FLOOR_ULPS} ulp of scale {self.scale:.2g}"
        return {
            "float": max(SPREAD_FACTOR * spread, floor),
            "double": DOUBLE_RELATIVE * self.scale,
            "basis": basis,
        }


def scale_of(judge: str, value: Array) -> float:
    """The largest finite magnitude; 1 for `relative`, and where nothing is finite or all that is finite is 0.

    The last covers tensors without elements (no whole block, no entry) and heads whose sink takes all the attention.
    """
    if judge in ("exact", "relative"):
        return 1.0
    return float(np.abs(value[np.isfinite(value)]).max(initial=0)) or 1.0


def run_b(case: Case, dtype: type = np.float64, seed: int | None = None) -> Tensors:
    """Oracle B; single precision may underflow on purpose, and some inputs are NaN."""
    with np.errstate(under="ignore", invalid="ignore"):
        return ORACLE_B.run(case, dtype=dtype, permutation_seed=seed)


def check_rounding(expected: dict[str, Expected], name: str, result: Array, what: str) -> None:
    """Where the expected value was rounded, another oracle has to find the same code."""
    rounded = np.isfinite(expected[f"{name}.margin"].value)
    if not same(expected[name].value[rounded], result[rounded]):
        raise Fault(f"{what}: a value was rounded to another code")


def add_agreements(case: Case, expected: dict[str, Expected], oracle: str, results: Tensors) -> None:
    """Compare a float64 run of A or C with the stored values."""
    for name, result in results.items():
        what = f"{case.id}: tensor {name}, oracle {oracle} in float64"
        if name not in expected:
            raise Fault(f"{what}: not a tensor of this operation")
        tensor = expected[name]
        if result.dtype != tensor.value.dtype:
            raise Fault(f"{what}: type {result.dtype} against {tensor.value.dtype}")
        agreement = distance(tensor.judge, tensor.value, result, what) / tensor.scale
        if not agreement <= AGREEMENT_LIMIT:
            raise Fault(f"{what}: differs by {agreement:.2g} of its scale, more than {AGREEMENT_LIMIT:g}")
        if tensor.judge == "rounded":
            check_rounding(expected, name, result, what)
        tensor.agreements[oracle] = agreement


def add_spread(case: Case, expected: dict[str, Expected], name: str, results: Tensors) -> None:
    """Measure a float32 run; the largest one counts where there are several of a name."""
    for key, result in results.items():
        tensor = expected[key]
        if tensor.judge in ("rounded", "none"):
            continue
        spread = distance(tensor.judge, tensor.value, result, f"{case.id}: tensor {key}, {name}")
        if tensor.judge != "exact":
            tensor.spreads[name] = max(spread, tensor.spreads.get(name, 0.0))


def check_rounded(case: Case, expected: dict[str, Expected], runs: list[Tensors]) -> None:
    """Float32 runs have to pass the judge of rounded tensors, whose tolerance follows from the same runs."""
    for name in (name for name, tensor in expected.items() if tensor.judge == "rounded"):
        parts = [expected[key].value for key in (f"{name}.unrounded", f"{name}.margin")]
        tolerance = expected[f"{name}.unrounded"].tolerance()["float"]
        worst = max(judge_rounded(expected[name].value, run[name], *parts, tolerance) for run in runs)
        if not worst <= 1:
            raise Fault(f"{case.id}: tensor {name}: a float32 run misses by {worst:.2g} tolerances")


def split_multiset(results: Tensors) -> tuple[Tensors, Array | None]:
    """Oracle A gives the selected scores in place of indices when scores tie; keep them apart."""
    tensors = dict(results)
    return tensors, tensors.pop("selection_multiset", None)


def check_multiset(case: Case, expected: dict[str, Expected], multiset: Array) -> None:
    """With ties, the selected scores are still defined: A's have to be those at the stored indices."""
    scores = run_b(case)["selection_scores"] if case.operation == "router" else routed(case)["selection_scores"]
    mine = np.take_along_axis(scores, expected["indices"].value, axis=-1)
    what = f"{case.id}: tensor indices, oracle A in float64"
    if distance("absolute", mine, multiset, what) > AGREEMENT_LIMIT * np.abs(scores).max():
        raise Fault(f"{what}: selects other scores")


def routed(case: Case) -> Tensors:
    """B's learned router on the inputs of a mixture."""
    return oracle_numpy.run("router", case.parameters, case.inputs, case.weights)


def measure(case: Case, oracle_a: Oracle | None) -> dict[str, Expected]:
    """Every expected tensor of a case with its evidence; {} for a case that has to be refused.

    With `exact` angles A's float32 run is no measure of float32: the library forms its angles in float32 all the same,
    and so strays in proportion to the position.
    """
    if case.expected_error is not None:
        return {}
    expected = {}
    values = run_b(case)
    for name, value in values.items():
        judge = judge_of(case, name, values)
        scale = scale_of(judge, values[scaled_by(name, values)])
        expected[name] = Expected(value, judge, scale)
    add_agreements(case, expected, "C", ORACLE_C.run(case))
    if not covered_by_a(case):
        oracle_a = None
    if oracle_a is not None:
        results, multiset = split_multiset(oracle_a.run(case, dtype="float64"))
        add_agreements(case, expected, "A", results)
        if multiset is not None:
            check_multiset(case, expected, multiset)
    if oracle_a is not None and case.parameters.get("angles") != "exact":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results, _ = split_multiset(oracle_a.run(case, dtype="float32"))
        add_spread(case, expected, "spread_a_float32", results)
    runs = [run_b(case, np.float32, seed) for seed in (None, *PERMUTATIONS)]
    for number, run in enumerate(runs):
        add_spread(case, expected, "spread_permuted_float32" if number else "spread_b_float32", run)
    check_rounded(case, expected, runs)
    for name, tensor in expected.items():
        if not tensor.agreements:
            raise Fault(f"{case.id}: tensor {name}: neither A nor C confirms it")
    return expected


def smallest_margin(case: Case, expected: dict[str, Expected]) -> float | str | None:
    """The smallest gap at the boundary of a selection by score; "inf" if nothing is rejected; None without one.

    Raises a Fault if the gap is not what the case says of its boundary.
    """
    if names := judged_margins(expected):
        parts = [expected[name] for name in names]
        margins = np.concatenate([part.value for part in parts])
        scale = max(part.scale for part in parts)
    elif expected and case.operation == "mixture" and "bias" in case.weights:
        routing = routed(case)
        margins, scale = routing["margin"], float(np.abs(routing["selection_scores"]).max())
    else:
        return None
    margin, floor = float(margins.min()), MARGIN_FLOOR * scale
    boundary = "tied" if margin == 0 else "clear" if margin > floor else "near"
    if boundary != case.boundary:
        raise Fault(f"{case.id}: tensor margin: {margin:.2g} is a {boundary} boundary, the case says {case.boundary}")
    return "inf" if margin == float("inf") else margin
