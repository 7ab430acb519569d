"""Comparisons that print what they compare and raise where it does not match: a wrong notebook cannot be built."""

import math
from typing import Any

import numpy as np

# Below this part of the largest value a difference of float64 sums depends on the machine, so it is not printed.
NOISE = 1e-12


class Mismatch(AssertionError):
    """Two numbers that should be the same are not."""


def number(value: Any) -> str:
    """At most 6 significant digits."""
    return f"{float(value):.6g}"


def compare(what: str, computed: Any, stored: Any, tolerance: float, unit: str = "", *, label: str = "stored") -> None:
    """Prints both (an array as smallest … largest value), their largest difference and that they match.

    - computed, stored: numbers or arrays of one shape; infinite values have to stand in the same places
    - tolerance: the largest difference that passes, in the unit of the values; 0 for the very same
    - label: what `stored` is, where it is not read from a file: "by hand", "other formula"

    Raises Mismatch where a difference is larger, a shape is another, a value is NaN or there are no values.
    """
    computed, stored = (numbers(what, values) for values in (computed, stored))
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise Mismatch(f"{what}: the tolerance is {tolerance}")
    if computed.shape != stored.shape:
        raise Mismatch(f"{what}: computed has shape {list(computed.shape)}, {label} {list(stored.shape)}")
    finite = np.isfinite(stored)
    if not np.array_equal(computed[~finite], stored[~finite]) or not np.isfinite(computed[finite]).all():
        raise Mismatch(f"{what}: infinite values stand in different places")
    difference = float(np.abs(computed[finite] - stored[finite]).max(initial=0))
    size = float(np.abs(stored[finite]).max(initial=0))
    line = (f"{what}{shape_text(stored)}: computed {span(computed, unit)}, {label} {span(stored, unit)}, "
            f"difference {difference_text(difference, size, tolerance)} (allowed {number(tolerance)})")
    if difference > tolerance:
        raise Mismatch(f"{line}: NO MATCH")
    print(f"{line}: match")


def published(what: str, computed: float, stated: float, rounding: float, unit: str = "", *,
              label: str = "published") -> None:
    """Prints `computed -> published -> match`.

    - rounding: the step to which the published number is rounded: 1 for "27 %", 0.1 for "3.7"
    - label: where the number stands, if it is not a publication: "documented"

    Raises Mismatch where the computed number does not round to the published one, or one is not finite.
    """
    values = [numbers(what, value) for value in (computed, stated, rounding)]
    if any(value.shape != () or not np.isfinite(value) for value in values) or values[2] <= 0:
        raise Mismatch(f"{what}: needs three finite numbers and a step above 0, got {computed}, {stated}, {rounding}")
    line = f"{what}: computed {with_unit(computed, unit)} -> {label} {with_unit(stated, unit)}"
    # Half a step, and what float64 makes of it.
    if abs(computed - stated) > rounding / 2 * (1 + 1e-9):
        raise Mismatch(f"{line} -> NO MATCH")
    print(f"{line} -> match")


def numbers(what: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise Mismatch(f"{what}: {array.dtype} is no real number")
    array = array.astype(np.float64)
    if array.size == 0:
        raise Mismatch(f"{what}: there are no values")
    if np.isnan(array).any():
        raise Mismatch(f"{what}: there is a NaN")
    return array


def with_unit(value: Any, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip()


def span(values: np.ndarray, unit: str) -> str:
    """Smallest … largest value, to 4 digits, so that a line stays short; a single number to 6."""
    if number(values.min()) == number(values.max()):
        return with_unit(values.min(), unit)
    return f"{values.min():.4g} … {values.max():.4g} {unit}".rstrip()


def shape_text(values: np.ndarray) -> str:
    return f" {list(values.shape)}" if values.shape else ""


def difference_text(difference: float, size: float, tolerance: float) -> str:
    """One digit of it; where it is only the rounding of this machine, that it is no more than that."""
    noise = min(NOISE * max(size, 1), tolerance)
    return f"{difference:.1g}" if difference > noise or tolerance == 0 else f"≤ {noise:.1g}"
