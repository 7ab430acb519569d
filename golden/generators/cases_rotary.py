"""Cases of component `rotary-embedding` (report 2.3.3): the rotation alone, forward and inverse, with and without YaRN.

Axes: T tokens, h heads, c head width, r rotary dims.

`exact` angles at long positions need frequencies without rounding error, or their last bit would decide: theta is then
a power of 2. The same data with `float32` angles are a case of their own, whose frequencies are stored.
"""

from dataclasses import replace

import numpy as np

from attention_inputs import Rotary
from case import Array, Case, bfloat16, case_id, eighths, normal

COMPONENT = "rotary-embedding"
SLIDING, COMPRESSED = Rotary(64, 10000.0), Rotary(64, 160000.0, 65536)
LONG = [0, 1, 4095, 65_535, 65_536, 131_071, 524_287, 1_000_003, 1_048_575]


def rotary_case(
    name: str, seed: int, rotary: Rotary, x: Array, positions: list[int], description: str, *, inverse: bool = False
) -> Case:
    """x [T,h,c] rotated at positions [T]."""
    return Case(
        id=case_id(COMPONENT, name),
        operation="rotary",
        description=description,
        equations=rotary.equations() + ("2.3.3-inverse-rotary",) * inverse,
        seed=seed,
        parameters={**rotary.parameters(), "direction": "inverse" if inverse else "forward"},
        inputs={"x": x, "positions": np.array(positions, dtype=np.int64)},
        weights=rotary.weights(),
    )


def normal_case(
    name: str, seed: int, rotary: Rotary, shape: tuple[int, int], positions: list[int], description: str, *,
    inverse: bool = False,
) -> Case:  # fmt: skip
    """h, c = `shape`, normal numbers; bfloat16 ones at published widths."""
    x = normal(np.random.default_rng(seed), len(positions), *shape)
    x = bfloat16(x) if name.startswith("published/") else x
    return rotary_case(name, seed, rotary, x, positions, description, inverse=inverse)


def small_cases() -> list[Case]:
    by_eye = eighths(np.random.default_rng(5001), 3, 1, 4)
    plain = Rotary(4)
    pairs = "shows pairs taken half a head apart and a sine with the other sign"
    return [
        rotary_case("tiny/rotary", 5001, plain, by_eye, [0, 1, 2], "Three tokens, one head of width 4, all numbers "
                    f"eighths, to follow by hand; {pairs}."),
        rotary_case("tiny/rotary-inverse", 5001, plain, by_eye, [0, 1, 2], "The same numbers turned back; shows an "
                    "inverse that turns forward, or is left out.", inverse=True),
        normal_case("tiny/rotary-position-zero", 5002, plain, (2, 6), [0], "Position 0 only, where nothing turns; "
                    "shows positions counted from 1."),
        normal_case("tiny/rotary-last-dims", 5003, Rotary(2), (2, 6), [3, 5, 8], "Two rotary dims of a head of 6; "
                    "shows the first dims rotated, or all of them."),
        normal_case("tiny/rotary-all-dims", 5004, Rotary(8), (2, 8), [1, 2, 7], "Every dim of a head of 8 is rotary; "
                    f"{pairs}."),
        normal_case("tiny/rotary-any-order", 5005, plain, (2, 6), [9, 0, 9, 4, 1], "Positions out of order and one "
                    "twice; shows positions taken from the row number."),
        normal_case("tiny/rotary-one-head", 5006, Rotary(6), (1, 8), [2, 11, 30], "One head, six rotary dims, three "
                    "frequencies; shows an exponent that is not -2j/r, such as -j/r or -2j/c."),
        normal_case("tiny/rotary-many-heads", 5007, plain, (8, 6), [1, 6], "Eight heads, turned alike; shows an angle "
                    "that depends on the head."),
    ]  # fmt: skip


def yarn_cases() -> list[Case]:
    yarn = Rotary(16, 10000.0, 4096, 8.0)
    clamped = Rotary(8, 10000.0, 16, 4.0)
    return [
        normal_case("tiny/rotary-yarn", 5021, yarn, (2, 20), [1, 40, 333], "YaRN with a ramp over several pairs; "
                    "shows YaRN left out, its ramp turned round, and cos and sin scaled."),
        normal_case("tiny/rotary-yarn-inverse", 5022, yarn, (2, 20), [1, 40, 333], "The inverse with YaRN; shows an "
                    "inverse with plain frequencies, or divided by an amplitude.", inverse=True),
        normal_case("tiny/rotary-yarn-position-zero", 5023, yarn, (2, 20), [0, 0], "YaRN at position 0, where an "
                    "amplitude other than 1 is all that could show."),
        normal_case("tiny/rotary-yarn-short", 5024, clamped, (2, 10), [0, 5, 50], "An original length of 16, so that "
                    "the lower bound of the ramp is clamped to 0; shows a bound below 0."),
        normal_case("tiny/rotary-yarn-equal-bounds", 5025, Rotary(4, 10000.0, 4, 4.0, 4.0, 2.0), (2, 6), [1, 5, 60],
                    "Both bounds of the ramp at 0, so that the upper one is raised by 0.001; "
                    "shows a division by 0."),
        normal_case("tiny/rotary-yarn-factor-one", 5026, Rotary(8, 10000.0, 64, 1.0), (2, 10), [1, 5, 50], "A factor "
                    "of 1 changes no frequency; shows a ramp that does not keep their sum."),
        normal_case("tiny/rotary-no-yarn", 5027, Rotary(8, 10000.0, 0, 16.0), (2, 10), [1, 5, 500], "Original length "
                    "0: no YaRN, and its factor is to be ignored; shows YaRN left on for sliding layers."),
    ]  # fmt: skip


