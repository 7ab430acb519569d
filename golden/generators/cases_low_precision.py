"""Cases of component `low-precision` (report 2.3.4 and 5.2.1): rounding, codes, block quantization and its inverse.

Axes: N numbers, R rows, C columns. Inputs are float32, so that the neighbours of a tie are one float32 ulp away.
"""

import numpy as np

from case import Array, Case, bfloat16, case_id, normal
from cases_refused import refused

COMPONENT = "low-precision"
QUANTIZATION, DEPLOYED = "5.2.1-block-quantization", "5.2.1-deployed-activations"
ENTRIES, INDEX = "2.3.4-entry-precision", "2.3.4-index-precision"
FP8, FP4, BF16, UE8M0 = "fp8-e4m3", "fp4-e2m1", "bf16", "ue8m0"
FP8_SMALLEST, FP8_LARGEST, FP4_LARGEST = 2.0**-9, 448.0, 6.0
EQUATIONS = {FP8: (QUANTIZATION, ENTRIES), FP4: (QUANTIZATION, INDEX), BF16: (DEPLOYED,), UE8M0: (QUANTIZATION,)}
BF16_ULP_BITS = 0x10000  # of float32, whose lower half BF16 drops


def magnitudes(number_format: str) -> Array:
    """All magnitudes of a format in order, 0 included."""
    if number_format == FP4:
        return np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    denormal = FP8_SMALLEST * np.arange(8)
    normals = [2.0**exponent * (1 + np.arange(8) / 8) for exponent in range(-6, 9)]
    return np.concatenate([denormal, *normals])[:-1]  # the last code is NaN


def both_signs(x: Array) -> Array:
    return np.concatenate([x, -x]).astype(np.float32)


def neighbours(x: Array) -> Array:
    """The float32 numbers just below and just above each."""
    x = np.atleast_1d(x).astype(np.float32)
    return np.concatenate([np.nextafter(x, np.float32(-np.inf)), np.nextafter(x, np.float32(np.inf))])


def from_bits(bits: Array) -> Array:
    return np.asarray(bits).astype(np.uint32).view(np.float32)


# Rounding


def round_case(name: str, number_format: str, x: Array, description: str, seed: int = 0) -> Case:
    return Case(case_id(COMPONENT, f"tiny/round-{name}"), "round", description, EQUATIONS[number_format], seed,
                {"format": number_format}, {"x": np.asarray(x, dtype=np.float32)})  # fmt: skip


def code_rounding_cases(short: str, number_format: str, seed: int) -> list[Case]:
    """FP8 or FP4: every code, every tie, both neighbours of every tie, and numbers of all sizes."""
    values = magnitudes(number_format)
    ties = (values[:-1] + values[1:]) / 2
    rng = np.random.default_rng(seed)
    low, high = np.log2(values[1]) - 3, np.log2(values[-1])
    sizes = 2 ** rng.uniform(low, high, size=256) * rng.choice([-1, 1], size=256)
    return [
        round_case(f"{short}-codes", number_format, both_signs(values), "Every number that the format has, zeros of "
                   "both signs too; shows a table or an exponent that is off."),
        round_case(f"{short}-ties", number_format, both_signs(ties), "The middle between every two neighbouring codes; "
                   "shows ties rounded up, away from zero, to zero or to odd."),
        round_case(f"{short}-beside-ties", number_format, both_signs(neighbours(ties)), "One float32 ulp below and "
                   "above every tie; shows rounding in two steps, and a comparison of rounded numbers."),
        round_case(f"{short}-all-sizes", number_format, sizes, "Numbers from below the smallest code to the largest; "
                   "shows truncation, and denormal codes flushed to zero.", seed),
    ]  # fmt: skip


