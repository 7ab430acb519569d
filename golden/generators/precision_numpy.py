"""Generator B: BF16, FP8 and FP4 with the casts of `ml_dtypes`, block quantization, where the released model rounds.

Axes: R rows, C columns, N numbers, r rotary dims, c head width. `[...]` in a docstring is a shape.

Every function takes float32 or float64 numbers and gives the same type back. Run as a script, the module shows that
each cast rounds once, from both types, at every boundary between two codes.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import ml_dtypes
import numpy as np

from oracle_numpy import Arithmetic, Array, Tensors

SMALLEST_SCALE_EXPONENT = -126
LINEAR_BLOCK, ENTRY_BLOCK, INDEX_BLOCK = 128, 64, 32  # columns that share a scale


# Formats


@dataclass(frozen=True)
class Format:
    """A format of at most 16 bits; `smallest_amax` stands in for a smaller amax of a block."""

    name: str
    dtype: type
    codes: int
    largest: float
    smallest_amax: float = 0.0

    def decode(self, codes: Array) -> Array:
        """The numbers of some codes, as stored in this format."""
        if codes.size and (codes.min() < 0 or codes.max() >= self.codes):
            raise ValueError(f"a code of {self.name} is not in 0 ... {self.codes - 1}")
        return codes.astype(np.uint16 if self.codes > 256 else np.uint8).view(self.dtype)

    def magnitudes(self) -> Array:
        """Every finite magnitude, ascending; its place is its code. float64"""
        with np.errstate(invalid="ignore"):
            values = self.decode(np.arange(self.codes // 2)).astype(np.float64)
        return values[np.isfinite(values)]

    def boundaries(self) -> Array:
        """The magnitudes half-way between neighbours, where the rounded value changes. float64"""
        magnitudes = self.magnitudes()
        return (magnitudes[:-1] + magnitudes[1:]) / 2


BF16 = Format("bf16", ml_dtypes.bfloat16, 2**16, np.inf)
FP8 = Format("fp8-e4m3", ml_dtypes.float8_e4m3fn, 2**8, 448.0, float(np.float32(1e-4)))
FP4 = Format("fp4-e2m1", ml_dtypes.float4_e2m1fn, 2**4, 6.0, 6 * 2.0**SMALLEST_SCALE_EXPONENT)
UE8M0 = Format("ue8m0", ml_dtypes.float8_e8m0fnu, 2**8, 2.0**127)
FORMATS = {format.name: format for format in (BF16, FP8, FP4, UE8M0)}


# Rounding


def rounded_to_odd(x: Array) -> Array:
    """float64 cut off to float32, its last bit set where something was cut off.

    Rounding that to nearest in a format at least two bits shorter is rounding x once; `ml_dtypes` takes float64 through
    the nearest float32, which would be rounding twice.
    """
    with np.errstate(over="ignore"):
        nearest = x.astype(np.float32)
    cut = np.where(np.abs(nearest) > np.abs(x), np.nextafter(nearest, np.float32(0)), nearest)
    return (cut.view(np.uint32) | (cut != x)).astype(np.uint32).view(np.float32)


def cast(format: Format, x: Array) -> Array:
    """x in a format, to nearest, ties to even; beyond the largest value, that one (BF16: infinity)."""
    if format is FP4 and np.isnan(x).any():
        raise ValueError("FP4 has no NaN")
    x = np.clip(x, -format.largest, format.largest)
    return (rounded_to_odd(x) if x.dtype == np.float64 else x).astype(format.dtype)


def bf16(x: Array) -> Array:
    """x rounded to BF16."""
    return cast(BF16, x).astype(x.dtype)


# Block quantization


def block_scales(format: Format, amax: Array) -> Array:
    """The smallest power of two that is at least amax / largest, and at least 2^-126."""
    fraction, exponent = np.frexp(np.maximum(amax, amax.dtype.type(format.smallest_amax)))
    largest_fraction, largest_exponent = np.frexp(format.largest)
    exponent = exponent - largest_exponent + (fraction > largest_fraction)
    return np.ldexp(np.ones_like(amax), np.maximum(exponent, SMALLEST_SCALE_EXPONENT))


def over_blocks(scales: Array, shape: tuple[int, int], rows: int, columns: int) -> Array:
    """The scale of each element. scales [ceil(R/rows),ceil(C/columns)] -> [R,C]"""
    return scales.repeat(rows, axis=0)[: shape[0]].repeat(columns, axis=1)[:, : shape[1]]


def check_blocks(format: Format, width: int, rows: int, columns: int) -> None:
    """Blocks of one row and those of FP4 have to divide the columns."""
    if (rows == 1 or format is FP4) and width % columns:
        raise ValueError(f"blocks of {columns} do not divide {width} columns")


@dataclass(frozen=True)
class Quantized:
    """A matrix in blocks: amax and scale of each block, code of each element."""

    format: Format
    x: Array
    amax: Array
    scales: Array
    element_scales: Array
    codes: Array

    def values(self) -> Array:
        """Decoded code x scale. [R,C]"""
        return self.codes.astype(self.x.dtype) * self.element_scales

    def margins(self) -> Array:
        """The distance of each number to the nearest boundary between two values, its block's scale given. [R,C]"""
        magnitude = np.abs(self.x) / self.element_scales
        boundaries = self.format.boundaries().astype(self.x.dtype)
        above = np.searchsorted(boundaries, magnitude)
        neighbours = [boundaries[np.clip(above - side, 0, len(boundaries) - 1)] for side in (0, 1)]
        return np.minimum(*(np.abs(magnitude - boundary) for boundary in neighbours)) * self.element_scales

    def scale_margins(self) -> Array:
        """The distance of each amax to the nearest one with another scale. [ceil(R/rows),ceil(C/columns)]"""
        smallest = block_scales(self.format, np.zeros_like(self.amax))
        top = self.format.largest * self.scales
        return np.minimum(top - self.amax, np.where(self.scales > smallest, self.amax - top / 2, np.inf))

    def smallest_margin(self) -> float:
        """Of all codes and scales; infinite without any."""
        return float(min(self.margins().min(initial=np.inf), self.scale_margins().min(initial=np.inf)))


