"""Generator B: the golden operations of DeepSeek-V4's attention in NumPy, written from the report (2.3) and the facts.

Axes: T tokens, d model width, h query heads, c head width, r rotary dims, q query latent, g output groups,
p group rank, m compression ratio, N compressed entries, w width of a compressor's projections (2c where blocks
overlap, else c), H index heads, i index head width, k top-k, K = min(k, N), W window. `[...]` in a docstring is a
shape. Positions count from 0. All tokens are computed at once, in one prefill, however they are to be fed.
"""

from dataclasses import dataclass

import numpy as np

from oracle_numpy import Arithmetic, Array, Tensors
from rotary_numpy import divide_by_rms, dot, hadamard, project, rotary_frequencies, rotate, softmax

OVERLAPPING_RATIO = 4  # blocks of this ratio overlap, and have an indexer
WINDOW, ENTRIES, INDEX_KEYS, COMPRESSOR, INDEX_COMPRESSOR = 0, 1, 2, 3, 5  # tensor numbers of the state generator


# Rotary embedding (report 2.3.3)


def rotary(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """The rotation alone, forward or inverse."""
    frequencies = rotary_frequencies(parameters, weights)
    direction = {"forward": 1, "inverse": -1}[parameters["direction"]]
    rotated = rotate(arithmetic, inputs["x"], inputs["positions"], frequencies, direction)
    return {"frequencies": frequencies.astype(arithmetic.dtype), "rotated": rotated}


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
    pooled = pool(arithmetic, kv, score, bias)[block - first_block :]
    normalized = divide_by_rms(arithmetic, pooled, parameters["norm_epsilon"]) * weights[prefix + "norm"]
    positions = (block + np.arange(len(pooled))) * m
    entries = rotate(arithmetic, normalized, positions, rotary_frequencies(parameters, weights))
    return {"pooled": pooled, "normalized": normalized, "entries": entries}


def compress(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """A compressor alone."""
    return compressor(arithmetic, parameters, inputs["hidden"], weights)


# Indexer (report 2.3.1)


def index_scores(arithmetic: Arithmetic, queries: Array, keys: Array, head_weights: Array, visible: Array) -> Array:
    """(16): I[t,s] = sum_h w[t,h] ReLU(q[t,h] . K[s]) for s < visible[t], else -infinity.

    queries [T,H,i], keys [N,i], head_weights [T,H], visible [T] -> [T,N]
    """
    scores = np.full((len(queries), len(keys)), -np.inf, arithmetic.dtype)
    keys = np.ascontiguousarray(keys.T)
    for t, seen in enumerate(visible):
        products = dot(arithmetic, queries[t], keys[:, :seen])
        scores[t, :seen] = dot(arithmetic, head_weights[t : t + 1], np.maximum(products, 0))[0]
    return scores


def select(scores: Array, visible: Array, k: int) -> tuple[Array, Array]:
    """(17): the k highest visible scores, highest first, equal ones by lower index, then -1; and the margin.

    margin = last selected minus first rejected, +infinity where nothing visible was rejected.
    scores [T,N], visible [T] -> selection [T,min(k,N)], margin [T]
    """
    order = np.argsort(-scores, axis=-1, kind="stable")
    selection = order[:, :k]
    selection = np.where(np.arange(selection.shape[1]) < visible[:, None], selection, -1)
    margin = np.full(len(scores), np.inf, scores.dtype)
    for t in np.flatnonzero(visible > k):
        margin[t] = scores[t, order[t, k - 1]] - scores[t, order[t, k]]
    return selection, margin


def index(
    arithmetic: Arithmetic,
    parameters: dict,
    hidden: Array,
    query_latent: Array,
    weights: Tensors,
    past: Past = Past(),
) -> Tensors:
    """(14) to (17): index queries and keys, rotated, then Hadamard; head weights; scores; the entries to attend to.

    The keys are a second compressor's entries. hidden [T,d], query_latent [T,q] -> selection [T,K], ...
    """
    tokens, heads, width = len(hidden), int(parameters["index_heads"]), len(weights["index_norm"])
    ratio, positions = int(parameters["ratio"]), past.start + np.arange(tokens)
    queries = project(arithmetic, query_latent, weights["index_query_projection"]).reshape(tokens, heads, width)
    queries = rotate(arithmetic, queries, positions, rotary_frequencies(parameters, weights))
    queries = hadamard(arithmetic, queries)
    keys = compressor(arithmetic, parameters, hidden, weights, "index_", past, INDEX_COMPRESSOR)["entries"]
    keys = past.extended(INDEX_KEYS, np.arange(past.start // ratio), hadamard(arithmetic, keys))
    head_weights = project(arithmetic, hidden, weights["index_weights_projection"]) * width**-0.5 * heads**-0.5
    visible = (positions + 1) // ratio
    scores = index_scores(arithmetic, queries, keys, head_weights, visible)
    selection, margin = select(scores, visible, int(parameters["index_topk"]))
    return {
        "index_queries": queries,
        "index_keys": keys,
        "index_weights": head_weights,
        "index_scores": scores,
        "selection": selection,
        "margin": margin,
    }


def indexer(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """An indexer alone."""
    return index(arithmetic, parameters, inputs["hidden"], inputs["query_latent"], weights)


# Attention (report 2.3)


def attend(arithmetic: Arithmetic, queries: Array, entries: Array, sinks: Array) -> Array:
    """(27): one token's softmax of q . e c^-1/2 and, without a value, the sink; entries are keys and values.

    queries [h,c], entries [S,c], sinks [h] -> [h,c]
    """
    scores = dot(arithmetic, queries, np.ascontiguousarray(entries.T)) * entries.shape[1] ** -0.5
    probabilities = softmax(arithmetic, np.concatenate([scores, sinks[:, None]], axis=1), 1)[:, :-1]
    return dot(arithmetic, probabilities, entries)


def attend_all(
    arithmetic: Arithmetic,
    queries: Array,
    window_entries: Array,
    entries: Array,
    selection: Array,
    sinks: Array,
    window: int,
) -> Array:
    """(19), (26): each token attends to its last `window` tokens, itself included, and to its selected entries.

    The last T window entries are the tokens' own. queries [T,h,c], selection [T,K] (-1: none) -> [T,h,c]
    """
    attended = np.empty_like(queries)
    for t, end in enumerate(range(len(window_entries) - len(queries) + 1, len(window_entries) + 1)):
        recent, selected = window_entries[max(0, end - window) : end], entries[selection[t][selection[t] >= 0]]
        attended[t] = attend(arithmetic, queries[t], np.concatenate([recent, selected]), sinks)
    return attended


def core_attention(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """Attention alone: no rotation, no projection."""
    tensors = [inputs[name] for name in ("queries", "window_entries", "compressed_entries", "selection")]
    return {"attended": attend_all(arithmetic, *tensors, weights["sinks"], int(parameters["window"]))}


def grouped_output(arithmetic: Arithmetic, attended: Array, down: Array, up: Array, groups: int) -> Array:
    """Heads in g contiguous groups, each through its own p rows of `down`; all g p values through `up`.

    attended [T,h,c], down [gp,hc/g], up [d,gp] -> [T,d]
    """
    tokens = len(attended)
    latent = project(arithmetic, attended.reshape(tokens, groups, -1), down.reshape(groups, -1, down.shape[1]))
    return project(arithmetic, latent.reshape(tokens, -1), up)


def used_entries(past: Past, past_entries: int, new: Array, selection: Array) -> tuple[Array, Array]:
    """The past entries that some token selects and all new ones, and the selection in that numbering."""
    used = np.unique(selection[(selection >= 0) & (selection < past_entries)])
    numbers = np.concatenate([used, past_entries + np.arange(len(new))])
    return past.extended(ENTRIES, used, new), np.where(selection < 0, -1, np.searchsorted(numbers, selection))


def layer(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors, past: Past) -> Tensors:
    """(13), (18), (19), (24) to (27): an attention layer on T new tokens. Every intermediate and `output` [T,d]."""
    hidden, chunks = inputs["hidden"], inputs["chunks"]
    tokens, width, epsilon = len(hidden), len(weights["kv_norm"]), parameters["norm_epsilon"]
    if chunks[chunks > 0].sum() != tokens or not chunks.all():  # negative ones are taken back
        raise ValueError(f"chunks {chunks.tolist()} do not make up {tokens} tokens")
    ratio, window = int(parameters["ratio"]), int(parameters["window"])
    positions = past.start + np.arange(tokens)
    frequencies = rotary_frequencies(parameters, weights)

    latent = project(arithmetic, hidden, weights["query_down"])
    latent = divide_by_rms(arithmetic, latent, epsilon) * weights["query_norm"]
    queries = project(arithmetic, latent, weights["query_up"]).reshape(tokens, int(parameters["heads"]), width)
    queries = rotate(arithmetic, divide_by_rms(arithmetic, queries, epsilon), positions, frequencies)
    kv = project(arithmetic, hidden, weights["kv_projection"])
    kv = divide_by_rms(arithmetic, kv, epsilon) * weights["kv_norm"]
    kv = rotate(arithmetic, kv, positions, frequencies)
    result = {"query_latent": latent, "queries": queries, "window_entries": kv}

    entries, selection, past_entries = np.empty((0, width), arithmetic.dtype), np.empty((tokens, 0), np.int64), 0
    if ratio > 0:
        entries = compressor(arithmetic, parameters, hidden, weights, "compressor_", past)["entries"]
        past_entries = past.start // ratio
        result["compressed_entries"] = entries
        numbers = np.arange(past_entries + len(entries))
        selection = np.where(numbers < (positions[:, None] + 1) // ratio, numbers, -1)
    if ratio == OVERLAPPING_RATIO:
        result |= index(arithmetic, parameters, hidden, latent, weights, past)
        selection = result["selection"]

    window_entries = past.extended(WINDOW, np.arange(max(0, past.start - window + 1), past.start), kv)
    entries, selection = used_entries(past, past_entries, entries, selection)
    attended = attend_all(arithmetic, queries, window_entries, entries, selection, weights["sinks"], window)
    attended = rotate(arithmetic, attended, positions, frequencies, -1)
    down, up, groups = weights["output_down"], weights["output_up"], int(parameters["groups"])
    output = grouped_output(arithmetic, attended, down, up, groups)
    return result | {"attended": attended, "output": output}


def attention(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """An attention layer from an empty state."""
    result = layer(arithmetic, parameters, inputs, weights, Past())
    return {name: x for name, x in result.items() if name not in ("index_queries", "index_keys", "index_weights")}


def attention_from_state(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """An attention layer that continues at position `start` from a generated state."""
    past = Past(int(parameters["start"]), int(parameters["state_seed"]))
    result = layer(arithmetic, parameters, inputs, weights, past)
    expected = {name: result[name] for name in ("queries", "window_entries", "attended", "output")}
    if "compressed_entries" in result:
        expected["new_compressed_entries"] = result["compressed_entries"]
    if "selection" in result:
        missing = int(parameters["index_topk"]) - result["selection"].shape[1]
        expected["selection"] = np.pad(result["selection"], ((0, 0), (0, missing)), constant_values=-1)
        expected["margin"] = result["margin"]
    return expected


MODEL = {
    "rotary": rotary, "compress": compress, "indexer": indexer, "core-attention": core_attention,
    "attention": attention, "attention-from-state": attention_from_state,
}  # fmt: skip


def run(
    operation: str,
    parameters: dict,
    inputs: Tensors,
    weights: Tensors,
    *,
    dtype: np.dtype | type = np.float64,
    permutation_seed: int | None = None,
) -> Tensors:
    """The expected tensors of one operation, reals in dtype; with a seed every axis is summed in a random order."""
    generator = None if permutation_seed is None else np.random.default_rng(permutation_seed)
    arithmetic = Arithmetic(np.dtype(dtype), generator)
    parameters = arithmetic.parameters(parameters)
    return MODEL[operation](arithmetic, parameters, arithmetic.tensors(inputs), arithmetic.tensors(weights))