def fp8_edges() -> list[Case]:
    last = np.float32(FP8_LARGEST)
    beyond = [FP8_LARGEST, 449, 463, 464, 465, 479, 480, 512, 1e4, 65504, 3e38, np.inf]
    small = np.array([FP8_SMALLEST / 2, FP8_SMALLEST, 3 * FP8_SMALLEST / 2, 7.5 * FP8_SMALLEST, 2.0**-6])
    around = np.concatenate([small, neighbours(small), [0, 1e-45, 1e-38, 2.0**-11, 1e-6, 2.0**-10 * 1.999]])
    return [
        round_case("fp8-saturation", FP8, both_signs(np.concatenate([beyond, neighbours(last)])), "From 448 to "
                   "infinity; shows NaN or infinity where the deployed cast saturates, and 240 or 480 as the largest "
                   "value."),
        round_case("fp8-small", FP8, both_signs(around), "Around half the smallest code, the denormal codes and the "
                   "smallest normal one, and down to float32 denormals; shows denormals flushed to zero, and the sign "
                   "of a zero lost."),
        round_case("fp8-nan", FP8, np.array([1.1, np.nan, -1.1, -np.nan, 500]), "NaN between ordinary numbers; shows "
                   "NaN that saturates to 448, and NaN that spreads."),
    ]  # fmt: skip


def fp4_edges() -> list[Case]:
    beyond = np.array([5, 5.5, 6, 6.5, 7, 8, 100, 3e38, np.inf])
    small = np.array([0, 1e-45, 1e-38, 1e-3, 0.2, 0.25, 0.3, 0.75])
    return [
        round_case("fp4-saturation", FP4, both_signs(np.concatenate([beyond, neighbours(beyond[:3])])), "From 5, the "
                   "last tie, to infinity; shows 6 missing from the table, and infinity that becomes 0."),
        round_case("fp4-small", FP4, both_signs(np.concatenate([small, neighbours(small[1:])])), "Below 0.25 all is "
                   "zero, with its sign, and 0.25 too; shows a tie rounded up to 0.5."),
    ]  # fmt: skip


def bf16_cases() -> list[Case]:
    rng = np.random.default_rng(7103)
    exponents = rng.integers(1, 254, size=64).astype(np.uint32) << 23
    upper = exponents | (rng.integers(0, 128, size=64).astype(np.uint32) << 16)
    tie = upper | 0x8000
    carry = np.array([0x3FFF8000, 0x3FFF7FFF, 0x3FFF8001, 0x40FFFFFF, 0x007F8000, 0x007FFFFF])
    denormal = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0x10000, 0x17FFF, 0x18000, 0x18001, 0x28000, 0x7F0000, 0x7F7FFF])
    overflow = np.array([0x3F800000, 0x7F7F0000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7F8001, 0x7F7FFFFF, 0x7F800000])
    nan = np.array([0x3F818000, 0x7FC00000, 0x7F800001, 0xFFC00000, 0xFF80FFFF, 0x3F828000])
    return [
        round_case("bf16-ties", BF16, both_signs(from_bits(np.concatenate([tie, [0x3F808000, 0x3F818000]]))), "The "
                   "middle between two numbers, at many exponents; shows ties rounded up, away from zero, or cut "
                   "off.", 7103),
        round_case("bf16-beside-ties", BF16, both_signs(from_bits(np.concatenate([tie - 1, tie + 1]))), "One float32 "
                   "ulp below and above ties; shows the upper half of the bits taken as they are.", 7103),
        round_case("bf16-carry", BF16, both_signs(from_bits(carry)), "Roundings that carry into the exponent, from the "
                   "last denormal to the first normal number too; shows a carry lost."),
        round_case("bf16-denormals", BF16, both_signs(from_bits(denormal)), "Denormals and zeros; shows denormals "
                   "flushed to zero, and the sign of a zero lost."),
        round_case("bf16-overflow", BF16, both_signs(from_bits(overflow)), "The largest finite number, the tie above "
                   "it, which goes to infinity, and infinity; shows a cast that saturates."),
        round_case("bf16-nan", BF16, from_bits(nan), "NaN of several patterns, one of them zero in its upper half; "
                   "shows NaN rounded to infinity, and a carry that turns it into a number."),
        round_case("bf16-all-sizes", BF16, from_bits(upper | rng.integers(0, BF16_ULP_BITS, size=64).astype(np.uint32)),
                   "Numbers of all exponents; shows truncation.", 7103),
    ]  # fmt: skip


