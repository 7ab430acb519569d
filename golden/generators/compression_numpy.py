"""Generator B: token compression (report 2.3.1, 2.3.2), and the generated state that attention may continue from.

Axes: T tokens, d model width, m compression ratio, N compressed entries, c their width, w width of a compressor's
projections (2c where blocks overlap, else c). `[...]` in a docstring is a shape. Positions count from 0.
"""

from dataclasses import dataclass

import numpy as np

from oracle_numpy import Arithmetic, Array, Tensors
from rotary_numpy import project, rms_norm, rotary_frequencies, rotate, softmax

OVERLAPPING_RATIO = 4  # blocks of this ratio overlap, and have an indexer
COMPRESSOR = 3  # tensor number of the main compressor's projections in the state generator


# State


def splitmix64(x: Array) -> Array:
    """The SplitMix64 hash of each number, modulo 2^64."""
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class Past:
    """What a layer holds of the tokens before position `start`: generated from a seed. The default is nothing."""

    start: int = 0
    seed: int = 0

    def tensor(self, number: int, rows: Array, columns: int, dtype: np.dtype) -> Array:
        """Rows of one tensor: 24 bits of a hash of (seed, number, row, column), in [-1, 1). -> [rows,columns]"""
        origin = np.uint64((self.seed * 1000003 + number * 2**32 * 257) % 2**64)
        elements = rows.astype(np.uint64)[:, None] * np.uint64(65537) + np.arange(columns, dtype=np.uint64)
        bits = splitmix64(elements + origin) >> np.uint64(40)
        return (bits / 2**23 - 1).astype(dtype)

    def extended(self, number: int, rows: Array, new: Array) -> Array:
        """Rows of the past, then the new ones. new [T,c] -> [rows+T,c]"""
        return np.concatenate([self.tensor(number, rows, new.shape[1], new.dtype), new])


# Token compression (report 2.3.1, 2.3.2)


def overlap(blocks: Array, before: float) -> Array:
    """First half of the channels of the previous block's rows, second half of this block's; `before` precedes block 0.

    blocks [N,m,2c] -> [N,2m,c]
    """
    earlier, current = np.split(blocks, 2, axis=-1)
    previous = np.full_like(earlier, before)
    previous[1:] = earlier[:-1]
    return np.concatenate([previous, current], axis=1)


def pool(arithmetic: Arithmetic, kv: Array, score: Array, position_bias: Array) -> Array:
    """(11), (12) overlapping, (22), (23) plain: softmax of score + bias per channel over a block's rows, weighs kv.

    kv, score [T,w], position_bias [m,w] -> [N,c], N = floor(T/m)
    """
    m, width = position_bias.shape
    n = len(kv) // m
    kv = kv[: n * m].reshape(n, m, width)
    score = score[: n * m].reshape(n, m, width) + position_bias
    if m == OVERLAPPING_RATIO:
        kv, score = overlap(kv, 0), overlap(score, -np.inf)
    return arithmetic.total(softmax(arithmetic, score, 1) * kv, 1)


def compressor(
    arithmetic: Arithmetic,
    parameters: dict,
    hidden: Array,
    weights: Tensors,
    prefix: str = "",
    past: Past = Past(),
    number: int = COMPRESSOR,
) -> Tensors:
    """(9) to (12), (20) to (23): the blocks that these tokens complete, pooled, normalised, rotated.

    The position is that of a block's first token. The past gives the rows of the unfinished block and, where blocks
    overlap, of the one before. hidden [T,d] -> [N,c] each
    """
    bias, m = weights[prefix + "position_bias"], int(parameters["ratio"])
    block = past.start // m
    first_block = max(0, block - 1) if m == OVERLAPPING_RATIO else block
    rows = np.arange(first_block * m, past.start)
    kv = past.extended(number, rows, project(arithmetic, hidden, weights[prefix + "kv_projection"]))
    score = past.extended(number + 1, rows, project(arithmetic, hidden, weights[prefix + "gate_projection"]))
    pooled = arithmetic.bf16(pool(arithmetic, kv, score, bias)[block - first_block :])
    normalized = rms_norm(arithmetic, pooled, weights[prefix + "norm"], parameters["norm_epsilon"])
    positions = (block + np.arange(len(pooled))) * m
    entries = rotate(arithmetic, normalized, positions, rotary_frequencies(parameters, weights))
    return {"pooled": pooled, "normalized": normalized, "entries": entries}
