"""Compares the low-precision formats of the golden cases with those of PyPI torch, where torch has the type.

Every golden case of the operations `decode` and `round` is done again by torch: E4M3 ("fn") and UE8M0 codes, casts to
E4M3 and BF16. Casts to E4M3 saturate in the cases, since the deployed code clamps before it casts; so the values are
clamped here, too. torch has no arithmetic for E2M1, whose cases rest on ml_dtypes and on the bit definitions alone.

Axes: N values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(GOLDEN))

from read_case import read_case  # noqa: E402

TYPES = {"fp8-e4m3": torch.float8_e4m3fn, "ue8m0": torch.float8_e8m0fnu, "bf16": torch.bfloat16}
LARGEST = 448.0  # of E4M3


def decoded(codes: np.ndarray, name: str) -> np.ndarray:
    """The values of codes. int64 [N] -> float64 [N]"""
    return torch.from_numpy(codes.astype(np.uint8)).view(TYPES[name]).to(torch.float64).numpy()


def rounded(x: np.ndarray, name: str) -> np.ndarray:
    """float32 [N] -> float64 [N]"""
    values = torch.from_numpy(x)
    if name == "fp8-e4m3":
        values = values.clamp(-LARGEST, LARGEST)
    return values.to(TYPES[name]).to(torch.float64).numpy()


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all values are equal, NaN where NaN is, and zeros have their signs."""
    numbers = ~np.isnan(a)
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a[numbers]), np.signbit(b[numbers]))


def main() -> int:
    print(f"torch {torch.__version__}")
    checked, failed = 0, 0
    for file in sorted((GOLDEN / "vectors").glob("*/low-precision/*.h5")):
        entry, parameters, inputs, _, expected = read_case(str(file.relative_to(GOLDEN / "vectors"))[:-3], GOLDEN)
        operation, name = entry["operation"], parameters.get("format")
        if operation not in ("decode", "round") or name not in TYPES or entry["expected_error"]:
            continue
        if operation == "decode":
            ours, theirs = expected["values"], decoded(inputs["codes"], name)
        else:
            ours, theirs = expected["rounded"], rounded(inputs["x"], name)
        checked += 1
        if not same(ours, theirs):
            failed += 1
            print(f"FAILED  {entry['id']}: {np.count_nonzero(ours != theirs)} of {ours.size} values differ")
    print(f"{checked - failed} of {checked} cases of {', '.join(TYPES)} agree with torch")
    return 0 if checked and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