def rounding_cases() -> list[Case]:
    codes = code_rounding_cases("fp8", FP8, 7101) + code_rounding_cases("fp4", FP4, 7102)
    return codes + fp8_edges() + fp4_edges() + bf16_cases()


# Decoding


def decode_case(name: str, number_format: str, codes: Array, description: str) -> Case:
    return Case(case_id(COMPONENT, f"tiny/decode-{name}"), "decode", description, EQUATIONS[number_format], 0,
                {"format": number_format}, {"codes": codes.astype(np.int64)})  # fmt: skip


def decoding_cases() -> list[Case]:
    return [
        decode_case("fp8", FP8, np.arange(256), "All 256 codes; shows infinities where E4M3 has none, a largest value "
                    "of 240, another exponent bias, and denormals left out."),
        decode_case("fp4", FP4, np.arange(16), "All 16 codes; shows the table of another 4-bit format, or the sign at "
                    "another bit."),
        decode_case("ue8m0", UE8M0, np.arange(256), "All 256 scale bytes; shows a byte taken for a number, byte 0 "
                    "taken for 0, and byte 255 taken for 2^128."),
        decode_case("fp8-shuffled", FP8, np.random.default_rng(0).permutation(256)[:40], "Codes in no order; shows a "
                    "position taken for a code."),
    ]  # fmt: skip


# Block quantization


def quantize_case(
    name: str, number_format: str, block: tuple[int, int], x: Array, description: str, seed: int = 0,
    equations: tuple[str, ...] | None = None,
) -> Case:  # fmt: skip
    parameters = {"format": number_format, "block_rows": block[0], "block_columns": block[1]}
    return Case(case_id(COMPONENT, f"tiny/quantize-{name}"), "quantize", description,
                equations or EQUATIONS[number_format], seed, parameters,
                {"x": np.asarray(x, dtype=np.float32)})  # fmt: skip


def at_scale_boundaries(largest: float, exponents: list[int], width: int) -> Array:
    """A row for each exponent e, and one for its neighbour above: the largest magnitude is `largest` * 2^e. "
    "[2E,width]"""
    rng = np.random.default_rng(7204)
    rows = []
    for exponent in exponents:
        top = np.float32(largest * 2.0**exponent)
        for first in (top, np.nextafter(top, np.float32(np.inf))):
            row = (rng.uniform(-1, 1, size=width) * top).astype(np.float32)
            row[rng.integers(width)] = first * rng.choice([-1, 1]).astype(np.float32)
            rows.append(row)
    return np.stack(rows)


