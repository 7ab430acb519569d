"""Generator C, common ground: 80-bit reals (64-bit mantissa), and what attention and whole models do with them.

Axes: c head or model width, i index head width; "..." is any number of axes before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from oracle_scalar import Arrays

Extended = np.longdouble
Array = np.ndarray  # of extended reals, unless said otherwise

assert np.finfo(Extended).nmant >= 63, "this generator needs a long double of at least 80 bits"


def extended(arrays: Arrays) -> Arrays:
    """The real arrays at their exact values in extended precision; integers as they are."""
    return {name: a.astype(Extended) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def extended_from_mp(values: Sequence) -> Array:
    """mpmath reals as extended ones: the nearest float64, and what it leaves over."""
    reals = np.array(values, dtype=object)
    nearest = reals.astype(np.float64)
    return nearest.astype(Extended) + (reals - nearest).astype(np.float64)


def stacked(rows: Sequence[Array], width: int) -> Array:
    """Rows [width] -> [number of rows, width], also when there is none."""
    return np.array(rows, dtype=Extended).reshape(len(rows), width)


def padded(rows: Sequence[Sequence], width: int, fill: float) -> Array:
    """Rows of at most `width` numbers -> [number of rows, width], `fill` behind each row."""
    return np.array([[*row, *[fill] * (width - len(row))] for row in rows]).reshape(len(rows), width)


def unit_rms(x: Array, norm_epsilon: float) -> Array:
    """x / sqrt(mean(x^2) + norm_epsilon) over the last axis: [..., c] -> [..., c]."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + norm_epsilon)


def butterfly(x: Array) -> Array:
    """The unscaled Hadamard transform, H [a | b] = [H (a + b) | H (a - b)]: [..., i] -> [..., i], i a power of two."""
    if x.shape[-1] == 1:
        return x
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([butterfly(a + b), butterfly(a - b)], axis=-1)


def hadamard(x: Array) -> Array:
    """H x / sqrt(i), its own inverse: [..., i] -> [..., i]."""
    return butterfly(x) / np.sqrt(Extended(x.shape[-1]))
