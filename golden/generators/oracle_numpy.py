"""Generator B: the golden operations of DeepSeek-V4 in NumPy, written from the report and the released equations.

Axes: T tokens, n residual streams, d model width, M = (2+n)n mixes, E routed experts, k experts per token,
f expert width, V vocabulary. `[...]` in a docstring is a shape.

All real arithmetic happens in one dtype: float64 gives the truth, float32 measures how far single precision strays.
Every sum goes through `Arithmetic.total` or `Arithmetic.contract`, so that its order can be permuted by a seed.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

Array = np.ndarray
Tensors = dict[str, np.ndarray]

REAL_PARAMETERS = {"epsilon", "norm_epsilon", "route_scale", "clamp_limit"}


# Arithmetic


@dataclass(frozen=True)
class Arithmetic:
    """The dtype of all real numbers, and the order of all sums (NumPy's own unless `generator` is set).

    The last four methods mark the places where the released model rounds; here they do not. `precision_numpy` does.
    """

    dtype: np.dtype
    generator: np.random.Generator | None = None
    deployed: ClassVar[bool] = False

    def parameters(self, parameters: dict) -> dict:
        """Real parameters to dtype; counts and choices unchanged."""
        return {name: self.dtype.type(p) if name in REAL_PARAMETERS else p for name, p in parameters.items()}

    def tensors(self, tensors: Tensors) -> Tensors:
        """Reals to dtype, ids to int64."""
        return {name: x.astype(self.dtype if x.dtype.kind == "f" else np.int64) for name, x in tensors.items()}

    def total(self, x: Array, axis: int, keepdims: bool = False) -> Array:
        """sum over one axis; with a generator, one term after another in a random order."""
        if self.generator is None:
            return x.sum(axis=axis, keepdims=keepdims)
        order = self.generator.permutation(x.shape[axis])
        partial_sums = np.add.accumulate(x.take(order, axis), axis=axis)
        return partial_sums.take([-1] if keepdims else -1, axis)

    def contract(self, a: Array, b: Array) -> Array:
        """sum_i a[..., m, i] b[..., i, p]; with a generator, one product after another in a random order."""
        if self.generator is None:
            return a @ b
        order = self.generator.permutation(a.shape[-1])
        a, b = a.take(order, axis=-1), b.take(order, axis=-2)
        result = a[..., :1] * b[..., :1, :]
        for i in range(1, len(order)):
            result += a[..., i : i + 1] * b[..., i : i + 1, :]
        return result

    def linear(self, x: Array, weight: Array) -> Array:
        """x W^T, for weights stored as [out, in]."""
        return self.contract(x, weight.T)

    def normalize(self, x: Array, axis: int, epsilon: np.floating | int = 0) -> Array:
        """x / (sum of x over axis + epsilon)."""
        return x / (self.total(x, axis, keepdims=True) + epsilon)

    def bf16(self, x: Array) -> Array:
        """An activation that is stored as BF16."""
        return x

    def linear_input(self, x: Array) -> Array:
        """The input of a linear map whose weight is stored as FP8 or FP4."""
        return x

    def cached_entries(self, name: str, x: Array, rotary_dims: int) -> Tensors:
        """Window or compressed entries; where they are rounded, also before that and with margins."""
        return {name: x}

    def cached_index(self, name: str, x: Array) -> Tensors:
        """Index queries or keys; where they are rounded, also before that and with margins."""
        return {name: x}


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows and small values keep their relative precision."""
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, z) / (1 + z)


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def sqrt_softplus(x: Array) -> Array:
    """sqrt(log(1 + exp(x))), to full relative precision on both sides.

    x > 0:   sqrt(x + log1p(exp(-x)))
    x <= 0:  exp(x/2) sqrt(log1p(e)/e) with e = exp(x); the second factor is 1 once e has underflowed
    """
    e = np.exp(-np.abs(x))
    correction = np.divide(np.log1p(e), e, out=np.ones_like(e), where=e >= np.finfo(e.dtype).tiny)
    positive = np.sqrt(np.maximum(x, 0) + np.log1p(e))
    negative = np.exp(np.minimum(x, 0) / 2) * np.sqrt(correction)
    return np.where(x > 0, positive, negative)