def activation_cases() -> list[Case]:
    """Blocks of one row, as the inputs of linear maps (128), entries (64) and the index path (32) have them."""

    def random(seed: int, rows: int, columns: int) -> Array:
        rng = np.random.default_rng(seed)
        return bfloat16(normal(rng, rows, columns) * 2.0 ** rng.integers(-4, 5, size=(rows, 1)))

    boundaries8 = at_scale_boundaries(FP8_LARGEST, [-12, -3, -1, 0, 1, 7, 30], 32)
    boundaries4 = at_scale_boundaries(FP4_LARGEST, [-60, -3, -1, 0, 1, 7, 60], 32)
    columns_apart = random(7206, 3, 128) * np.repeat(np.float32([1, 64, 1 / 64, 1024]), 32)
    return [
        quantize_case("fp8-128", FP8, (1, 128), random(7201, 3, 256), "Activations in blocks of 1 x 128, two to a row; "
                      "shows one scale for a row or for the tensor, and a scale that is no power of two.", 7201,
                      (QUANTIZATION, DEPLOYED)),
        quantize_case("fp8-64", FP8, (1, 64), random(7202, 3, 192), "Entries in blocks of 1 x 64; shows blocks of 128.",
                      7202, (ENTRIES,)),
        quantize_case("fp4-32", FP4, (1, 32), random(7203, 4, 96), "Index queries in blocks of 1 x 32; shows blocks of "
                      "16 or 64, and E4M3 scales.", 7203, (INDEX,)),
        quantize_case("fp8-scale-boundary", FP8, (1, 32), boundaries8,
                      "The largest magnitude is 448 times a power of two, or one float32 ulp more; shows a scale from "
                      "a logarithm that is off by a step, and a scale rounded to nearest or down.", 7204),
        quantize_case("fp4-scale-boundary", FP4, (1, 32), boundaries4,
                      "The largest magnitude is 6 times a power of two, or one float32 ulp more; shows a scale that is "
                      "off by a step, and a division by 8.", 7204),
        quantize_case("fp8-scale-apart", FP8, (1, 32), columns_apart, "Neighbouring blocks of sizes 65536 apart; "
                      "shows the scale of the block beside.", 7206),
        quantize_case("fp4-scale-apart", FP4, (1, 32), columns_apart, "Neighbouring blocks of sizes 65536 apart; "
                      "shows the scale of the block beside.", 7206),
    ]  # fmt: skip


def special_blocks() -> list[Case]:
    """Floors, zeros, signs, outliers and ties."""
    rng = np.random.default_rng(7211)
    row = normal(rng, 32)
    row /= np.abs(row).max()
    tiny8 = np.stack([row * np.float32(size) for size in (1.001e-4, 1e-4, 9e-5, 5e-5, 1e-6, 1e-30, 1e-45)])
    tiny4 = np.stack([row * np.float32(size) for size in (2.0**-120, 6 * 2.0**-126, 5 * 2.0**-126, 2.0**-127, 1e-44)])
    zeros = np.zeros((3, 64), dtype=np.float32)
    zeros[1, 5:40] = -0.0
    zeros[2, 32:] = row
    outlier = np.tile(row, (2, 2))
    outlier[0, 7], outlier[1, 40] = 3000, -1e6
    huge = np.stack([row * np.float32(3e38), row * np.float32(1e38)])
    negative = -np.abs(normal(rng, 2, 64)) - np.float32(0.01)

    def ties(number_format: str, width: int) -> Array:
        """Blocks of scale 1/4, whose numbers over the scale are ties."""
        values = magnitudes(number_format)
        middle = (values[:-1] + values[1:]) / 2
        numbers = np.concatenate([middle, -middle, np.full(-2 * len(middle) % width, values[-1])])
        blocks = numbers.reshape(-1, width) / 4
        blocks[:, 0] = values[-1] / 4
        return blocks

    return [
        quantize_case("fp8-floor", FP8, (1, 32), tiny8, "Largest magnitudes about and below 1e-4, where the scale "
                      "stays; shows the floor left out, which divides by 0 or gives ever smaller scales.", 7211),
        quantize_case("fp4-floor", FP4, (1, 32), tiny4, "Largest magnitudes about and below 6 2^-126, where the scale "
                      "stays at 2^-126; shows the FP8 floor, and the floor left out.", 7211),
        quantize_case("fp8-zeros", FP8, (1, 32), zeros, "Blocks of zeros of both signs beside an ordinary one; shows "
                      "0/0, and the sign of a zero lost.", 7211),
        quantize_case("fp4-zeros", FP4, (1, 32), zeros, "Blocks of zeros of both signs beside an ordinary one; shows "
                      "0/0, and the sign of a zero lost.", 7211),
        quantize_case("fp8-negative", FP8, (1, 32), negative, "Negative numbers only; shows the maximum of the numbers "
                      "for that of the magnitudes.", 7211),
        quantize_case("fp4-negative", FP4, (1, 32), negative, "Negative numbers only; shows the maximum of the numbers "
                      "for that of the magnitudes.", 7211),
        quantize_case("fp8-outlier", FP8, (1, 64), outlier, "One number a block is thousands of times larger, so that "
                      "the others become denormal codes or zero; shows denormal codes flushed to zero.", 7211),
        quantize_case("fp4-outlier", FP4, (1, 64), outlier, "One number a block is thousands of times larger, so that "
                      "the others become zeros of both signs.", 7211),
        quantize_case("fp8-huge", FP8, (1, 32), huge, "Numbers near the largest float32; shows a scale that overflows.",
                      7211),
        quantize_case("fp8-ties", FP8, (1, 32), ties(FP8, 32), "Numbers that are ties after the division by the scale; "
                      "shows ties rounded away from zero, and a product with an inexact reciprocal."),
        quantize_case("fp4-ties", FP4, (1, 32), ties(FP4, 32), "Numbers that are ties after the division by the scale; "
                      "shows ties rounded away from zero."),
    ]  # fmt: skip


