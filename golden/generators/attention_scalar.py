"""Generator C, attention: every golden operation of report 2.3 once more, as a decoder that sees one token at a time.

It shares no formula and no structure with generator B, so that the two can confirm each other:

* There is no matrix over tokens and no mask. A token meets an explicit state (the window, the compressed entries so
  far, the pools of the unfinished blocks), and what it must not see does not exist yet.
* A block is pooled while its tokens arrive, as a running mean with the logarithm of its total weight.
* Rotation is multiplication by exp(i angle); the Hadamard transform is the recursive butterfly; the sink is one more
  logit under the log-sum-exp; selection sorts (-score, index); output groups are slices.

Numbers are 80-bit reals (64-bit mantissa), rounded to float64 once, at the very end. The only float64 (or float32)
arithmetic is that of frequencies and angles, where the format prescribes it. Names and shapes are those of FORMAT.md:
T tokens, d width, h heads, c head width, r rotary dims, q query latent, g groups, p group rank, m ratio, N compressed
entries, w compressor width (c, or 2c with overlap), H index heads, i index head width, k top-k, K = min(k, N).
Equation numbers are those of the DeepSeek-V4 report.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from heapq import nsmallest
from typing import Any

import numpy as np
from oracle_scalar import Arrays, Outputs, for_each_token

Extended = np.longdouble
Array = np.ndarray  # of extended reals, unless said otherwise

assert np.finfo(Extended).nmant >= 63, "this generator needs a long double of at least 80 bits"

OVERLAPPING_RATIO = 4  # the only ratio whose blocks overlap, and the only one with an indexer
SLAB = 2048  # index keys scored at a time


def run(operation: str, parameters: dict[str, Any], inputs: Arrays, weights: Arrays) -> Arrays:
    """The expected tensors of one case: float64 for reals, int64 for `selection`."""
    outputs = OPERATIONS[operation](parameters, extended(inputs), extended(weights))
    return {name: np.array(v, dtype=np.int64 if name == "selection" else np.float64) for name, v in outputs.items()}


# --- Arrays ----------------------------------------------------------------------------------------------------------


def extended(arrays: Arrays) -> Arrays:
    """The real arrays at their exact values in extended precision; integers as they are."""
    return {name: a.astype(Extended) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def stacked(rows: Sequence[Array], width: int) -> Array:
    """Rows [width] -> [number of rows, width], also when there is none."""
    return np.array(rows, dtype=Extended).reshape(len(rows), width)


def padded(rows: Sequence[Sequence], width: int, fill: float) -> Array:
    """Rows of at most `width` numbers -> [number of rows, width], `fill` behind each row."""
    return np.array([[*row, *[fill] * (width - len(row))] for row in rows]).reshape(len(rows), width)


def unit_rms(x: Array, norm_epsilon: float) -> Array:
    """x / sqrt(mean(x^2) + norm_epsilon) over the last axis: [..., c] -> [..., c]."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + norm_epsilon)


def butterfly(x: Array) -> Array:
    """The unscaled Hadamard transform, H [a | b] = [H (a + b) | H (a - b)]: [..., i] -> [..., i], i a power of two."""
    if x.shape[-1] == 1:
        return x
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([butterfly(a + b), butterfly(a - b)], axis=-1)


def hadamard(x: Array) -> Array:
    """H x / sqrt(i), its own inverse: [..., i] -> [..., i]."""
    return butterfly(x) / np.sqrt(Extended(x.shape[-1]))


