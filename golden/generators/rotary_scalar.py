"""Generator C, rotary embedding: rotation is multiplication by exp(i angle).

The only float64 (or float32) arithmetic is that of frequencies and angles, where the format prescribes it.
Axes: c head width, r rotary dims, the last of c; "..." is any number of axes before them.
"""

from __future__ import annotations

import math

import numpy as np
from extended_scalar import Array, Extended
from oracle_scalar import Arrays


def rotary_frequencies(parameters: dict, weights: Arrays) -> np.ndarray:
    """The frequencies [r/2] in the type in which angles are formed: float32 (the stored table) or float64."""
    if parameters["angles"] == "float32":
        return weights["frequency_table"].astype(np.float32)
    r, theta = int(parameters["rope_dims"]), float(parameters["theta"])
    plain = [theta ** (-2 * j / r) for j in range(r // 2)]
    original_length = int(parameters["yarn_original_length"])
    if original_length == 0:
        return np.array(plain)

    def correction_index(rotations: float) -> float:
        return r * math.log(original_length / (2 * math.pi * rotations)) / (2 * math.log(theta))

    factor = float(parameters["yarn_factor"])
    low = min(max(math.floor(correction_index(float(parameters["yarn_beta_fast"]))), 0), r - 1)
    high = min(max(math.ceil(correction_index(float(parameters["yarn_beta_slow"]))), 0), r - 1)
    width = high - low or 0.001
    smooth = [1 - min(max((j - low) / width, 0.0), 1.0) for j in range(r // 2)]
    return np.array([f / factor * (1 - s) + f * s for f, s in zip(plain, smooth, strict=True)])


def rotated(x: Array, position: int, frequencies: np.ndarray, direction: int = 1) -> Array:
    """z_j exp(+-i angle_j) on the last r dims, z_j = x_2j + i x_2j+1: [..., c] -> [..., c].

    The angle is a number of the type of the frequencies; only its exponential is extended.
    """
    angles = (frequencies.dtype.type(position) * frequencies).astype(Extended)
    turned = x.copy()
    pairs = turned[..., -2 * len(angles) :].view(np.clongdouble)
    pairs *= np.exp(direction * 1j * angles)
    return turned