def weight_cases() -> list[Case]:
    """Blocks of several rows, with ragged edges in FP8."""

    def random(seed: int, rows: int, columns: int) -> Array:
        rng = np.random.default_rng(seed)
        sizes = 2.0 ** rng.integers(-6, 7, size=(-(-rows // 4), -(-columns // 4)))
        spread = np.kron(sizes, np.ones((4, 4)))[:rows, :columns]
        return bfloat16(normal(rng, rows, columns) * spread.astype(np.float32))

    large = random(7221, 130, 140)
    large[:128, :128] *= 2.0**-9
    return [
        quantize_case("fp8-weight", FP8, (128, 128), large, "A weight of 130 x 140 in blocks of 128 x 128 with ragged "
                      "edges; shows edges left out, padded with foreign numbers, or one scale a row.", 7221),
        quantize_case("fp8-weight-inside", FP8, (128, 128), random(7222, 6, 10), "A weight smaller than a block; "
                      "shows a block that has to be whole.", 7222),
        quantize_case("fp8-weight-small-blocks", FP8, (4, 8), random(7223, 10, 20), "Blocks of 4 x 8 in 10 x 20, "
                      "ragged on both sides; shows rows and columns of a block exchanged.", 7223),
        quantize_case("fp8-weight-rows", FP8, (3, 4), random(7224, 8, 8), "Blocks of 3 x 4, ragged below only; shows "
                      "rows and columns of scales exchanged.", 7224),
        quantize_case("fp4-weight", FP4, (1, 32), random(7225, 5, 64), "An expert's weight in blocks of 1 x 32; shows "
                      "blocks along the columns.", 7225),
        quantize_case("fp4-weight-rows", FP4, (2, 32), random(7226, 5, 64), "FP4 blocks of two rows, ragged below; "
                      "shows blocks of one row taken for granted.", 7226),
    ]  # fmt: skip


# Dequantization


def dequantize_case(
    name: str, number_format: str, block: tuple[int, int], codes: Array, scale_bytes: Array, description: str,
    seed: int = 0,
) -> Case:  # fmt: skip
    parameters = {"format": number_format, "block_rows": block[0], "block_columns": block[1]}
    inputs = {"codes": codes.astype(np.int64), "scale_bytes": scale_bytes.astype(np.int64)}
    return Case(case_id(COMPONENT, f"tiny/dequantize-{name}"), "dequantize", description, EQUATIONS[number_format],
                seed, parameters, inputs)  # fmt: skip


def dequantization_cases() -> list[Case]:
    rng = np.random.default_rng(7301)
    finite = np.setdiff1d(np.arange(256), [0x7F, 0xFF])
    wide = np.array([0, 1, 100, 110, 119, 120, 126, 127, 128, 140, 200, 245])
    near_one = np.array([0x38, 0xB8, 0x3F, 0x01, 0x81, 0x00, 0x80, 0x30])
    extreme = np.array([[0, 255, 127, 254, 1]])
    pairs = np.arange(256).reshape(16, 16)
    asymmetric = np.frombuffer(bytes.fromhex("12 21 7F F7 08 80 3C C3 56 65 19 91 A0 0A E4 4E"), dtype=np.uint8)
    return [
        dequantize_case("fp8-all-codes", FP8, (1, 16), np.arange(256).reshape(4, 64),
                        rng.integers(110, 140, size=(4, 4)), "All 256 codes, NaN too, under 16 scales; shows another "
                        "exponent bias, and NaN taken for a number.", 7301),
        dequantize_case("fp8-scale-bytes", FP8, (1, 8), rng.choice(finite, size=(2, 48)), wide.reshape(2, 6), "Scale "
                        "bytes from 0 to 245; shows a byte taken for a float, 2^-127 flushed to zero, and scales "
                        "brought into a narrow range.", 7301),
        dequantize_case("fp8-extreme-scales", FP8, (1, 8), np.tile(near_one, (1, 5)), extreme, "Scale bytes 0, 255, "
                        "which is NaN, and 254; shows NaN lost, infinity for 2^127, and 0 for 2^-127."),
        dequantize_case("fp8-weight", FP8, (128, 128), rng.choice(finite, size=(130, 132)),
                        np.array([[120, 127], [110, 130]]), "A weight of 130 x 132 in blocks of 128 x 128; shows the "
                        "scale of a neighbouring block at the ragged edges.", 7301),
        dequantize_case("fp8-small-blocks", FP8, (3, 4), rng.choice(finite, size=(7, 10)),
                        rng.integers(115, 135, size=(3, 3)), "Blocks of 3 x 4 in 7 x 10; shows rows and columns of a "
                                     "block or of the scales exchanged.", 7301),
        dequantize_case("fp4-all-bytes", FP4, (1, 32), pairs, rng.integers(110, 140, size=(16, 1)), "All 256 bytes, "
                        "two codes each, low nibble first; shows the high nibble first, and half of the codes lost.",
                        7301),
        dequantize_case("fp4-nibbles", FP4, (1, 32), np.stack([asymmetric, asymmetric[::-1]]), np.array([[127], [128]]),
                        "Bytes of unlike nibbles at scale 1 and 2, to follow by eye; shows the high nibble first."),
        dequantize_case("fp4-scale-bytes", FP4, (1, 32), rng.integers(0, 256, size=(2, 96)), wide.reshape(2, 6),
                        "Scale bytes from 0 to 245; shows a byte taken for a float or for an E4M3 number, and scales "
                        "brought into a narrow range.", 7301),
        dequantize_case("fp4-nan-scale", FP4, (1, 32), rng.integers(0, 256, size=(1, 48)), np.array([[127, 255, 119]]),
                        "Scale byte 255 between two others makes its block NaN; shows NaN taken for 2^128.", 7301),
        dequantize_case("fp4-weight-rows", FP4, (2, 32), rng.integers(0, 256, size=(5, 32)),
                        rng.integers(110, 140, size=(3, 2)), "FP4 blocks of two rows, ragged below; shows one row a "
                                     "block taken for granted.", 7301),
    ]  # fmt: skip


# Refusals


def quantization_refusals() -> list[Case]:
    rng = np.random.default_rng(7401)
    x = normal(rng, 2, 32)
    with_nan, infinite = x.copy(), x.copy()
    with_nan[1, 3], infinite[0, 2] = np.nan, -np.inf

    def quantize(name: str, number_format: str, block: tuple[int, int], x: Array, description: str, error: str) -> Case:
        parameters = {"format": number_format, "block_rows": block[0], "block_columns": block[1]}
        return refused(COMPONENT, f"quantize-{name}", "quantize", (QUANTIZATION,), parameters, {"x": x}, description,
                       f"quantize: {error}")  # fmt: skip

    return [
        quantize("fp8-columns", FP8, (1, 128), normal(rng, 2, 100), "Activations of 100 columns in blocks of 128; an "
                 "engine that takes it reads beyond the row or leaves columns out.",
                 "the block of 128 columns does not divide 100 columns"),
        quantize("fp4-columns", FP4, (1, 32), normal(rng, 2, 40), "FP4 blocks of 32 in 40 columns.",
                 "the block of 32 columns does not divide 40 columns"),
        quantize("fp4-weight-columns", FP4, (2, 32), normal(rng, 4, 40), "FP4 blocks of two rows: only FP8 weights may "
                 "be ragged.", "the block of 32 columns does not divide 40 columns"),
        quantize("nan", FP8, (1, 32), with_nan, "One NaN; an engine that takes it makes a whole block NaN.",
                 "x holds"),
        quantize("infinity", FP8, (1, 32), infinite, "One infinity, for which there is no scale.", "x holds"),
        quantize("fp4-nan", FP4, (1, 32), with_nan, "One NaN, which FP4 cannot hold.", "x holds"),
        quantize("no-block", FP8, (1, 0), x, "A block without columns.", "block_columns must be at least 1, got 0"),
    ]  # fmt: skip


def code_refusals() -> list[Case]:
    def decode(name: str, number_format: str, codes: list[int], description: str, error: str) -> Case:
        return refused(COMPONENT, f"decode-{name}", "decode", (QUANTIZATION,), {"format": number_format},
                       {"codes": np.array(codes, dtype=np.int64)}, description, f"decode: {error}")  # fmt: skip

    def dequantize(name: str, number_format: str, codes: Array, scales: Array, description: str, error: str) -> Case:
        parameters = {"format": number_format, "block_rows": 1, "block_columns": 32}
        inputs = {"codes": codes.astype(np.int64), "scale_bytes": scales.astype(np.int64)}
        return refused(COMPONENT, f"dequantize-{name}", "dequantize", (QUANTIZATION,), parameters, inputs, description,
                       f"dequantize: {error}")  # fmt: skip

    one = np.full((1, 1), 127)
    wide_code = np.full((1, 32), 7)
    wide_code[0, 4] = 256
    return [
        refused(COMPONENT, "round-fp4-nan", "round", (QUANTIZATION,), {"format": FP4},
                {"x": np.array([1, np.nan], dtype=np.float32)}, "A NaN, for which FP4 has no code; an engine that "
                "takes it makes 0 or 6 of it.", "round: fp4-e2m1 cannot hold NaN"),
        decode("fp8-code", FP8, [3, 256], "A code of nine bits.", "code 256 is outside"),
        decode("fp4-code", FP4, [3, 16], "A byte of two codes where one is asked for.", "code 16 is outside"),
        decode("negative-code", FP8, [-1, 3], "Code -1, as signed bytes have it.", "code -1 is outside"),
        dequantize("scale-shape", FP8, np.full((1, 32), 7), np.full((1, 2), 127), "Two scales for one block.",
                   "scale_bytes has shape"),
        dequantize("code", FP8, wide_code, one, "A code of nine bits.", "code 256 is outside"),
        dequantize("scale-byte", FP8, np.full((1, 32), 7), np.full((1, 1), 256), "A scale byte of nine bits.",
                   "scale byte 256 is outside"),
        dequantize("fp4-columns", FP4, np.full((1, 20), 7), np.full((1, 2), 127), "Forty FP4 codes in blocks of 32.",
                   "the block of 32 columns does not divide 40 columns"),
    ]  # fmt: skip


def low_precision_cases() -> list[Case]:
    cases = rounding_cases() + decoding_cases() + activation_cases() + special_blocks() + weight_cases()
    return cases + dequantization_cases() + quantization_refusals() + code_refusals()
