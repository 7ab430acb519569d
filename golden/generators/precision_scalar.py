"""Generator C, low precision: formats as sets of values, and block quantization.

A coded format is the list of the values of its codes, computed from the definition of its bits; a number is rounded by
comparing it with the boundaries half-way between neighbouring values. BF16 is arithmetic on exponent and mantissa. A
block scale is found from exponents, by exact comparison. Nothing here depends on a library that knows these formats.

Axes: N numbers; R, C rows and columns of a matrix. Names and shapes are those of FORMAT.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from extended_scalar import Array, Extended
from oracle_scalar import Arrays, Outputs

Block = tuple[int, int]  # rows, columns

BF16_MANTISSA_BITS = 8  # with the leading one
BF16_LEAST_EXPONENT = -125  # of the smallest normal number, as a fraction in [1/2, 1) times a power of two
BF16_LIMIT = Extended(2) ** 128  # what reaches it is infinite
LEAST_SCALE_EXPONENT = -126
SCALE_BIAS = 127
NOT_A_SCALE = 255


def run(operation: str, parameters: dict[str, Any], inputs: Arrays, weights: Arrays) -> Arrays:
    """The expected tensors of one case: float64 for reals, int64 for `codes`."""
    outputs = OPERATIONS[operation](parameters, inputs)
    return {name: np.array(v, dtype=np.int64 if name == "codes" else np.float64) for name, v in outputs.items()}


# --- Formats ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CodedFormat:
    """Sign, exponent and mantissa fields; codes of one sign are in the order of their magnitudes."""

    exponent_bits: int
    mantissa_bits: int
    bias: int
    has_nan: bool  # as the last code of either sign
    least_amax: float  # of a block, for its scale

    @property
    def sign_bit(self) -> int:
        return 1 << (self.exponent_bits + self.mantissa_bits)

    def magnitude(self, code: int) -> float:
        """The value of a code without its sign: m 2^(1 - bias) in the lowest binade, (1 + m) 2^(e - bias) above it."""
        if self.has_nan and code == self.sign_bit - 1:
            return math.nan
        exponent, mantissa = divmod(code, 1 << self.mantissa_bits)
        fraction = mantissa / (1 << self.mantissa_bits)
        return math.ldexp(fraction, 1 - self.bias) if exponent == 0 else math.ldexp(1 + fraction, exponent - self.bias)

    @cached_property
    def magnitudes(self) -> Array:
        """Of all numbers, ascending, each at the index of its code."""
        return np.array([self.magnitude(code) for code in range(self.sign_bit - self.has_nan)], dtype=Extended)

    @cached_property
    def boundaries(self) -> Array:
        """Half-way between neighbouring magnitudes, and infinities around: code j is between numbers j and j + 1."""
        between = (self.magnitudes[:-1] + self.magnitudes[1:]) / 2
        return np.array([-np.inf, *between, np.inf], dtype=Extended)

    def code_below(self, magnitudes: Array) -> np.ndarray:
        """The codes of the nearest values without sign, on a boundary the lower one."""
        return np.searchsorted(self.boundaries[1:-1], magnitudes, side="left")

    def encode(self, x: Array) -> np.ndarray:
        """The codes of the nearest values, on a boundary the even one of the two; beyond the last value, its code."""
        if not self.has_nan and np.isnan(x).any():
            raise ValueError("this format has no NaN")
        code = self.code_below(np.abs(x))
        on_boundary = np.isfinite(x) & (np.abs(x) == self.boundaries[code + 1])
        code = np.where(on_boundary, code + code % 2, code)
        code = np.where(np.isnan(x), self.sign_bit - 1, code)
        return code + np.signbit(x) * self.sign_bit

    def decode(self, codes: np.ndarray) -> Array:
        """The values of codes."""
        if ((codes < 0) | (codes >= 2 * self.sign_bit)).any():
            raise ValueError(f"a code is not in 0 ... {2 * self.sign_bit - 1}")
        magnitudes = np.append(self.magnitudes, [Extended(math.nan)] * self.has_nan)
        values = magnitudes[codes % self.sign_bit]
        return np.where(codes >= self.sign_bit, -values, values)

    def margin(self, x: Array) -> Array:
        """The distance of each number to the nearest boundary between two codes of different value."""
        code = self.code_below(np.abs(x))
        return np.minimum(np.abs(x) - self.boundaries[code], self.boundaries[code + 1] - np.abs(x))


FP8 = CodedFormat(exponent_bits=4, mantissa_bits=3, bias=7, has_nan=True, least_amax=float(np.float32(1e-4)))
FP4 = CodedFormat(exponent_bits=2, mantissa_bits=1, bias=1, has_nan=False, least_amax=6 * 2.0**-126)
FORMATS = {"fp8-e4m3": FP8, "fp4-e2m1": FP4}


def bf16(x: Array) -> Array:
    """The nearest multiple of 2^(exponent - 8), ties to even; infinite from 2^128 on."""
    _, exponent = np.frexp(x)
    quantum = np.ldexp(Extended(1), np.maximum(exponent, BF16_LEAST_EXPONENT) - BF16_MANTISSA_BITS)
    rounded = np.rint(x / quantum) * quantum
    return np.where(np.abs(rounded) >= BF16_LIMIT, np.copysign(Extended(np.inf), x), rounded)


def scale_values(scale_bytes: np.ndarray) -> Array:
    """UE8M0: 2^(b - 127), 255 is NaN."""
    if ((scale_bytes < 0) | (scale_bytes > NOT_A_SCALE)).any():
        raise ValueError("a scale is not in 0 ... 255")
    powers = np.ldexp(Extended(1), scale_bytes - SCALE_BIAS)
    return np.where(scale_bytes == NOT_A_SCALE, Extended(math.nan), powers)


# --- Block quantization ----------------------------------------------------------------------------------------------


def check_block(form: CodedFormat, block: Block, columns: int) -> None:
    """A block has to have elements, and a block of one row, and any of FP4, has to divide the columns."""
    if min(block) < 1:
        raise ValueError(f"a block of {block[0]} x {block[1]} has no elements")
    if columns % block[1] and (block[0] == 1 or form is FP4):
        raise ValueError(f"blocks of {block[1]} do not divide an axis of {columns}")


def block_scale(form: CodedFormat, amax: Extended) -> Extended:
    """The smallest power of two that is at least amax / largest value: for amax = f 2^e and largest value = F 2^E with
    fractions in [1/2, 1) it is 2^(e - E) if f <= F, else twice that."""
    fraction, exponent = np.frexp(max(amax, Extended(form.least_amax)))
    largest_fraction, largest_exponent = np.frexp(form.magnitudes[-1])
    power = int(exponent) - int(largest_exponent) + int(fraction > largest_fraction)
    return np.ldexp(Extended(1), max(power, LEAST_SCALE_EXPONENT))


def block_scales(form: CodedFormat, x: Array, block: Block) -> Array:
    """The scale of every block: [R,C] -> [block rows, block columns]; blocks may be ragged at the edges."""
    rows, columns = block
    if not np.isfinite(x).all():
        raise ValueError("a block with NaN or infinity has no scale")
    return np.array(
        [
            [
                block_scale(form, np.abs(x[top : top + rows, left : left + columns]).max())
                for left in range(0, x.shape[1], columns)
            ]
            for top in range(0, x.shape[0], rows)
        ],
        dtype=Extended,
    )


def over_elements(scales: Array, block: Block, shape: tuple[int, ...]) -> Array:
    """The scale of the block of each element: [block rows, block columns] -> [R,C]."""
    rows, columns = block
    return scales.repeat(rows, axis=0).repeat(columns, axis=1)[: shape[0], : shape[1]]


@dataclass(frozen=True)
class Quantized:
    """A matrix in blocks of codes with one scale each."""

    scales: Array
    codes: np.ndarray
    values: Array


def quantized(form: CodedFormat, x: Array, block: Block) -> Quantized:
    """x [R,C] in blocks: code = cast(x / scale), value = decoded code times scale."""
    check_block(form, block, x.shape[1])
    scales = block_scales(form, x, block)
    scale = over_elements(scales, block, x.shape)
    codes = form.encode(x / scale)
    return Quantized(scales, codes, form.decode(codes) * scale)


def margins(form: CodedFormat, x: Array, block: Block) -> Array:
    """The distance of each element to the nearest boundary of its block, in the units of x: [R,C] -> [R,C]."""
    scale = over_elements(block_scales(form, x, block), block, x.shape)
    return form.margin(x / scale) * scale


# --- Operations ------------------------------------------------------------------------------------------------------


def round_numbers(parameters: dict, inputs: Arrays) -> Outputs:
    """Each number to the nearest value of a format: [N] -> [N]."""
    with np.errstate(invalid="ignore"):  # of a signaling NaN, which stays a NaN
        x = inputs["x"].astype(Extended)
    if parameters["format"] == "bf16":
        return {"rounded": bf16(x)}
    form = FORMATS[parameters["format"]]
    return {"rounded": form.decode(form.encode(x))}


def decode(parameters: dict, inputs: Arrays) -> Outputs:
    """The value of each code: [N] -> [N]."""
    if parameters["format"] == "ue8m0":
        return {"values": scale_values(inputs["codes"])}
    return {"values": FORMATS[parameters["format"]].decode(inputs["codes"])}


def block_of(parameters: dict) -> Block:
    return int(parameters["block_rows"]), int(parameters["block_columns"])


def quantize(parameters: dict, inputs: Arrays) -> Outputs:
    """Scales, codes and values of a matrix: [R,C]."""
    result = quantized(FORMATS[parameters["format"]], inputs["x"].astype(Extended), block_of(parameters))
    return {"scales": result.scales, "codes": result.codes, "values": result.values}


def dequantize(parameters: dict, inputs: Arrays) -> Outputs:
    """The values of stored bytes, FP4 two to a byte, the low half first: -> [R,C]."""
    form, block, codes = FORMATS[parameters["format"]], block_of(parameters), inputs["codes"]
    if form is FP4:
        if ((codes < 0) | (codes > 255)).any():
            raise ValueError("a byte is not in 0 ... 255")
        codes = np.stack([codes % 16, codes // 16], axis=-1).reshape(len(codes), -1)
    check_block(form, block, codes.shape[1])
    scales = scale_values(inputs["scale_bytes"])
    if scales.shape != tuple(-(-size // step) for size, step in zip(codes.shape, block, strict=True)):
        raise ValueError(f"scales {scales.shape} do not fit a matrix {codes.shape} in blocks {block}")
    return {"values": form.decode(codes) * over_elements(scales, block, codes.shape)}


OPERATIONS = {"round": round_numbers, "decode": decode, "quantize": quantize, "dequantize": dequantize}