# Hyper-connections (report 2.2)


def mixing(arithmetic: Arithmetic, streams: Array, projection: Array, norm_epsilon: np.floating) -> Array:
    """mixes = (vec(X) P^T) / sqrt(mean(vec(X)^2) + norm_epsilon); the division comes after the product.

    streams [T,n,d], projection [m,nd] -> [T,m]
    """
    vector = streams.reshape(streams.shape[0], -1)
    mean_square = arithmetic.total(vector * vector, -1, keepdims=True) / vector.shape[-1]
    return arithmetic.linear(vector, projection) * (1 / np.sqrt(mean_square + norm_epsilon))


def sinkhorn_knopp(arithmetic: Arithmetic, logits: Array, iterations: int, epsilon: np.floating) -> Array:
    """The released order: row softmax + epsilon, columns, then (iterations - 1) times (rows, columns).

    Epsilon is in every denominator. logits [T,n,n] -> combination [T,n,n]
    """
    softmax = arithmetic.normalize(np.exp(logits - logits.max(axis=-1, keepdims=True)), -1)
    combination = arithmetic.normalize(softmax + epsilon, -2, epsilon)
    for _ in range(iterations - 1):
        combination = arithmetic.normalize(combination, -1, epsilon)
        combination = arithmetic.normalize(combination, -2, epsilon)
    return combination


def collapse(arithmetic: Arithmetic, gates: Array, streams: Array) -> Array:
    """sum_j gates[j] X[j]. gates [T,n], streams [T,n,d] -> [T,d]"""
    return arithmetic.bf16(arithmetic.contract(gates[:, None, :], streams)[:, 0, :])


def distribute(arithmetic: Arithmetic, post: Array, output: Array, combination: Array, streams: Array) -> Array:
    """X'[k] = post[k] out + sum_j comb[j,k] X[j]: comb is used transposed.

    post [T,n], output [T,d], combination [T,n,n], streams [T,n,d] -> [T,n,d]
    """
    mixed = arithmetic.contract(combination.swapaxes(-2, -1), streams)
    return arithmetic.bf16(post[:, :, None] * output[:, None, :] + mixed)