# --- Rotary embedding ------------------------------------------------------------------------------------------------


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
        self.appended: list[Array] = []

    def __len__(self) -> int:
        return self.past + len(self.appended)

    def rows(self, indices: Sequence[int]) -> Array:
        """The rows of these indices: [n] -> [n, c]."""
        index = np.array(indices, dtype=np.int64)
        old = index < self.past
        result = np.empty((len(index), self.width), dtype=Extended)
        result[old] = generated_rows(self.seed, self.tensor, index[old], self.width)
        result[~old] = [self.appended[s - self.past] for s in index[~old]] or stacked([], self.width)
        return result


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
        pooled = self.block.mean
        self.block, self.next_block = self.next_block, Pool(self.width)
        normalized = unit_rms(pooled, self.norm_epsilon) * self.norm
        entry = rotated(normalized, position - row, self.frequencies)
        return {"pooled": pooled, "normalized": normalized, "entries": entry}

    def recall(self, start: int, seed: int, kv_tensor: int, score_tensor: int) -> None:
        """Pool the generated projections of the unfinished block and, with overlap, of the block before it."""
        first = max(0, start // self.ratio - self.overlaps) * self.ratio
        positions = np.arange(first, start)
        kv = generated_rows(seed, kv_tensor, positions, self.projected_width)
        scores = generated_rows(seed, score_tensor, positions, self.projected_width)
        for position, kv_row, score_row in zip(positions.tolist(), kv, scores, strict=True):
            self.pool(position, kv_row, score_row)


# --- Indexer (eqs. 13-17) --------------------------------------------------------------------------------------------


def best_first(scores: Array, count: int) -> tuple[list[int], float]:
    """The `count` best indices, score descending, then index ascending, and their distance to the best rejected one."""
    order = nsmallest(count + 1, zip((-scores).tolist(), range(len(scores))))
    selection = [index for _, index in order[:count]]
    margin = scores[order[count - 1][1]] - scores[order[count][1]] if len(order) > count else np.inf
    return selection, margin


class Indexer:
    """The index keys so far, and the choice of compressed entries by one token."""

    def __init__(self, parameters: dict, weights: Arrays) -> None:
        self.compressor = Compressor("index_", parameters, weights)
        self.query_projection = weights["index_query_projection"]
        self.weights_projection = weights["index_weights_projection"]
        self.heads, self.topk = int(parameters["index_heads"]), int(parameters["index_topk"])
        self.width = self.compressor.width
        self.keys = Entries(self.width)

    def feed(self, position: int, hidden: Array, query_latent: Array) -> Outputs:
        """Eqs. (14)-(17): [d], [q] -> queries [H,i], weights [H], scores [visible], selection, margin."""
        if (block := self.compressor.feed(position, hidden)) is not None:
            self.keys.appended.append(hadamard(block["entries"]))
        queries = (self.query_projection @ query_latent).reshape(self.heads, self.width)
        queries = hadamard(rotated(queries, position, self.compressor.frequencies))
        weights = (self.weights_projection @ hidden) / np.sqrt(Extended(self.width * self.heads))
        scores = self.scores(queries, weights)
        selection, margin = best_first(scores, self.topk)
        out = {"index_queries": queries, "index_weights": weights, "index_scores": scores}
        return out | {"selection": selection, "margin": margin}

    def scores(self, queries: Array, weights: Array) -> Array:
        """Eq. (16), sum over heads of weight x ReLU(key . query), for every key so far: [H,i], [H] -> [keys]."""
        parts = [np.empty(0, dtype=Extended)]
        for first in range(0, len(self.keys), SLAB):
            keys = self.keys.rows(range(first, min(first + SLAB, len(self.keys))))
            parts.append(np.maximum(np.einsum("si,hi->sh", keys, queries), 0) @ weights)
        return np.concatenate(parts)

    def recall(self, start: int, seed: int) -> None:
        """Continue at position `start` from the generated state."""
        self.keys = Entries(self.width, past=start // self.compressor.ratio, seed=seed, tensor=2)
        self.compressor.recall(start, seed, kv_tensor=5, score_tensor=6)


# --- Attention (eqs. 18, 19, 24-27) ----------------------------------------------------------------------------------


def attend(queries: Array, entries: Array, sinks: Array) -> Array:
    """Eqs. (19), (26), (27), entries being keys and values of all heads: [h,c], [n,c], [h] -> [h,c].

    The share of an entry is e^(logit - L), where L is the log-sum-exp of all logits and the sink.
    """
    logits = np.einsum("hc,nc->hn", queries, entries) / np.sqrt(Extended(entries.shape[1]))
    with_sink = np.column_stack([logits, sinks])
    top = with_sink.max(axis=1, keepdims=True)
    log_sum_exp = top + np.log(np.exp(with_sink - top).sum(axis=1, keepdims=True))
    return np.einsum("hn,nc->hc", np.exp(logits - log_sum_exp), entries)


class Attention:
    """One attention layer with its state: window, compressor, compressed entries and indexer."""

    def __init__(self, parameters: dict, weights: Arrays) -> None:
        self.weights, self.width, self.window_size = weights, len(weights["kv_norm"]), int(parameters["window"])
        self.heads, self.groups = int(parameters["heads"]), int(parameters["groups"])
        self.ratio, self.norm_epsilon = int(parameters["ratio"]), float(parameters["norm_epsilon"])
        self.frequencies = rotary_frequencies(parameters, weights)
        self.position = 0
        self.window: deque[Array] = deque(maxlen=self.window_size)
        self.compressed = Entries(self.width)
        self.compressor = Compressor("compressor_", parameters, weights) if self.ratio else None
        self.indexer = Indexer(parameters, weights) if self.ratio == OVERLAPPING_RATIO else None

    def recall(self, start: int, seed: int) -> None:
        """Continue at position `start` from the generated state."""
        self.position = start
        seen = np.arange(max(0, start - self.window_size + 1), start)
        self.window.extend(generated_rows(seed, 0, seen, self.width))
        if self.compressor:
            self.compressed = Entries(self.width, past=start // self.ratio, seed=seed, tensor=1)
            self.compressor.recall(start, seed, kv_tensor=3, score_tensor=4)
        if self.indexer:
            self.indexer.recall(start, seed)

    def feed(self, hidden: Array) -> Outputs:
        """The whole layer for the next token: [d] -> every output of that token."""
        w, position = self.weights, self.position
        self.position += 1
        latent = unit_rms(w["query_down"] @ hidden, self.norm_epsilon) * w["query_norm"]
        raw_queries = (w["query_up"] @ latent).reshape(self.heads, self.width)
        queries = rotated(unit_rms(raw_queries, self.norm_epsilon), position, self.frequencies)
        window_entry = unit_rms(w["kv_projection"] @ hidden, self.norm_epsilon) * w["kv_norm"]
        self.window.append(rotated(window_entry, position, self.frequencies))
        out = {"query_latent": latent, "queries": queries, "window_entries": self.window[-1]}

        chosen: Sequence[int] = range(0)
        if self.compressor:
            if (block := self.compressor.feed(position, hidden)) is not None:
                self.compressed.appended.append(block["entries"])
            chosen = range(len(self.compressed))
        if self.indexer:
            choice = self.indexer.feed(position, hidden, latent)
            chosen = choice["selection"]
            out |= {name: choice[name] for name in ("index_scores", "selection", "margin")}

        entries = np.concatenate([np.array(self.window), self.compressed.rows(chosen)])
        out["attended"] = rotated(attend(queries, entries, w["sinks"]), position, self.frequencies, direction=-1)
        out["output"] = self.projected(out["attended"].ravel())
        return out

    def projected(self, values: Array) -> Array:
        """The grouped output projection: [h c] -> [g p] -> [d]."""
        down, up = self.weights["output_down"], self.weights["output_up"]
        rank, size = len(down) // self.groups, len(values) // self.groups
        groups = range(self.groups)
        parts = [down[j * rank : (j + 1) * rank] @ values[j * size : (j + 1) * size] for j in groups]
        return up @ np.concatenate(parts)


# --- Operations ------------------------------------------------------------------------------------------------------


def rotary(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Rotation at given positions: [T,h,c], [T] -> [T,h,c]."""
    frequencies = rotary_frequencies(parameters, weights)
    direction = {"forward": 1, "inverse": -1}[parameters["direction"]]
    tokens = zip(inputs["x"], inputs["positions"].tolist(), strict=True)
    return {"frequencies": frequencies, "rotated": [rotated(x, t, frequencies, direction) for x, t in tokens]}


def compress(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """All whole blocks: [T,d] -> three times [N,c]."""
    compressor = Compressor("", parameters, weights)
    blocks = [b for t, hidden in enumerate(inputs["hidden"]) if (b := compressor.feed(t, hidden)) is not None]
    return {n: stacked([b[n] for b in blocks], compressor.width) for n in ("pooled", "normalized", "entries")}


def indexer(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The choices of all tokens: [T,d], [T,q] -> [T,K]."""
    state = Indexer(parameters, weights)
    tokens = range(len(inputs["hidden"]))
    out = for_each_token(state.feed, tokens, inputs["hidden"], inputs["query_latent"])
    out["index_keys"] = stacked(state.keys.appended, state.width)
    out["index_scores"] = padded(out["index_scores"], len(state.keys), -np.inf)
    out["selection"] = padded(out["selection"], min(state.topk, len(state.keys)), -1)
    return out


def core_attention(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Window and selection, without rotation: [T,h,c], [T,c], [N,c], [T,K] -> [T,h,c]."""
    window: deque[Array] = deque(maxlen=int(parameters["window"]))

    def token(queries: Array, window_entry: Array, selection: np.ndarray) -> Outputs:
        window.append(window_entry)
        chosen = inputs["compressed_entries"][selection[selection >= 0]]
        return {"attended": attend(queries, np.concatenate([np.array(window), chosen]), weights["sinks"])}

    return for_each_token(token, inputs["queries"], inputs["window_entries"], inputs["selection"])


def attention(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The layer from position 0: [T,d] -> [T,d]. Tokens come one by one, whatever `chunks` says."""
    layer = Attention(parameters, weights)
    out = for_each_token(layer.feed, inputs["hidden"])
    if layer.compressor:
        out["compressed_entries"] = stacked(layer.compressed.appended, layer.width)
    if layer.indexer:
        out["index_scores"] = padded(out["index_scores"], len(layer.compressed), -np.inf)
        out["selection"] = padded(out["selection"], min(layer.indexer.topk, len(layer.compressed)), -1)
    return out


def attention_from_state(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The layer from position `start`, on the generated state: [T,d] -> [T,d]."""
    layer = Attention(parameters, weights)
    layer.recall(int(parameters["start"]), int(parameters["state_seed"]))
    out = for_each_token(layer.feed, inputs["hidden"])
    if layer.compressor:
        out["new_compressed_entries"] = stacked(layer.compressed.appended, layer.width)
    if layer.indexer:
        out["selection"] = padded(out["selection"], layer.indexer.topk, -1)
    return {name: value for name, value in out.items() if name not in ("query_latent", "index_scores")}


MODEL_OPERATIONS = (rotary, compress, indexer, core_attention, attention, attention_from_state)
OPERATIONS = {function.__name__.replace("_", "-"): function for function in MODEL_OPERATIONS}
