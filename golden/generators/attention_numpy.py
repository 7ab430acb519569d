"""Generator B: the golden operations of DeepSeek-V4's attention in NumPy, written from the report (2.3) and the facts.

Axes: T tokens, d model width, h query heads, c head width, r rotary dims, q query latent, g output groups,
p group rank, m compression ratio, N compressed entries, S entries of one token, H index heads, i index head width,
k top-k, K = min(k, N), W window. `[...]` in a docstring is a shape. Positions count from 0. All tokens are computed at
once, in one prefill, however they are to be fed.
"""

import numpy as np

from compression_numpy import OVERLAPPING_RATIO, Past, compressor
from oracle_numpy import Arithmetic, Array, Tensors
from precision_numpy import arithmetic_of
from rotary_numpy import (
    dot,
    hadamard,
    head_norm,
    project,
    project_quantized,
    rms_norm,
    rotary_frequencies,
    rotate,
    softmax,
)

SLOT_BLOCK = 64  # slots that the deployed attention takes at a time
WINDOW, ENTRIES, INDEX_KEYS, INDEX_COMPRESSOR = 0, 1, 2, 5  # tensor numbers of the state generator


# Rotary embedding (report 2.3.3)


def rotary(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """The rotation alone, forward or inverse."""
    frequencies = rotary_frequencies(parameters, weights)
    direction = {"forward": 1, "inverse": -1}[parameters["direction"]]
    rotated = rotate(arithmetic, inputs["x"], inputs["positions"], frequencies, direction)
    return {"frequencies": frequencies.astype(arithmetic.dtype), "rotated": rotated}


# Token compression (report 2.3.1, 2.3.2)


def compress(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """A compressor alone."""
    return compressor(arithmetic, parameters, inputs["hidden"], weights)


# Indexer (report 2.3.1)


def index_scores(arithmetic: Arithmetic, queries: Array, keys: Array, head_weights: Array, visible: Array) -> Array:
    """(16): I[t,s] = sum_h w[t,h] ReLU(q[t,h] . K[s]) for s < visible[t], else -infinity.

    The deployed ones are BF16: each product, each weighted ReLU, their sum.
    queries [T,H,i], keys [N,i], head_weights [T,H], visible [T] -> [T,N]
    """
    scores = np.full((len(queries), len(keys)), -np.inf, arithmetic.dtype)
    keys = np.ascontiguousarray(keys.T)
    for t, seen in enumerate(visible):
        relu = np.maximum(arithmetic.bf16(dot(arithmetic, queries[t], keys[:, :seen])), 0)
        if arithmetic.deployed:
            weighted = arithmetic.bf16(head_weights[t, :, None] * relu)
            scores[t, :seen] = arithmetic.bf16(arithmetic.total(weighted, 0))
        else:
            scores[t, :seen] = dot(arithmetic, head_weights[t : t + 1], relu)[0]
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
    queries = project_quantized(arithmetic, query_latent, weights["index_query_projection"])
    queries = queries.reshape(tokens, heads, width)
    queries = rotate(arithmetic, queries, positions, rotary_frequencies(parameters, weights))
    cached = arithmetic.cached_index("index_queries", hadamard(arithmetic, queries))
    keys = compressor(arithmetic, parameters, hidden, weights, "index_", past, INDEX_COMPRESSOR)["entries"]
    cached |= arithmetic.cached_index("index_keys", hadamard(arithmetic, keys))
    queries = cached["index_queries"]
    keys = past.extended(INDEX_KEYS, np.arange(past.start // ratio), cached["index_keys"])

    head_weights = arithmetic.bf16(project(arithmetic, hidden, weights["index_weights_projection"]))
    head_weights = arithmetic.bf16(head_weights * width**-0.5 * heads**-0.5)
    visible = (positions + 1) // ratio
    scores = index_scores(arithmetic, queries, keys, head_weights, visible)
    selection, margin = select(scores, visible, int(parameters["index_topk"]))
    return cached | {
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


def attend_in_blocks(
    arithmetic: Arithmetic, queries: Array, recent: Array, selected: Array, sinks: Array, window: int
) -> Array:
    """(27) as deployed: an online softmax over blocks of slots, whose exponentials are BF16 where they weigh entries.

    The slots are `window` ones for the recent entries, then the selected ones; empty slots weigh nothing.
    queries [h,c], recent [.,c], selected [.,c], sinks [h] -> [h,c]
    """
    entries = np.concatenate([recent, selected])
    scores = dot(arithmetic, queries, np.ascontiguousarray(entries.T)) * entries.shape[1] ** -0.5
    blocks = np.concatenate([np.arange(len(recent)), window + np.arange(len(selected))]) // SLOT_BLOCK
    highest = np.full((len(queries), 1), -np.inf, arithmetic.dtype)
    denominator, numerator = np.zeros_like(highest), np.zeros_like(queries)
    for block in np.unique(blocks):
        here = blocks == block
        before, highest = highest, np.maximum(highest, scores[:, here].max(axis=1, keepdims=True))
        rescale, exponentials = np.exp(before - highest), np.exp(scores[:, here] - highest)
        denominator = denominator * rescale + arithmetic.total(exponentials, 1, keepdims=True)
        numerator = numerator * rescale + dot(arithmetic, arithmetic.bf16(exponentials), entries[here])
    return numerator / (denominator + np.exp(sinks[:, None] - highest))


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
        if arithmetic.deployed:
            attended[t] = attend_in_blocks(arithmetic, queries[t], recent, selected, sinks, window)
        else:
            attended[t] = attend(arithmetic, queries[t], np.concatenate([recent, selected]), sinks)
    return arithmetic.bf16(attended)


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
    return project_quantized(arithmetic, arithmetic.bf16(latent).reshape(tokens, -1), up)


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

    latent = project_quantized(arithmetic, hidden, weights["query_down"])
    latent = rms_norm(arithmetic, latent, weights["query_norm"], epsilon)
    queries = project_quantized(arithmetic, latent, weights["query_up"])
    queries = head_norm(arithmetic, queries.reshape(tokens, int(parameters["heads"]), width), epsilon)
    queries = rotate(arithmetic, queries, positions, frequencies)
    kv = project_quantized(arithmetic, hidden, weights["kv_projection"])
    kv = rotate(arithmetic, rms_norm(arithmetic, kv, weights["kv_norm"], epsilon), positions, frequencies)
    result = {"query_latent": latent, "queries": queries}
    result |= arithmetic.cached_entries("window_entries", kv, 2 * len(frequencies))

    entries, selection, past_entries = np.empty((0, width), arithmetic.dtype), np.empty((tokens, 0), np.int64), 0
    if ratio > 0:
        entries = compressor(arithmetic, parameters, hidden, weights, "compressor_", past)["entries"]
        result |= arithmetic.cached_entries("compressed_entries", entries, 2 * len(frequencies))
        entries, past_entries = result["compressed_entries"], past.start // ratio
        numbers = np.arange(past_entries + len(entries))
        selection = np.where(numbers < (positions[:, None] + 1) // ratio, numbers, -1)
    if ratio == OVERLAPPING_RATIO:
        result |= index(arithmetic, parameters, hidden, latent, weights, past)
        selection = result["selection"]

    recent = np.arange(max(0, past.start - window + 1), past.start)
    window_entries = past.extended(WINDOW, recent, result["window_entries"])
    entries, selection = used_entries(past, past_entries, entries, selection)
    attended = attend_all(arithmetic, queries, window_entries, entries, selection, weights["sinks"], window)
    attended = rotate(arithmetic, attended, positions, frequencies, -1)
    down, up, groups = weights["output_down"], weights["output_up"], int(parameters["groups"])
    output = grouped_output(arithmetic, attended, down, up, groups)
    return result | {"attended": attended, "output": output}


def attention(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """An attention layer from an empty state; what it would cache is shown as well where that is rounded."""
    result = layer(arithmetic, parameters, inputs, weights, Past())
    inner = {"index_weights"}
    if parameters.get("numerics", "exact") == "exact":
        inner |= {"index_queries", "index_keys"}
    return {name: x for name, x in result.items() if name not in inner}


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
    arithmetic = arithmetic_of(parameters.get("numerics", "exact"), dtype, permutation_seed)
    parameters = arithmetic.parameters(parameters)
    return MODEL[operation](arithmetic, parameters, arithmetic.tensors(inputs), arithmetic.tensors(weights))
