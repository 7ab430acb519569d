"""Generator C, attention: every golden operation of report 2.3 once more, as a decoder that sees one token at a time.

It shares no formula and no structure with generator B, so that the two can confirm each other:

* There is no matrix over tokens and no mask. A token meets an explicit state (the window, the compressed entries so
  far, the pools of the unfinished blocks), and what it must not see does not exist yet.
* A block is pooled while its tokens arrive, as a running mean with the logarithm of its total weight.
* Rotation is multiplication by exp(i angle); the Hadamard transform is the recursive butterfly; the sink is one more
  logit under the log-sum-exp; selection sorts (-score, index); output groups are slices.

Numbers are 80-bit reals (64-bit mantissa), rounded to float64 once, at the very end; only numerics other than `exact`
round before. Names and shapes are those of FORMAT.md: T tokens, d width, h heads, c head width, q query latent,
g groups, p group rank, m ratio, N compressed entries, H index heads, i index head width, k top-k, K = min(k, N).
Equation numbers are those of the DeepSeek-V4 report.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import nsmallest
from typing import Any

import numpy as np
from compression_scalar import OVERLAPPING_RATIO, Compressor, Entries, generated_rows
from extended_scalar import Array, Extended, extended, hadamard, padded, stacked
from numerics_scalar import Numerics, judged
from oracle_scalar import Arrays, Outputs, for_each_token
from precision_scalar import bf16
from rotary_scalar import rotary_frequencies, rotated

SLAB = 2048  # index keys scored at a time
SLOT_BLOCK = 64  # slots of one step of the deployed softmax


def run(operation: str, parameters: dict[str, Any], inputs: Arrays, weights: Arrays) -> Arrays:
    """The expected tensors of one case: float64 for reals, int64 for `selection`."""
    outputs = OPERATIONS[operation](parameters, extended(inputs), extended(weights))
    return {name: np.array(v, dtype=np.int64 if name == "selection" else np.float64) for name, v in outputs.items()}


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
        self.numerics = self.compressor.numerics

    def feed(self, position: int, hidden: Array, query_latent: Array) -> Outputs:
        """Eqs. (14)-(17): [d], [q] -> queries [H,i], weights [H], scores [visible], selection, margin."""
        if (block := self.compressor.feed(position, hidden)) is not None:
            self.keys.appended.append(self.numerics.index_operand(hadamard(block["entries"])))
        activation = self.numerics.activation
        raw_queries = activation(self.query_projection @ self.numerics.linear_input(query_latent))
        plain_queries = raw_queries.reshape(self.heads, self.width)
        turned_queries = activation(rotated(plain_queries, position, self.compressor.frequencies))
        queries = self.numerics.index_operand(hadamard(turned_queries))
        weights = activation(activation(self.weights_projection @ hidden) / np.sqrt(Extended(self.width * self.heads)))
        scores = self.scores(queries.value, weights)
        selection, margin = best_first(scores, self.topk)
        out = judged("index_queries", queries) | {"index_weights": weights, "index_scores": scores}
        return out | {"selection": selection, "margin": margin}

    def scores(self, queries: Array, weights: Array) -> Array:
        """Eq. (16), sum over heads of weight x ReLU(key . query), for every key so far: [H,i], [H] -> [keys]."""
        activation = self.numerics.activation
        parts = [np.empty(0, dtype=Extended)]
        for first in range(0, len(self.keys), SLAB):
            keys = self.keys.rows(range(first, min(first + SLAB, len(self.keys))))
            products = activation(np.einsum("si,hi->sh", keys, queries))
            parts.append(activation(activation(np.maximum(products, 0) * weights).sum(axis=1)))
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


def attend_in_blocks(queries: Array, window: Array, empty: int, compressed: Array, sinks: Array) -> Array:
    """The same as deployed, over blocks of slots: the window, so many empty ones, the compressed entries;
    [h,c], [n,c], [], [n',c], [h] -> [h,c].

    Exponentials are relative to the largest logit so far, and round to BF16 before they meet the entries.
    """
    slots = np.concatenate([window, np.zeros((empty, window.shape[1]), dtype=Extended), compressed])
    logits = np.einsum("hc,nc->hn", queries, slots) / np.sqrt(Extended(slots.shape[1]))
    logits[:, len(window) : len(window) + empty] = -np.inf
    top = np.full((len(queries), 1), -np.inf, dtype=Extended)
    total, attended = np.zeros_like(top), np.zeros_like(queries)
    for first in range(0, len(slots), SLOT_BLOCK):
        block = slice(first, first + SLOT_BLOCK)
        new_top = np.maximum(top, logits[:, block].max(axis=1, keepdims=True))
        kept, powers = np.exp(top - new_top), np.exp(logits[:, block] - new_top)
        total = kept * total + powers.sum(axis=1, keepdims=True)
        attended = kept * attended + bf16(powers) @ slots[block]
        top = new_top
    return attended / (total + np.exp(sinks[:, None] - top))


class Attention:
    """One attention layer with its state: window, compressor, compressed entries and indexer."""

    def __init__(self, parameters: dict, weights: Arrays) -> None:
        self.weights, self.width, self.window_size = weights, len(weights["kv_norm"]), int(parameters["window"])
        self.heads, self.groups = int(parameters["heads"]), int(parameters["groups"])
        self.ratio, self.norm_epsilon = int(parameters["ratio"]), float(parameters["norm_epsilon"])
        self.frequencies = rotary_frequencies(parameters, weights)
        self.rotary_dims = 2 * len(self.frequencies)
        self.numerics = Numerics.of(parameters)
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
        linear_input = self.numerics.linear_input(hidden)
        latent = self.norm(w["query_down"] @ linear_input, "query_norm")
        queries = self.queries(latent, position)
        entry = self.turned(self.norm(w["kv_projection"] @ linear_input, "kv_norm"), position)
        window_entry = self.numerics.cache_entry(entry, self.rotary_dims)
        self.window.append(window_entry.value)
        out = {"query_latent": latent, "queries": queries} | judged("window_entries", window_entry)

        chosen: Sequence[int] = range(0)
        if self.compressor:
            if (block := self.compressor.feed(position, hidden)) is not None:
                self.compressed.appended.append(self.numerics.cache_entry(block["entries"], self.rotary_dims))
            chosen = range(len(self.compressed))
        if self.indexer:
            choice = self.indexer.feed(position, hidden, latent)
            chosen = choice["selection"]
            out |= {name: value for name, value in choice.items() if name != "index_weights"}

        out["attended"] = self.turned(self.attended(queries, chosen), position, direction=-1)
        out["output"] = self.projected(out["attended"].ravel())
        return out

    def norm(self, x: Array, name: str) -> Array:
        """RMSNorm of a linear output with the weight of this name: [c] -> [c]."""
        return self.numerics.norm(self.numerics.activation(x), self.weights[name], self.norm_epsilon)

    def turned(self, x: Array, position: int, direction: int = 1) -> Array:
        """Rotation of what leaves a module: [..., c] -> [..., c]."""
        return self.numerics.activation(rotated(x, position, self.frequencies, direction))

    def queries(self, latent: Array, position: int) -> Array:
        """Eqs. (18), (25), norm and rotation of every head: [q] -> [h,c]."""
        raw = self.numerics.activation(self.weights["query_up"] @ self.numerics.linear_input(latent))
        heads = self.numerics.head_norm(raw.reshape(self.heads, self.width), self.norm_epsilon)
        return self.turned(heads, position)

    def attended(self, queries: Array, chosen: Sequence[int]) -> Array:
        """Eqs. (19), (26) over the window and the chosen compressed entries: [h,c], [n] -> [h,c]."""
        window, compressed, sinks = np.array(self.window), self.compressed.rows(chosen), self.weights["sinks"]
        if not self.numerics.deployed:
            return attend(queries, np.concatenate([window, compressed]), sinks)
        return bf16(attend_in_blocks(queries, window, self.window_size - len(window), compressed, sinks))

    def projected(self, values: Array) -> Array:
        """The grouped output projection: [h c] -> [g p] -> [d]."""
        down, up, activation = self.weights["output_down"], self.weights["output_up"], self.numerics.activation
        rank, size = len(down) // self.groups, len(values) // self.groups
        groups = range(self.groups)
        parts = [down[j * rank : (j + 1) * rank] @ values[j * size : (j + 1) * size] for j in groups]
        return activation(up @ self.numerics.linear_input(activation(np.concatenate(parts))))


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
    out |= state.keys.judged("index_keys")
    out["index_scores"] = padded(out["index_scores"], len(state.keys), -np.inf)
    out["selection"] = padded(out["selection"], min(state.topk, len(state.keys)), -1)
    return out if state.numerics.simulates_caches else without_rounding(out)


def without_rounding(out: Outputs, *names: str) -> Outputs:
    """Without these tensors and without those by which rounded ones are judged."""
    return {name: value for name, value in out.items() if name not in names and "." not in name}


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
        out |= layer.compressed.judged("compressed_entries")
    if layer.indexer:
        out |= layer.indexer.keys.judged("index_keys")
        out["index_scores"] = padded(out["index_scores"], len(layer.compressed), -np.inf)
        out["selection"] = padded(out["selection"], min(layer.indexer.topk, len(layer.compressed)), -1)
    return out if layer.numerics.simulates_caches else without_rounding(out, "index_queries", "index_keys")


def attention_from_state(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The layer from position `start`, on the generated state: [T,d] -> [T,d]."""
    layer = Attention(parameters, weights)
    layer.recall(int(parameters["start"]), int(parameters["state_seed"]))
    out = for_each_token(layer.feed, inputs["hidden"])
    if layer.compressor:
        out |= layer.compressed.judged("new_compressed_entries")
    if layer.indexer:
        out["selection"] = padded(out["selection"], layer.indexer.topk, -1)
    return without_rounding(out, "query_latent", "index_queries", "index_scores")


MODEL_OPERATIONS = (rotary, compress, indexer, core_attention, attention, attention_from_state)
OPERATIONS = {function.__name__.replace("_", "-"): function for function in MODEL_OPERATIONS}
