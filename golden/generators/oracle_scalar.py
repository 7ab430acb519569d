"""Generator C: every golden operation once more, as scalar loops in extended precision.

It shares no formula, no summation order and no vectorisation with generator B, so that the two can confirm each other:

* Numbers are Python floats (inputs and weights, exactly as stored) and mpmath reals of 40 digits (all the rest).
* Long dot products are sums of integers on a binary grid: no rounding, hence no order of summation.
* mHC normalises the streams before it projects them, keeps the Sinkhorn matrix as one start matrix with two scaling
  vectors, and writes the end of a site as one product [B | C] [X ; F].
* Equation (8) runs on logarithms; experts are selected by repeated search; the slot weight multiplies expert outputs.

Each result is rounded to float64 once, at the very end. Names and shapes are those of FORMAT.md:
T tokens, n streams, d width, M = (2 + n) n mixes, E experts, k experts per token, f expert width, V vocabulary.
Equation numbers are those of the DeepSeek-V4 report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

import numpy as np
from mpmath import MPContext

mp = MPContext()
mp.dps = 40  # and no end of the exponent range: no softmax or softplus below needs a guard against overflow

Real = mp.mpf  # an input may also be a float: mixed with an extended real, it is taken at its exact value
Vector = Sequence[Real]
Matrix = Sequence[Vector]
Arrays = dict[str, np.ndarray]
Outputs = dict[str, Any]

GRID_BITS = 256  # every float32 is a multiple of 2^-149, hence an integer on this grid


def run(operation: str, parameters: dict[str, Any], inputs: Arrays, weights: Arrays) -> Arrays:
    """The expected tensors of one case: float64 for reals, int64 for `indices`."""
    outputs = OPERATIONS[operation](parameters, inputs, weights)
    return {name: np.array(v, dtype=np.int64 if name == "indices" else np.float64) for name, v in outputs.items()}


# --- Numbers, vectors, matrices --------------------------------------------------------------------------------------


def for_each_token(function: Callable[..., Outputs], *arguments: Sequence) -> Outputs:
    """Apply `function` to each slice of its arguments along the first axis, T, and collect every output along it."""
    results = [function(*token) for token in zip(*arguments, strict=True)]
    return {name: [result[name] for result in results] for name in results[0]}


def transpose(matrix: Matrix) -> Matrix:
    return list(zip(*matrix, strict=True))


def on_grid(vector: Vector) -> list[int]:
    """v [d] -> trunc(2^256 v) [d]: exact for float32 values, to 1e-77 for computed ones."""
    return [int(value * 2.0**GRID_BITS) for value in vector]


def grid_dot(a: list[int], b: list[int]) -> Real:
    """sum_i a_i b_i of two vectors on the grid; the only rounding is the final one to 40 digits."""
    return +mp.ldexp(sum(map(mul, a, b)), -2 * GRID_BITS)


def linear(matrix: np.ndarray, x: Vector) -> Vector:
    """W x: [m,d], [d] -> [m]."""
    x_on_grid = on_grid(x)
    return [grid_dot(on_grid(row.tolist()), x_on_grid) for row in matrix]


def sigmoid(x: Real) -> Real:
    """e^x / (1 + e^x)."""
    power = mp.exp(x)
    return power / (1 + power)


def softmax(x: Vector) -> Vector:
    """e^{x_i} / sum_j e^{x_j}: [n] -> [n]."""
    powers = [mp.exp(value) for value in x]
    total = mp.fsum(powers)
    return [power / total for power in powers]


def log_sum_exp(x: Vector) -> Real:
    """log sum_i e^{x_i}: [n] -> []."""
    return mp.log(mp.fsum(mp.exp(value) for value in x))


# --- Hyper-connections (report 2.2) ----------------------------------------------------------------------------------


def rms_normalised(x: Vector, norm_epsilon: float) -> Vector:
    """x / sqrt(mean(x^2) + norm_epsilon), without a weight: [d] -> [d]."""
    x_on_grid = on_grid(x)
    root_mean_square = mp.sqrt(grid_dot(x_on_grid, x_on_grid) / len(x) + norm_epsilon)
    return [value / root_mean_square for value in x]


def mixes_of_streams(streams: Matrix, projection: np.ndarray, norm_epsilon: float) -> Vector:
    """W RMSNorm(vec(X)): [n,d], [m,nd] -> [m], before any scale and base."""
    flat = [value for stream in streams for value in stream]
    return linear(projection, rms_normalised(flat, norm_epsilon))


def affine(mixes: Vector, scale: float, base: Sequence[float]) -> Vector:
    """scale x mixes + base: [m], [], [m] -> [m]; eqs. (3), (4), (5)."""
    return [mix * scale + offset for mix, offset in zip(mixes, base, strict=True)]


def weighted_sum(gates: Vector, streams: Matrix) -> Vector:
    """sum_j gates_j X_j: [n], [n,d] -> [d]."""
    return [mp.fdot(gates, channel) for channel in transpose(streams)]


def rescaled(scaling: Vector, start: Matrix, other: Vector, epsilon: float) -> Vector:
    """s_i / (s_i (K t)_i + epsilon): each row of diag(s) K diag(t) over its sum + epsilon: [n], [n,n], [n] -> [n]."""
    return [s / (s * mp.fdot(row, other) + epsilon) for s, row in zip(scaling, start, strict=True)]


def sinkhorn_combination(logits: Matrix, iterations: int, epsilon: float) -> Matrix:
    """diag(u) K diag(v): [n,n] -> [n,n], with K = softmax of the rows + epsilon.

    Dividing a row (column) by its sum plus epsilon changes one entry of u (v) only, so K itself never changes.
    Released order: columns, then (iterations - 1) times rows, columns.
    """
    start = [[entry + epsilon for entry in softmax(row)] for row in logits]
    start_transposed = transpose(start)
    u = [mp.one] * len(start)
    v = rescaled([mp.one] * len(start), start_transposed, u, epsilon)
    for _ in range(iterations - 1):
        u = rescaled(u, start, v, epsilon)
        v = rescaled(v, start_transposed, u, epsilon)
    return [[u_j * entry * v_k for entry, v_k in zip(row, v)] for u_j, row in zip(u, start)]


def residual_mixing(logits: Matrix, iterations: int) -> Matrix:
    """Eq. (8) on logarithms: B_ij = exp(B~_ij - r_i - c_j): [n,n] -> [n,n].

    Each iteration is the columns, c_j = log sum_i exp(B~_ij - r_i), then the rows, r_i = log sum_j exp(B~_ij - c_j).
    """
    r = c = [mp.zero] * len(logits)
    for _ in range(iterations):
        c = [log_sum_exp([b - r_i for b, r_i in zip(column, r)]) for column in transpose(logits)]
        r = [log_sum_exp([b - c_j for b, c_j in zip(row, c)]) for row in logits]
    return [[mp.exp(b - r_i - c_j) for b, c_j in zip(row, c)] for row, r_i in zip(logits, r)]


def next_streams(combination: Matrix, post: Vector, streams: Matrix, layer_output: Vector) -> Matrix:
    """Eq. (1) as [B | C] [X ; F], with B = combination transposed and C = post: -> [n,d]."""
    mixing = [[*row, gate] for row, gate in zip(transpose(combination), post, strict=True)]
    channels = transpose([*streams, layer_output])
    return [[mp.fdot(row, channel) for channel in channels] for row in mixing]


def expand(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """X_j = embedding for every stream j: [T,d] -> [T,n,d]."""
    streams = int(parameters["streams"])
    return {"streams": [[embedding] * streams for embedding in inputs["embedding"].tolist()]}


def sinkhorn(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The released iteration on every token: [T,n,n] -> [T,n,n]."""
    iterations, epsilon = int(parameters["iterations"]), float(parameters["epsilon"])
    token_logits = inputs["combination_logits"].tolist()
    return {"combination": [sinkhorn_combination(logits, iterations, epsilon) for logits in token_logits]}