def quantized(format: Format, x: Array, rows: int, columns: int) -> Quantized:
    """x in blocks of rows x columns: scales from the amax of each block, code = cast(x / scale). x [R,C]"""
    check_blocks(format, x.shape[1], rows, columns)
    if not np.isfinite(x).all():
        raise ValueError("block quantization needs finite numbers")
    amax = np.abs(x)
    for axis, size in enumerate((rows, columns)):
        amax = np.maximum.reduceat(amax, np.arange(0, x.shape[axis], size), axis=axis)
    scales = block_scales(format, amax)
    element_scales = over_blocks(scales, x.shape, rows, columns)
    return Quantized(format, x, amax, scales, element_scales, cast(format, x / element_scales))


def row_blocks(format: Format, x: Array, block: int) -> Quantized:
    """x [...,C] as a matrix of rows, in blocks of 1 x block."""
    return quantized(format, x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1]), 1, block)


def largest_magnitude(x: Array) -> float:
    """0 without any number."""
    return float(np.abs(x).max(initial=0))


def fp8_blocks(x: Array, block: int) -> Array:
    """x rounded to FP8 in blocks along the last axis. [...,C]"""
    return row_blocks(FP8, x, block).values().reshape(x.shape)


def fp4_blocks(x: Array, block: int) -> Array:
    """x rounded to FP4 in blocks along the last axis. [...,C]"""
    return row_blocks(FP4, x, block).values().reshape(x.shape)


# Numerics: where the released model rounds


@dataclass(frozen=True)
class Simulated(Arithmetic):
    """Rounds what the released code would hold in caches.

    `clearances` gathers, of each FP8 or FP4 rounding, the smallest margin as a share of the tensor's largest magnitude.
    """

    clearances: list[float] = field(default_factory=list)

    def blocks(self, format: Format, x: Array, block: int, largest: float) -> tuple[Array, Array]:
        """Values and margins of x, of a tensor of that magnitude, in blocks along the last axis. [...,C] each"""
        matrix = row_blocks(format, x, block)
        self.clearances.append(matrix.smallest_margin() / largest if largest > 0 else np.inf)
        return matrix.values().reshape(x.shape), matrix.margins().reshape(x.shape)

    def cached_entries(self, name: str, x: Array, rotary_dims: int) -> Tensors:
        """FP8 in the dims that do not rotate. x [N,c]"""
        fixed, rotary = np.split(x, [x.shape[-1] - rotary_dims], axis=-1)
        values, margins = self.blocks(FP8, fixed, ENTRY_BLOCK, largest_magnitude(x))
        margins = np.concatenate([margins, np.full_like(rotary, np.inf)], axis=-1)
        return {name: np.concatenate([values, rotary], axis=-1), f"{name}.unrounded": x, f"{name}.margin": margins}

    def cached_index(self, name: str, x: Array) -> Tensors:
        """FP4 in all dims. x [...,i]"""
        x = self.bf16(x)
        values, margins = self.blocks(FP4, x, INDEX_BLOCK, largest_magnitude(x))
        return {name: values, f"{name}.unrounded": x, f"{name}.margin": margins}


@dataclass(frozen=True)
class Deployed(Simulated):
    """Rounds activations to BF16 and inputs of quantized linear maps to FP8, too."""

    deployed = True

    def bf16(self, x: Array) -> Array:
        return bf16(x)

    def linear_input(self, x: Array) -> Array:
        return self.blocks(FP8, x, LINEAR_BLOCK, largest_magnitude(x))[0]


NUMERICS = {"exact": Arithmetic, "simulated": Simulated, "deployed": Deployed}


def arithmetic_of(numerics: str, dtype: np.dtype | type, permutation_seed: int | None) -> Arithmetic:
    """The arithmetic of a run; with a seed every axis is summed in a random order."""
    generator = None if permutation_seed is None else np.random.default_rng(permutation_seed)
    return NUMERICS[numerics](np.dtype(dtype), generator)


# Operations


def round_to_format(arithmetic: Arithmetic, parameters: dict, inputs: Tensors) -> Tensors:
    """Each number alone, without a scale."""
    return {"rounded": cast(FORMATS[parameters["format"]], inputs["x"]).astype(arithmetic.dtype)}


