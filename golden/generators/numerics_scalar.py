"""Generator C, numerics: where a path rounds, in the order of FORMAT.md.

Between the points arithmetic is extended; each point takes the extended value straight to its format.
Axes: c head or model width, r rotary dims, i index head width; "..." is any number of axes before them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from extended_scalar import Array, Extended, unit_rms
from oracle_scalar import Outputs
from precision_scalar import FP4, FP8, CodedFormat, bf16, margins, quantized

MODES = ("exact", "simulated", "deployed")
LINEAR_BLOCK, CACHE_BLOCK, INDEX_BLOCK = 128, 64, 32


class Rounded(NamedTuple):
    """A tensor that a cache holds in a coded format, with what it was before and how far that was from a boundary."""

    value: Array
    unrounded: Array
    margin: Array


def judged(name: str, tensor: Rounded) -> Outputs:
    """The three tensors by which FORMAT.md judges a rounded one."""
    return {name: tensor.value, f"{name}.unrounded": tensor.unrounded, f"{name}.margin": tensor.margin}


def not_rounded(x: Array) -> Rounded:
    return Rounded(x, x, np.full(x.shape, np.inf, dtype=Extended))


def rounded_in_rows(form: CodedFormat, x: Array, columns: int) -> Rounded:
    """Blocks of one row along the last axis: [..., c] -> [..., c]."""
    rows, block = x.reshape(-1, x.shape[-1]), (1, columns)
    values, distances = quantized(form, rows, block).values, margins(form, rows, block)
    return Rounded(values.reshape(x.shape), x, distances.reshape(x.shape))


class Numerics:
    """The rounding points of one mode: `exact` has none, `simulated` those of the caches, `deployed` all."""

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"numerics {mode} is not one of {', '.join(MODES)}")
        self.simulates_caches, self.deployed = mode != "exact", mode == "deployed"

    @classmethod
    def of(cls, parameters: dict) -> Numerics:
        """That of a case; absent, it is exact."""
        return cls(parameters.get("numerics", "exact"))

    def activation(self, x: Array) -> Array:
        """What leaves a module, or a step of one that ends in a BF16 tensor."""
        return bf16(x) if self.deployed else x

    def linear_input(self, x: Array) -> Array:
        """What enters a linear map with FP8 or FP4 weights: [c] -> [c]."""
        return quantized(FP8, x[None], (1, LINEAR_BLOCK)).values[0] if self.deployed else x

    def norm(self, x: Array, weight: Array, norm_epsilon: float) -> Array:
        """RMSNorm with a weight: [c] -> [c]."""
        return self.activation(unit_rms(x, norm_epsilon) * weight)

    def head_norm(self, x: Array, norm_epsilon: float) -> Array:
        """RMSNorm of query heads, without a weight; deployed, every step of it leaves a BF16: [h,c] -> [h,c]."""
        if not self.deployed:
            return unit_rms(x, norm_epsilon)
        mean_square = bf16(bf16(x * x).mean(axis=-1, keepdims=True))
        return bf16(x * bf16(1 / np.sqrt(bf16(mean_square + norm_epsilon))))

    def cache_entry(self, entry: Array, rotary_dims: int) -> Rounded:
        """A window or compressed entry as the cache holds it: all but the rotary dims in FP8: [c] -> [c]."""
        if not self.simulates_caches:
            return not_rounded(entry)
        plain, rotary = np.split(entry, [len(entry) - rotary_dims])
        parts = zip(rounded_in_rows(FP8, plain, CACHE_BLOCK), not_rounded(rotary), strict=True)
        return Rounded(*map(np.concatenate, parts))

    def index_operand(self, x: Array) -> Rounded:
        """An index query or key, already transformed: [..., i] -> [..., i]."""
        return rounded_in_rows(FP4, self.activation(x), INDEX_BLOCK) if self.simulates_caches else not_rounded(x)