def equation_8(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The iteration of the report on every token: [T,n,n] -> [T,n,n]."""
    iterations = int(parameters["iterations"])
    return {"residual_mixing": [residual_mixing(logits, iterations) for logits in inputs["residual_logits"].tolist()]}


def site_gates(parameters: dict, streams: Matrix, weights: Arrays) -> Outputs:
    """The gates of one mHC site as released: A = sigmoid(.) + epsilon, C = 2 sigmoid(.), B = sinkhorn(.) transposed."""
    epsilon, n = float(parameters["epsilon"]), len(streams)
    base, (pre_scale, post_scale, combination_scale) = weights["base"].tolist(), weights["scale"].tolist()
    mixes = mixes_of_streams(streams, weights["projection"], float(parameters["norm_epsilon"]))
    pre = [sigmoid(x) + epsilon for x in affine(mixes[:n], pre_scale, base[:n])]
    post = [2 * sigmoid(x) for x in affine(mixes[n : 2 * n], post_scale, base[n : 2 * n])]
    flat_logits = affine(mixes[2 * n :], combination_scale, base[2 * n :])
    logits = [flat_logits[j * n : (j + 1) * n] for j in range(n)]
    combination = sinkhorn_combination(logits, int(parameters["iterations"]), epsilon)
    return {"mixes": mixes, "pre": pre, "post": post, "combination_logits": logits, "combination": combination}


def site(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """One mHC site with the output of its layer: [T,n,d], [T,d] -> [T,n,d]."""

    def token(streams: Matrix, layer_output: Vector) -> Outputs:
        out = site_gates(parameters, streams, weights)
        out["layer_input"] = weighted_sum(out["pre"], streams)
        out["streams_out"] = next_streams(out["combination"], out["post"], streams, layer_output)
        return out

    return for_each_token(token, inputs["streams"].tolist(), inputs["layer_output"].tolist())


def head_gates(parameters: dict, streams: Matrix, weights: Arrays) -> Outputs:
    """The gates of the collapse after the last layer, sigmoid(scale mixes + base) + epsilon: [n,d] -> [n]."""
    base, (scale,) = weights["base"].tolist(), weights["scale"].tolist()
    mixes = mixes_of_streams(streams, weights["projection"], float(parameters["norm_epsilon"]))
    return {"mixes": mixes, "gates": [sigmoid(x) + float(parameters["epsilon"]) for x in affine(mixes, scale, base)]}


def head(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The collapse after the last layer: sum_j gates_j X_j: [T,n,d] -> [T,d]."""

    def token(streams: Matrix) -> Outputs:
        out = head_gates(parameters, streams, weights)
        return out | {"collapsed": weighted_sum(out["gates"], streams)}

    return for_each_token(token, inputs["streams"].tolist())


# --- Expert routing (report 2.1) -------------------------------------------------------------------------------------


def affinity_score(logit: Real) -> Real:
    """sqrt(softplus(x)) = sqrt(log(1 + e^x))."""
    return mp.sqrt(mp.log1p(mp.exp(logit)))


def selected(scores: Vector, count: int) -> list[int]:
    """`count` times the largest remaining score, the first of equal ones: [E] -> [k]."""
    remaining, chosen = list(range(len(scores))), []
    for _ in range(count):
        best = remaining[0]
        for expert_id in remaining:
            best = expert_id if scores[expert_id] > scores[best] else best
        remaining.remove(best)
        chosen.append(best)
    return chosen


def selection_margin(scores: Vector, indices: list[int]) -> Real:
    """The last selected score minus the best rejected one, +infinity if none is rejected: [E], [k] -> []."""
    rejected = [score for expert_id, score in enumerate(scores) if expert_id not in indices]
    return scores[indices[-1]] - max(rejected) if rejected else mp.inf


def slot_weights(scores: Vector, indices: list[int], route_scale: float) -> Vector:
    """route_scale s_e / sum over the slots of s: [E], [k] -> [k], from scores without bias."""
    total = mp.fsum(scores[expert_id] for expert_id in indices)
    return [route_scale * scores[expert_id] / total for expert_id in indices]


def affinity(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """The score of every logit: [T,E] -> [T,E]."""
    return {"scores": [[affinity_score(logit) for logit in logits] for logits in inputs["logits"].tolist()]}


def router(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Learned routing: select on score + bias, weigh by score: [T,d], [E,d], [E] -> [T,k]."""
    count, route_scale = int(parameters["experts_per_token"]), float(parameters["route_scale"])
    bias = weights["bias"].tolist()

    def token(hidden: Vector) -> Outputs:
        logits = linear(weights["gate"], hidden)
        scores = [affinity_score(logit) for logit in logits]
        selection_scores = [score + offset for score, offset in zip(scores, bias, strict=True)]
        indices = selected(selection_scores, count)
        out = {"logits": logits, "scores": scores, "selection_scores": selection_scores, "indices": indices}
        out["margin"] = selection_margin(selection_scores, indices)
        out["weights"] = slot_weights(scores, indices, route_scale)
        return out

    return for_each_token(token, inputs["hidden"].tolist())


def hash_router(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Hash routing: the table row selects, in its order, and the gate only weighs; a stray `bias` has no effect:
    [T,d], [T], [E,d], [V,k] -> [T,k]."""
    route_scale, table = float(parameters["route_scale"]), weights["token_experts"].tolist()

    def token(hidden: Vector, token_id: int) -> Outputs:
        logits = linear(weights["gate"], hidden)
        scores = [affinity_score(logit) for logit in logits]
        slots = slot_weights(scores, table[token_id], route_scale)
        return {"logits": logits, "scores": scores, "indices": table[token_id], "weights": slots}

    return for_each_token(token, inputs["hidden"].tolist(), inputs["token_ids"].tolist())


# --- Experts ---------------------------------------------------------------------------------------------------------


def silu(x: Real) -> Real:
    """x / (1 + e^-x)."""
    return x / (1 + mp.exp(-x))


def swiglu(gate: Real, up: Real, limit: float) -> Real:
    """silu(min(gate, limit)) x clip(up, -limit, limit); a limit of 0 means none. The gate has no lower limit."""
    return silu(min(gate, limit)) * max(-limit, min(up, limit)) if limit else silu(gate) * up


def feed_forward(x: Vector, weight: Real, projections: Sequence[np.ndarray], limit: float) -> Outputs:
    """weight x W_down swiglu(W_gate x, W_up x): [d], [], ([f,d], [f,d], [d,f]) -> [d].

    `activation` holds the weight as well; the output takes it after the down projection, which is the same number.
    """
    gate_projection, up_projection, down_projection = projections
    gate, up = linear(gate_projection, x), linear(up_projection, x)
    unweighted = [swiglu(g, u, limit) for g, u in zip(gate, up, strict=True)]
    activation = [weight * value for value in unweighted]
    output = [weight * value for value in linear(down_projection, unweighted)]
    return {"gate": gate, "up": up, "activation": activation, "output": output}


def expert(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """One expert on every token: [T,d], [T] -> [T,d]."""
    limit = float(parameters["clamp_limit"])
    projections = [weights[f"{name}_projection"] for name in ("gate", "up", "down")]
    hidden, slots = inputs["hidden"].tolist(), inputs["slot_weights"].tolist()
    return for_each_token(lambda x, weight: feed_forward(x, weight, projections, limit), hidden, slots)


def mixture(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """sum over the slots of w_e expert_e(x), plus shared(x): [T,d] -> [T,d]. A repeated expert counts once a slot."""
    routing = {"learned": router, "hash": hash_router}[parameters["routing"]](parameters, inputs, weights)
    limit = float(parameters["clamp_limit"])
    routed_projections = [weights[f"{name}_projection"] for name in ("gate", "up", "down")]
    shared_projections = [weights[f"shared_{name}_projection"] for name in ("gate", "up", "down")]

    def token(hidden: Vector, indices: list[int], slots: Vector) -> Outputs:
        terms = [
            feed_forward(hidden, weight, [stack[expert_id] for stack in routed_projections], limit)["output"]
            for expert_id, weight in zip(indices, slots, strict=True)
        ]
        routed = [mp.fsum(channel) for channel in transpose(terms)]
        shared = feed_forward(hidden, mp.one, shared_projections, limit)["output"]
        output = [a + b for a, b in zip(routed, shared, strict=True)]
        return {"indices": indices, "weights": slots, "routed": routed, "shared": shared, "output": output}

    return for_each_token(token, inputs["hidden"].tolist(), routing["indices"], routing["weights"])


# --- Harness: the reader, not the model ------------------------------------------------------------------------------


def layout(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Transpose, row-major order and sums of `matrix` [3,4] and `cube` [2,3,4]."""
    matrix, cube = inputs["matrix"].tolist(), inputs["cube"].tolist()
    return {
        "matrix_transposed": transpose(matrix),
        "matrix_flat": [value for row in matrix for value in row],
        "matrix_row_sums": [math.fsum(row) for row in matrix],
        "cube_last_axis_sums": [[math.fsum(row) for row in plane] for plane in cube],
    }


def same_values(parameters: dict, inputs: Arrays, weights: Arrays) -> Outputs:
    """Every input by its own name, value by value."""
    return {name: array.tolist() for name, array in inputs.items()}


MODEL_OPERATIONS = (expand, sinkhorn, equation_8, site, head, affinity, router, hash_router, expert, mixture)
OPERATIONS = {function.__name__.replace("_", "-"): function for function in MODEL_OPERATIONS}
OPERATIONS |= {"layout": layout, "dtypes": same_values, "endianness": same_values}
