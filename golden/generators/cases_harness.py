"""The set-up cases: they check the reader (memory layout, element types, byte order), not the model.

All values are exact in float32 as well, so that an engine of either precision can return them.
"""

import numpy as np

from case import Case

COMPONENT = "setup/harness"


def layout() -> Case:
    """Unequal axes and values without a pattern, so that no two readings of the memory agree."""
    rng = np.random.default_rng(1001)
    return Case(
        id=f"{COMPONENT}/layout",
        operation="layout",
        description="A matrix and a cube of distinct whole numbers; shows column-major reading and swapped axes.",
        equations=(),
        seed=1001,
        inputs={
            "matrix": rng.permutation(np.arange(1, 13)).reshape(3, 4).astype(np.float32),
            "cube": rng.permutation(np.arange(1, 25)).reshape(2, 3, 4).astype(np.float32),
        },
        note="red here means that your harness is wrong: it reads row-major data in another order or mixes up axes",
    )


def dtypes() -> Case:
    """One small array of every element type, at the ends of its range where float32 can hold them."""
    return Case(
        id=f"{COMPONENT}/dtypes",
        operation="dtypes",
        description="The six element types at the ends of their ranges; shows wrong width, lost sign and truncation.",
        equations=(),
        inputs={
            "float32": np.array([1.5, -(2.0**-126), 3.0e38, -0.0], dtype=np.float32),
            "float64": np.array([0.15625, -(2.0**-60), 2.0**100, 1.0 + 2.0**-20], dtype=np.float64),
            "int32": np.array([0, -1, -(2**31), 2**30 + 128], dtype=np.int32),
            "int64": np.array([7, -1, 2**40 + 2**20, -(2**62)], dtype=np.int64),
            "uint8": np.array([0, 127, 128, 255], dtype=np.uint8),
            "bool": np.array([True, False, False, True]),
        },
        note="red here means that your harness is wrong: it reads an element type with another width or sign",
    )


def endianness() -> Case:
    """The only big-endian data of the collection."""
    return Case(
        id=f"{COMPONENT}/endianness",
        operation="endianness",
        description="Two arrays stored big-endian; shows a reader that takes the bytes as they lie in the file.",
        equations=(),
        inputs={
            "big_endian_float32": np.array([1.0, -2.5, 0.1, 65504.0], dtype=">f4"),
            "big_endian_int32": np.array([1, -2, 258, 2**30 + 128], dtype=">i4"),
        },
        note="red here means that your harness is wrong: it ignores the byte order that the file states",
    )


def harness_cases() -> list[Case]:
    return [layout(), dtypes(), endianness()]
