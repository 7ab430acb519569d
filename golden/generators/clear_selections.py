"""Draws tokens whose index selections are clear: all gaps among the k + 1 highest scores of a token are wide.

Axes: T tokens, d model width, q query latent, H index heads, i index head width, k top-k.

The index scores computed here only serve to draw tokens; the stored ones come from the oracles.
"""

from collections.abc import Callable

import numpy as np

from attention_inputs import Layer
from case import MARGIN_FLOOR, Array, Tensors


def unit_rms(x: Array, epsilon: float) -> Array:
    return x / np.sqrt((x * x).mean() + epsilon)


def generated(seed: int, tensor: int, rows: Array, columns: int) -> Array:
    """Rows of a tensor of FORMAT.md's generated state. -> [rows,columns]"""
    with np.errstate(over="ignore"):
        x = np.uint64((seed * 1000003 + tensor * 2**32 * 257) % 2**64) + np.uint64(0x9E3779B97F4A7C15)
        x = x + rows.astype(np.uint64)[:, None] * np.uint64(65537) + np.arange(columns, dtype=np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def hadamard(width: int) -> Array:
    """[i,i], orthonormal."""
    matrix = np.ones((1, 1))
    while len(matrix) < width:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.sqrt(width)


class Selector:
    """The indexer of a layer, token by token: scores a token offered at the next position, then takes it or not."""

    def __init__(self, layer: Layer, weights: Tensors, start: int, state_seed: int) -> None:
        self.layer, self.position = layer, start
        self.weights = {name: x.astype(np.float64) for name, x in weights.items() if name.startswith("index_")}
        self.turn = hadamard(layer.index_width)
        self.keys = generated(state_seed, 2, np.arange(start // 4), layer.index_width)
        rows = np.arange(max(0, start // 4 - 1) * 4, start)
        self.rows = [generated(state_seed, tensor, rows, 2 * layer.index_width) for tensor in (5, 6)]  # kv, score
        self.offered: tuple[list[Array], Array] = ([], self.keys)

    def offer(self, hidden: Array, latent: Array) -> tuple[Array, Array]:
        """Products [visible,H] and scores [visible] of a token."""
        hidden, layer = hidden.astype(np.float64), self.layer
        rows = [np.vstack([old, self.weights[f"index_{name}_projection"] @ hidden])
                for old, name in zip(self.rows, ("kv", "gate"), strict=True)]  # fmt: skip
        keys = np.vstack([self.keys, self.key(*rows)]) if self.position % 4 == 3 else self.keys
        queries = (self.weights["index_query_projection"] @ latent).reshape(layer.index_heads, layer.index_width)
        products = keys @ (self.turn @ layer.rotary.rotate(queries, self.position).T)
        head_weights = self.weights["index_weights_projection"] @ hidden / np.sqrt(queries.size)
        self.offered = rows, keys
        return products, np.maximum(products, 0) @ head_weights

    def key(self, kv: Array, score: Array) -> Array:
        """The key of the block that ends at this position, from the projections of its tokens and of those before."""
        width = self.layer.index_width
        score = score[-8:] + np.tile(self.weights["index_position_bias"], (2, 1))[-len(score[-8:]) :]
        halves = [np.vstack([x[-8:-4, :width], x[-4:, width:]]) for x in (kv, score)]
        shares = np.exp(halves[1] - halves[1].max(axis=0))
        pooled = (shares * halves[0]).sum(axis=0) / shares.sum(axis=0)
        normalized = unit_rms(pooled, self.layer.norm_epsilon) * self.weights["index_norm"]
        return self.layer.rotary.rotate(normalized, self.position - 3) @ self.turn

    def take(self) -> None:
        """Go on to the next position with the token last offered."""
        self.rows, self.keys = self.offered
        self.position += 1


def best(scores: Array, count: int) -> Array:
    """The `count` highest scores, or all if there are fewer, highest first."""
    few = np.partition(-scores, count)[:count] if len(scores) > count else -scores
    return -np.sort(few)


def clear(scores: Array, products: Array, k: int, bound: float, ties: bool) -> bool:
    """Whether all gaps among the k + 1 highest scores are far above MARGIN_FLOOR of the bound of all scores.

    With `ties`, scores may also be equal because every head's ReLU gave 0, each by a clear distance.
    """
    highest = best(scores, k + 1)
    gaps = highest[:-1] - highest[1:]
    far = gaps > 2 * MARGIN_FLOOR * bound
    if ties:
        far |= (highest[:-1] == 0) & (highest[1:] == 0)
        far &= np.abs(products).min(initial=np.inf) > 1e-3
    return bool(far.all() and np.abs(scores).max(initial=0) <= bound)


def ties_of_equal_keys(layer: Layer, weights: Tensors, hidden: Array, latents: Array) -> bool:
    """Whether the only unclear choices are between equal keys, and some token has to make one at the boundary."""
    selector, rows, at_boundary = Selector(layer, weights, 0, 0), [], False
    for token, latent in zip(hidden, latents, strict=True):
        products, scores = selector.offer(token, latent)
        selector.take()
        scores = -np.sort(-scores)
        same = -np.diff(scores) < 1e-12
        at_boundary |= len(same) >= layer.topk and bool(same[layer.topk - 1])
        rows.append((products, scores[np.append(~same, True)[: len(scores)]]))
    bound = max(np.abs(scores).max(initial=0) for _, scores in rows)
    return at_boundary and all(clear(scores, products, len(scores), bound, ties=False) for products, scores in rows)


def draw_tokens(
    layer: Layer, weights: Tensors, seed: int, tokens: int, draw: Callable[[np.random.Generator], tuple[Array, Array]],
    *, start: int = 0, ties: bool = False,
) -> list[tuple[Array, Array]]:  # fmt: skip
    """Tokens (hidden, query latent) from `draw`, one after another; one without a clear selection is drawn again.

    The bound of all scores is 1.5 times the largest of a sequence drawn freely. A last token whose scores (after a
    state: whose margin) are small would leave a tensor of small scale, and is drawn again too.
    """
    rng, free = np.random.default_rng([seed, 1]), Selector(layer, weights, start, seed)
    bound = 0.0
    for _ in range(max(8, tokens)):
        bound = max(bound, 1.5 * np.abs(free.offer(*draw(rng))[1]).max(initial=0))
        free.take()
    taken, selector = [], Selector(layer, weights, start, seed)
    while len(taken) < tokens:
        last = len(taken) == tokens - 1
        for _ in range(20_000):
            token = draw(rng)
            products, scores = selector.offer(*token)
            fair = not last or sizeable(scores, layer.topk, bound, margins=start > 0)
            if fair and clear(scores, products, layer.topk, bound, ties):
                break
        else:
            raise ValueError(f"seed {seed}: no token at position {selector.position} has a clear selection")
        selector.take()
        taken.append(token)
    return taken


def sizeable(scores: Array, k: int, bound: float, margins: bool) -> bool:
    """Whether the largest score, or with `margins` the margin, is a fair share of the bound; true without any."""
    if not margins:
        return scores.size == 0 or np.abs(scores).max() > 0.2 * bound
    highest = best(scores, k + 1)
    return len(highest) <= k or highest[k - 1] - highest[k] > 0.01 * bound


def latent_of(layer: Layer, weights: Tensors, hidden: Array) -> Array:
    """The query latent of a token, in float64."""
    down, norm = (weights[name].astype(np.float64) for name in ("query_down", "query_norm"))
    return unit_rms(down @ hidden.astype(np.float64), layer.norm_epsilon) * norm


def layer_tokens(
    layer: Layer, weights: Tensors, seed: int, tokens: int, start: int, *, ties: bool = False, size: float = 1.0
) -> Array:
    """hidden [T,d] of about `size`; for a layer with an indexer, such that its selections are clear."""

    def draw(rng: np.random.Generator) -> tuple[Array, Array]:
        hidden = np.float32(size) * layer.vector(rng, layer.width)
        return hidden, latent_of(layer, weights, hidden)

    if layer.index_heads:
        drawn = draw_tokens(layer, weights, seed, tokens, draw, start=start, ties=ties)
        return np.stack([hidden for hidden, _ in drawn])
    return np.float32(size) * layer.vector(np.random.default_rng([seed, 1]), tokens, layer.width)