def expand(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """X[j] = embedding for every stream j."""
    return {"streams": np.repeat(inputs["embedding"][:, None, :], parameters["streams"], axis=1)}


def sinkhorn(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """The released Sinkhorn-Knopp iteration alone."""
    iterations, epsilon = parameters["iterations"], parameters["epsilon"]
    return {"combination": sinkhorn_knopp(arithmetic, inputs["combination_logits"], iterations, epsilon)}


def equation_8(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """M(0) = exp(B~), M(t) = T_r(T_c(M(t-1))): columns, then rows; no epsilon; B = M(iterations), iterations >= 1.

    The middle of each matrix's range is subtracted first: a common factor of M(0), which the first column
    normalisation removes, and which leaves equal room against overflow and underflow.
    """
    logits = inputs["residual_logits"]
    middle = (logits.max(axis=(-2, -1), keepdims=True) + logits.min(axis=(-2, -1), keepdims=True)) / 2
    matrix = np.exp(logits - middle)
    for _ in range(parameters["iterations"]):
        matrix = arithmetic.normalize(matrix, -2)
        matrix = arithmetic.normalize(matrix, -1)
    return {"residual_mixing": matrix}


def before_layer(arithmetic: Arithmetic, parameters: dict, streams: Array, weights: Tensors) -> Tensors:
    """An mHC site up to the input of its layer, equations (3) to (8) as released; the M mixes hold pre, post, comb.

    pre = sigmoid(mix scale[0] + base) + epsilon        post = 2 sigmoid(mix scale[1] + base)
    comb = sinkhorn(reshape(mix scale[2] + base, n, n)), row-major        streams [T,n,d]
    """
    iterations, epsilon = parameters["iterations"], parameters["epsilon"]
    tokens, n, _ = streams.shape
    mixes = mixing(arithmetic, streams, weights["projection"], parameters["norm_epsilon"])
    logits = mixes * np.repeat(weights["scale"], [n, n, n * n]) + weights["base"]
    pre = sigmoid(logits[:, :n]) + epsilon
    post = 2 * sigmoid(logits[:, n : 2 * n])
    combination_logits = logits[:, 2 * n :].reshape(tokens, n, n)
    combination = sinkhorn_knopp(arithmetic, combination_logits, iterations, epsilon)
    return {
        "mixes": mixes,
        "pre": pre,
        "post": post,
        "combination_logits": combination_logits,
        "combination": combination,
        "layer_input": collapse(arithmetic, pre, streams),
    }


def site(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """One mHC site around a layer whose output is given, equations (1) and (3) to (8)."""
    streams = inputs["streams"]
    result = before_layer(arithmetic, parameters, streams, weights)
    streams = distribute(arithmetic, result["post"], inputs["layer_output"], result["combination"], streams)
    return result | {"streams_out": streams}


def head(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """The collapse after the last layer: gates = sigmoid(mix scale + base) + epsilon, y = sum_j gates[j] X[j]."""
    streams = inputs["streams"]
    mixes = mixing(arithmetic, streams, weights["projection"], parameters["norm_epsilon"])
    gates = sigmoid(mixes * weights["scale"] + weights["base"]) + parameters["epsilon"]
    return {"mixes": mixes, "gates": gates, "collapsed": collapse(arithmetic, gates, streams)}


# Expert routing (report 2.1)


def select(selection_scores: Array, k: int) -> tuple[Array, Array]:
    """The k highest scores of each row, highest first, equal scores by lower index; and the margin of the choice.

    margin = k-th minus (k+1)-th score, +infinity when k = E. [T,E] -> indices [T,k], margin [T]
    """
    order = np.argsort(-selection_scores, axis=-1, kind="stable")
    indices = order[:, :k]
    if k == selection_scores.shape[-1]:
        return indices, np.full(len(indices), np.inf, selection_scores.dtype)
    boundary = np.take_along_axis(selection_scores, order[:, k - 1 : k + 1], axis=-1)
    return indices, boundary[:, 0] - boundary[:, 1]


def routing_weights(arithmetic: Arithmetic, scores: Array, indices: Array, route_scale: np.floating) -> Array:
    """weights = scores[indices] / sum(scores[indices]) route_scale, from scores without bias. -> [T,k]"""
    return arithmetic.normalize(np.take_along_axis(scores, indices, axis=-1), -1) * route_scale


def affinity(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """scores = sqrt(softplus(logits))."""
    return {"scores": sqrt_softplus(inputs["logits"])}


def router(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """Learned routing: scores = sqrt(softplus(x G^T)); the top k of scores + bias; weights from scores alone."""
    logits = arithmetic.linear(inputs["hidden"], weights["gate"])
    scores = sqrt_softplus(logits)
    selection_scores = scores + weights["bias"]
    indices, margin = select(selection_scores, parameters["experts_per_token"])
    return {
        "logits": logits,
        "scores": scores,
        "selection_scores": selection_scores,
        "indices": indices,
        "margin": margin,
        "weights": routing_weights(arithmetic, scores, indices, parameters["route_scale"]),
    }


def hash_router(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """Hash routing: indices = table[token id]; the gate gives the weights only; a bias plays no part.

    An expert named twice in a row takes two slots, in the normalising sum too.
    """
    logits = arithmetic.linear(inputs["hidden"], weights["gate"])
    scores = sqrt_softplus(logits)
    indices = weights["token_experts"][inputs["token_ids"]]
    slot_weights = routing_weights(arithmetic, scores, indices, parameters["route_scale"])
    return {"logits": logits, "scores": scores, "indices": indices, "weights": slot_weights}


def clamped_swiglu(gate: Array, up: Array, limit: np.floating) -> Array:
    """silu(min(gate, limit)) clip(up, -limit, limit): the gate is capped above only. Limit 0 means no clamp."""
    if limit != 0:
        gate, up = np.minimum(gate, limit), np.clip(up, -limit, limit)
    return silu(gate) * up


def expert(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """One expert: gate = x G^T, up = x U^T, activation = slot_weight swiglu(gate, up), output = activation D^T.

    The slot weight comes before the down projection.
    """
    hidden = arithmetic.linear_input(inputs["hidden"])
    gate = arithmetic.bf16(arithmetic.linear(hidden, weights["gate_projection"]))
    up = arithmetic.bf16(arithmetic.linear(hidden, weights["up_projection"]))
    swiglu = clamped_swiglu(gate, up, parameters["clamp_limit"])
    activation = arithmetic.bf16(inputs["slot_weights"][:, None] * swiglu)
    output = arithmetic.bf16(arithmetic.linear(arithmetic.linear_input(activation), weights["down_projection"]))
    return {"gate": gate, "up": up, "activation": activation, "output": output}


def route_and_mix(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """A mixture with everything of its router.

    output = routed + shared; routed = sum over the k slots of expert[index](x, weight); shared has weight 1.
    """
    route = {"learned": router, "hash": hash_router}[parameters["routing"]]
    routing = route(arithmetic, parameters, inputs, weights)
    hidden, indices, slot_weights = inputs["hidden"], routing["indices"], routing["weights"]
    projections = ("gate_projection", "up_projection", "down_projection")
    slot_outputs = np.zeros((*indices.shape, hidden.shape[-1]), arithmetic.dtype)
    for index in np.unique(indices):
        token, slot = np.nonzero(indices == index)
        tokens = {"hidden": hidden[token], "slot_weights": slot_weights[token, slot]}
        matrices = {name: weights[name][index] for name in projections}
        slot_outputs[token, slot] = expert(arithmetic, parameters, tokens, matrices)["output"]
    routed = arithmetic.total(slot_outputs, 1)

    tokens = {"hidden": hidden, "slot_weights": np.ones(len(hidden), arithmetic.dtype)}
    matrices = {name: weights[f"shared_{name}"] for name in projections}
    shared = expert(arithmetic, parameters, tokens, matrices)["output"]
    return routing | {"routed": routed, "shared": shared, "output": arithmetic.bf16(routed + shared)}


def mixture(arithmetic: Arithmetic, parameters: dict, inputs: Tensors, weights: Tensors) -> Tensors:
    """A mixture of experts."""
    result = route_and_mix(arithmetic, parameters, inputs, weights)
    return {name: result[name] for name in ("indices", "weights", "routed", "shared", "output")}


# Harness: the reader, not the model; always float64


def as_float64(inputs: Tensors) -> Tensors:
    """Every value as native float64, whatever its stored type and byte order."""
    return {name: x.astype(np.float64) for name, x in inputs.items()}


def layout(inputs: Tensors) -> Tensors:
    """Transpose, row-major flattening and sums that tell the axes apart."""
    matrix, cube = as_float64(inputs)["matrix"], as_float64(inputs)["cube"]
    return {
        "matrix_transposed": np.ascontiguousarray(matrix.T),
        "matrix_flat": matrix.ravel(),
        "matrix_row_sums": matrix.sum(axis=1),
        "cube_last_axis_sums": cube.sum(axis=2),
    }


HARNESS = {"layout": layout, "dtypes": as_float64, "endianness": as_float64}
MODEL = {
    "expand": expand, "sinkhorn": sinkhorn, "equation-8": equation_8, "site": site, "head": head,
    "affinity": affinity, "router": router, "hash-router": hash_router, "expert": expert, "mixture": mixture,
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
    if operation in HARNESS:
        return HARNESS[operation](inputs)
    generator = None if permutation_seed is None else np.random.default_rng(permutation_seed)
    arithmetic = Arithmetic(np.dtype(dtype), generator)
    parameters = arithmetic.parameters(parameters)
    return MODEL[operation](arithmetic, parameters, arithmetic.tensors(inputs), arithmetic.tensors(weights))
