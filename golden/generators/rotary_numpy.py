"""Generator B: rotary embedding, and the arithmetic that the attention operations share.

Axes: T tokens, c head width, r rotary dims, the last of c. `[...]` in a docstring is a shape. Positions count from 0.

Every sum is independent of the other tokens and entries: equal operands give equal results, so a tie is a tie, and
what a token sees does not depend on what comes after it.
"""

import numpy as np

from oracle_numpy import Arithmetic, Array, Tensors

COLUMNS = 4096  # of a matrix product at a time, to stay in cache


# Arithmetic


def project(arithmetic: Arithmetic, x: Array, weight: Array) -> Array:
    """W x, each token by itself. x [...,in], weight [...,out,in] -> [...,out]"""
    return arithmetic.contract(weight, x[..., None])[..., 0]


def dot(arithmetic: Arithmetic, a: Array, b: Array) -> Array:
    """sum_i a[m,i] b[i,n], one product after another in one order for all m and n. -> [m,n]"""
    order = range(len(b)) if arithmetic.generator is None else arithmetic.generator.permutation(len(b))
    result = np.zeros((len(a), b.shape[1]), arithmetic.dtype)
    for start in range(0, b.shape[1], COLUMNS):
        columns = slice(start, start + COLUMNS)
        for i in order:
            result[:, columns] += a[:, i, None] * b[i, columns]
    return result


def softmax(arithmetic: Arithmetic, x: Array, axis: int) -> Array:
    """exp(x) / sum exp(x) over one axis, which must hold a finite value; -infinity gets weight 0."""
    return arithmetic.normalize(np.exp(x - x.max(axis=axis, keepdims=True)), axis)


def project_quantized(arithmetic: Arithmetic, x: Array, weight: Array) -> Array:
    """W x where W is stored as FP8: what goes in and what comes out is rounded, where anything is."""
    return arithmetic.bf16(project(arithmetic, arithmetic.linear_input(x), weight))


def divide_by_rms(arithmetic: Arithmetic, x: Array, epsilon: np.floating) -> Array:
    """x / sqrt(mean(x^2) + epsilon) over the last axis."""
    mean_square = arithmetic.total(x * x, -1, keepdims=True) / x.shape[-1]
    return x / np.sqrt(mean_square + epsilon)


def rms_norm(arithmetic: Arithmetic, x: Array, weight: Array, epsilon: np.floating) -> Array:
    """RMSNorm with a weight."""
    return arithmetic.bf16(divide_by_rms(arithmetic, x, epsilon) * weight)


def head_norm(arithmetic: Arithmetic, x: Array, epsilon: np.floating) -> Array:
    """RMSNorm of query heads, without a weight; the deployed one rounds every step. x [T,h,c]"""
    if not arithmetic.deployed:
        return divide_by_rms(arithmetic, x, epsilon)
    squares = arithmetic.bf16(x * x)
    mean_square = arithmetic.bf16(arithmetic.total(squares, -1, keepdims=True) / x.shape[-1])
    reciprocal_rms = arithmetic.bf16(1 / np.sqrt(arithmetic.bf16(mean_square + epsilon)))
    return arithmetic.bf16(x * reciprocal_rms)


def hadamard(arithmetic: Arithmetic, x: Array) -> Array:
    """i^-1/2 H_i x, natural order: H_1 = (1), H_2i = ((H_i, H_i), (H_i, -H_i)). x [...,i] -> [...,i]"""
    width = x.shape[-1]
    matrix = np.ones((1, 1), arithmetic.dtype)
    while len(matrix) < width:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return project(arithmetic, x, matrix) * width**-0.5


# Rotary embedding


def rotary_frequencies(parameters: dict, weights: Tensors) -> Array:
    """f_j = theta^(-2j/r) in float64, interpolated by YaRN; or the stored table in float32. -> [r/2]

    YaRN divides f_j by `factor` where j is past the dims that turn `beta_slow` times over the original length, keeps
    it up to those that turn `beta_fast` times, and goes linearly between. It does not scale cos and sin.
    """
    if parameters["angles"] == "float32":
        return weights["frequency_table"].astype(np.float32)
    r, theta, length = parameters["rope_dims"], parameters["theta"], parameters["yarn_original_length"]
    j = np.arange(r // 2)
    frequencies = np.float64(theta) ** (-2 * j / r)
    if length == 0:
        return frequencies

    def dim_of(rotations: float) -> float:
        return r * np.log(length / (2 * np.pi * rotations)) / (2 * np.log(theta))

    low = np.clip(np.floor(dim_of(parameters["yarn_beta_fast"])), 0, r - 1)
    high = np.clip(np.ceil(dim_of(parameters["yarn_beta_slow"])), 0, r - 1)
    if low == high:
        high += 0.001
    smooth = 1 - np.clip((j - low) / (high - low), 0, 1)
    return frequencies / parameters["yarn_factor"] * (1 - smooth) + frequencies * smooth


def rotate(arithmetic: Arithmetic, x: Array, positions: Array, frequencies: Array, direction: int = 1) -> Array:
    """The last r dims in adjacent pairs (a, b) -> (a cos - b sin, a sin + b cos), by direction * position * frequency.

    The angle has the precision of the frequencies; its cos and sin are taken in float64, then rounded to dtype.
    x [T,...,c], positions [T], frequencies [r/2] -> [T,...,c]
    """
    half = len(frequencies)
    angles = direction * positions.astype(frequencies.dtype)[:, None] * frequencies
    angles = angles.astype(np.float64).reshape(len(x), *(1,) * (x.ndim - 2), half)
    cos, sin = np.cos(angles).astype(arithmetic.dtype), np.sin(angles).astype(arithmetic.dtype)
    fixed, rotary = np.split(x, [x.shape[-1] - 2 * half], axis=-1)
    a, b = rotary[..., 0::2], rotary[..., 1::2]
    rotated = np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1).reshape(rotary.shape)
    return arithmetic.bf16(np.concatenate([fixed, rotated], axis=-1))
