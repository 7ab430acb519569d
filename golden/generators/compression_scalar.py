"""Generator C, token compression: entries pooled while their tokens arrive, and the generated state before them.

A block is a running mean with the logarithm of its total weight; there is no softmax over its rows.
Axes: T tokens, d width, c head width, m ratio, N compressed entries, w compressor width (c, or 2c with overlap).
Equation numbers are those of the DeepSeek-V4 report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from extended_scalar import Array, Extended, stacked
from numerics_scalar import Numerics, Rounded, judged
from oracle_scalar import Arrays, Outputs
from rotary_scalar import rotary_frequencies, rotated

OVERLAPPING_RATIO = 4  # the only ratio whose blocks overlap, and the only one with an indexer


# --- What came before the first token ---------------------------------------------------------------------------------


def splitmix64(x: np.ndarray) -> np.ndarray:
    """The finaliser of the splitmix64 generator on uint64, modulo 2^64."""
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def generated_rows(seed: int, tensor: int, rows: np.ndarray, columns: int) -> Array:
    """Rows of a tensor of the generated state, in [-1, 1): [n] -> [n, columns]."""
    offset = np.uint64((seed * 1000003 + tensor * 2**32 * 257) % 2**64)
    counters = rows.astype(np.uint64)[:, None] * np.uint64(65537) + np.arange(columns, dtype=np.uint64) + offset
    return (splitmix64(counters) >> np.uint64(40)).astype(Extended) / 2**23 - 1


class Entries:
    """Rows [c] in order of position: `past` generated ones, made when asked for, then those appended."""

    def __init__(self, width: int, past: int = 0, seed: int = 0, tensor: int = 0) -> None:
        self.width, self.past, self.seed, self.tensor = width, past, seed, tensor
        self.appended: list[Rounded] = []

    def __len__(self) -> int:
        return self.past + len(self.appended)

    def rows(self, indices: Sequence[int]) -> Array:
        """The rows of these indices: [n] -> [n, c]."""
        index = np.array(indices, dtype=np.int64)
        old = index < self.past
        result = np.empty((len(index), self.width), dtype=Extended)
        result[old] = generated_rows(self.seed, self.tensor, index[old], self.width)
        result[~old] = [self.appended[s - self.past].value for s in index[~old]] or stacked([], self.width)
        return result

    def judged(self, name: str) -> Outputs:
        """The appended rows as three tensors: [n, c]."""
        parts = ([getattr(entry, part) for entry in self.appended] for part in Rounded._fields)
        return judged(name, Rounded(*(stacked(rows, self.width) for rows in parts)))


# --- Token compression (eqs. 9-12, 20-23) ----------------------------------------------------------------------------


class Pool:
    """A softmax-weighted mean per channel, one row at a time; empty, it is a block of value 0 and score -infinity."""

    def __init__(self, width: int) -> None:
        self.mean = np.zeros(width, dtype=Extended)
        self.log_weight = np.full(width, -np.inf, dtype=Extended)

    def add(self, value: Array, score: Array) -> None:
        """Move the mean towards `value` by its share e^score of the total weight so far: [c], [c]."""
        self.log_weight = np.logaddexp(self.log_weight, score)
        self.mean = self.mean + np.exp(score - self.log_weight) * (value - self.mean)


class Compressor:
    """One entry for every m tokens. A token pools its last c channels into the block it is in and, when blocks overlap,
    its first c channels into the next block: the current half (a) and the previous half (b) of eqs. (11), (12)."""

    def __init__(self, prefix: str, parameters: dict, weights: Arrays) -> None:
        names = ("kv_projection", "gate_projection", "position_bias", "norm")
        self.kv_projection, self.gate_projection, self.position_bias, self.norm = (weights[prefix + n] for n in names)
        self.width, self.projected_width = len(self.norm), len(self.kv_projection)
        self.ratio, self.norm_epsilon = int(parameters["ratio"]), float(parameters["norm_epsilon"])
        self.overlaps = self.ratio == OVERLAPPING_RATIO
        self.numerics = Numerics.of(parameters)
        self.frequencies = rotary_frequencies(parameters, weights)
        self.block, self.next_block = Pool(self.width), Pool(self.width)

    def feed(self, position: int, hidden: Array) -> Outputs | None:
        """Eqs. (9), (10), (20), (21), then `pool`: [d]."""
        return self.pool(position, self.kv_projection @ hidden, self.gate_projection @ hidden)

    def pool(self, position: int, kv: Array, score: Array) -> Outputs | None:
        """Eqs. (11), (12), (22), (23); at the last token of a block its entry: [w], [w] -> three times [c]."""
        row = position % self.ratio
        score = score + self.position_bias[row]
        if self.overlaps:
            self.next_block.add(kv[: self.width], score[: self.width])
        self.block.add(kv[-self.width :], score[-self.width :])
        if row < self.ratio - 1:
            return None
        pooled = self.numerics.activation(self.block.mean)
        self.block, self.next_block = self.next_block, Pool(self.width)
        normalized = self.numerics.norm(pooled, self.norm, self.norm_epsilon)
        entry = self.numerics.activation(rotated(normalized, position - row, self.frequencies))
        return {"pooled": pooled, "normalized": normalized, "entries": entry}

    def recall(self, start: int, seed: int, kv_tensor: int, score_tensor: int) -> None:
        """Pool the generated projections of the unfinished block and, with overlap, of the block before it."""
        first = max(0, start // self.ratio - self.overlaps) * self.ratio
        positions = np.arange(first, start)
        kv = generated_rows(seed, kv_tensor, positions, self.projected_width)
        scores = generated_rows(seed, score_tensor, positions, self.projected_width)
        for position, kv_row, score_row in zip(positions.tolist(), kv, scores, strict=True):
            self.pool(position, kv_row, score_row)