def decode(arithmetic: Arithmetic, parameters: dict, inputs: Tensors) -> Tensors:
    """The number of each code."""
    return {"values": FORMATS[parameters["format"]].decode(inputs["codes"]).astype(arithmetic.dtype)}


def quantize(arithmetic: Arithmetic, parameters: dict, inputs: Tensors) -> Tensors:
    """A matrix to blocks: scales, codes, and the values that these stand for."""
    rows, columns = int(parameters["block_rows"]), int(parameters["block_columns"])
    matrix = quantized(FORMATS[parameters["format"]], inputs["x"], rows, columns)
    codes = matrix.codes.view(np.uint8).astype(np.int64)
    return {"scales": matrix.scales, "codes": codes, "values": matrix.values()}


def unpacked(packed: Array) -> Array:
    """The two codes of each byte, low nibble first. [R,C/2] -> [R,C]"""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), 2 * packed.shape[1])


def dequantize(arithmetic: Arithmetic, parameters: dict, inputs: Tensors) -> Tensors:
    """Stored bytes and stored scales to values."""
    format, rows, columns = parameters["format"], int(parameters["block_rows"]), int(parameters["block_columns"])
    codes = unpacked(inputs["codes"]) if format == FP4.name else inputs["codes"]
    check_blocks(FORMATS[format], codes.shape[1], rows, columns)
    scales = UE8M0.decode(inputs["scale_bytes"]).astype(arithmetic.dtype)
    if scales.shape != (-(-codes.shape[0] // rows), -(-codes.shape[1] // columns)):
        raise ValueError(f"scales {scales.shape} do not belong to blocks of {rows} x {columns} in {codes.shape}")
    values = FORMATS[format].decode(codes).astype(arithmetic.dtype)
    return {"values": values * over_blocks(scales, codes.shape, rows, columns)}


MODEL = {"round": round_to_format, "decode": decode, "quantize": quantize, "dequantize": dequantize}


def run(
    operation: str,
    parameters: dict,
    inputs: Tensors,
    weights: Tensors,
    *,
    dtype: np.dtype | type = np.float64,
    permutation_seed: int | None = None,
) -> Tensors:
    """The expected tensors of one operation, reals in dtype. Nothing is summed, so a seed changes nothing."""
    arithmetic = arithmetic_of("exact", dtype, permutation_seed)
    return MODEL[operation](arithmetic, parameters, arithmetic.tensors(inputs))


# Self-check


def expect(what: str, got: Array, wanted: Array) -> None:
    """Raises an AssertionError unless all numbers are equal."""
    if not np.array_equal(got, wanted):
        raise AssertionError(f"{what}: {got} instead of {wanted}")


def check_cast(format: Format, dtype: type) -> None:
    """Values go to themselves, boundaries to the even code, the neighbours of these in dtype to either side."""
    magnitudes, boundaries = format.magnitudes(), format.boundaries().astype(dtype)
    lower, upper = magnitudes[:-1], magnitudes[1:]
    even = np.where(np.arange(len(lower)) % 2 == 0, lower, upper)
    what = f"{format.name} from {dtype.__name__}"
    for sign in (1, -1):
        for x, value in (
            (magnitudes.astype(dtype), magnitudes),
            (boundaries, even),
            (np.nextafter(boundaries, dtype(0)), lower),
            (np.nextafter(boundaries, dtype(np.inf)), upper),
            (np.array([3.4e38, np.inf], dtype), np.array([format.largest] * 2)),
        ):
            rounded = cast(format, sign * x).astype(np.float64)
            expect(what, rounded, sign * value)
            expect(f"{what}, signs", np.signbit(rounded), np.full(len(x), sign < 0))
    if format is not FP4:
        expect(f"{what}, NaN", np.isnan(cast(format, np.full(1, np.nan, dtype)).astype(dtype)), np.array([True]))


def check_scales(format: Format, dtype: type) -> None:
    """At and next to each boundary between two scales, against the definition in exact fractions."""
    boundaries = (format.largest * 2.0 ** np.arange(-140, 100)).astype(dtype)
    amax = np.stack([boundaries, np.nextafter(boundaries, dtype(0)), np.nextafter(boundaries, dtype(np.inf))])
    for value, scale in zip(amax.ravel(), block_scales(format, amax).ravel(), strict=True):
        quotient = max(Fraction(float(value)), Fraction(format.smallest_amax)) / Fraction(format.largest)
        least = Fraction(2) ** SMALLEST_SCALE_EXPONENT
        right = Fraction(float(scale)) >= quotient and (scale == least or Fraction(float(scale)) / 2 < quotient)
        expect(f"scale of {format.name} in {dtype.__name__} at {value}", np.array(right), np.array(True))


if __name__ == "__main__":
    for dtype in (np.float32, np.float64):
        for format in (BF16, FP8, FP4):
            check_cast(format, dtype)
        for format in (FP8, FP4):
            check_scales(format, dtype)
    print("every cast rounds once, at every boundary, from float32 and float64; every scale is the smallest allowed")