def odd_cases() -> list[Case]:
    odd = Rotary(6, 500.0, 100, 5.5, 4.0, 0.5)
    exact = Rotary(32, 65536.0, 4096, 16.0, 450.0, 0.014)  # every frequency is a multiple of 2^-23
    x = normal(np.random.default_rng(5035), len(LONG), 1, 34)
    rounded = "angles rounded to float32, as deployed; shows angles formed in float64, or cos and sin of fewer bits"
    return [
        normal_case("odd/rotary", 5031, replace(odd, length=0), (3, 10), [2, 3, 5, 7, 11, 13, 17], "Every axis of "
                    "another size, theta 500; shows theta fixed at 10000 or 160000 and exchanged axes."),
        normal_case("odd/rotary-yarn", 5032, odd, (3, 10), [2, 3, 5, 7, 11, 13, 170], "Theta 500, YaRN with factor "
                    "5.5, betas 4 and 0.5; shows any of these fixed at its released value."),
        normal_case("odd/rotary-yarn-inverse", 5033, odd, (3, 10), [2, 3, 5, 7, 11, 13, 170], "The inverse with odd "
                    "YaRN numbers.", inverse=True),
        normal_case("odd/rotary-yarn-unreached", 5036, replace(odd, length=100_000_000), (3, 10), [1, 9, 99], "An "
                    "original length so large that the ramp starts past the last pair: no frequency changes; shows "
                    "bounds clamped to r/2 - 1, and a ramp turned round."),
        normal_case("odd/rotary-long", 5034, Rotary(8, 65536.0), (2, 10), LONG, "Positions to 1048575 with theta 2^16 "
                    "and no YaRN; shows angles formed in bfloat16, and tables that end early."),
        rotary_case("odd/rotary-long-exact", 5035, exact, x, LONG, "Positions to 1048575 with YaRN and angles in "
                    "float64; shows angles formed in float32, and YaRN only below the original length."),
        rotary_case("odd/rotary-long-float32", 5035, replace(exact, angles="float32"), x, LONG, "The same data with "
                    f"{rounded}."),
        normal_case("odd/rotary-long-table", 5037, replace(odd, angles="float32"), (3, 10), LONG, "A stored table of "
                    f"theta 500 with YaRN, to position 1048575; {rounded}."),
        normal_case("odd/rotary-long-table-inverse", 5038, replace(odd, angles="float32"), (3, 10), LONG, "The "
                    f"inverse by a stored table; {rounded}.", inverse=True),
    ]  # fmt: skip


def published_cases() -> list[Case]:
    near, table = [0, 1, 127, 128, 300], "a stored float32 table to position 1048575"
    return [
        normal_case("published/rotary-sliding", 5041, SLIDING, (2, 512), near, "Sliding layers: theta 10000 without "
                    "YaRN, the last 64 of 512 dims; shows theta 160000, YaRN and the first 64 dims."),
        normal_case("published/rotary-compressed", 5042, COMPRESSED, (2, 512), near, "Compressed layers: theta 160000 "
                    "and YaRN with its ramp from pair 15 to 25; shows theta 10000, no YaRN, an amplitude of 1.277."),
        normal_case("published/rotary-compressed-inverse", 5043, COMPRESSED, (2, 512), near, "The inverse of "
                    "compressed layers; shows an inverse that is left out or has the sliding layers' frequencies.",
                    inverse=True),
        normal_case("published/rotary-index", 5044, COMPRESSED, (2, 128), near, "Index heads: the last 64 of 128 "
                    "dims; shows the first 64, and pairs half a head apart as in V3.2."),
        normal_case("published/rotary-sliding-long", 5045, replace(SLIDING, angles="float32"), (1, 128), LONG,
                    f"Theta 10000 by {table}; shows angles formed otherwise than in float32."),
        normal_case("published/rotary-compressed-long", 5046, replace(COMPRESSED, angles="float32"), (1, 128), LONG,
                    f"Theta 160000 with YaRN by {table}; shows angles formed otherwise than in float32."),
    ]  # fmt: skip


def rotary_cases() -> list[Case]:
    return small_cases() + yarn_cases() + odd_cases() + published_cases()
