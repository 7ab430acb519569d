"""Generator C, whole models and multi-token prediction: a decoder that is fed one token at a time.

A model is a list of blocks, each with the state of its attention; a token goes through all of them before the next one
comes, so neither prefill nor chunks nor drafts exist here. The MTP block follows one position behind: it needs the
streams of a position and the token after it. Gates of hyper-connections and routers are those of `oracle_scalar`
(mpmath reals of 40 digits); all else is extended, rounded to float64 at the very end and, where the numerics say so,
at the points of `numerics_scalar`.

Names and shapes are those of FORMAT.md: T tokens, n streams, d width, E experts, k experts per token or index top-k,
K = min(k, T / 4), f expert width, V vocabulary. Equation numbers are those of the DeepSeek-V4 report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from attention_scalar import Attention
from compression_scalar import OVERLAPPING_RATIO
from extended_scalar import Array, Extended, extended_from_mp, padded
from numerics_scalar import Numerics
from oracle_scalar import Arrays, Outputs, for_each_token, hash_router, head_gates, mp, router, site_gates
from rotary_scalar import rotary_frequencies
from weights_scalar import attention_weights, expert_weights, model_weights_of, site_weights

Config = dict[str, Any]
INTEGERS = ("selection", "indices")  # the last part of a name


def run(operation: str, parameters: dict[str, Any], inputs: Arrays, weights: Arrays) -> Arrays:
    """The expected tensors of one case: float64 for reals, int64 for selections. The weights are generated."""
    outputs = OPERATIONS[operation](parameters, inputs)
    return {
        name: np.array(value, dtype=np.int64 if name.rsplit(".", 1)[-1] in INTEGERS else np.float64)
        for name, value in outputs.items()
    }


# --- Parameters of the parts, from a configuration -------------------------------------------------------------------


def rotary_parameters(config: Config, ratio: int, angles: str) -> tuple[dict[str, Any], Arrays]:
    """The rotary parameters of a layer, and the table of its frequencies where angles are formed in float32.

    Without compression there is no YaRN, and another base.
    """
    scaling = config.get("rope_scaling") or {}
    length = scaling.get("original_max_position_embeddings", 0) if ratio else 0
    parameters = {"rope_dims": config["qk_rope_head_dim"], "yarn_original_length": length, "angles": "exact"}
    parameters["theta"] = config["compress_rope_theta" if ratio else "rope_theta"]
    if length:
        parameters |= {f"yarn_{name}": scaling[name] for name in ("factor", "beta_fast", "beta_slow")}
    if angles == "exact":
        return parameters, {}
    table = rotary_frequencies(parameters, {}).astype(np.float32)
    return parameters | {"angles": angles}, {"frequency_table": table}


def attention_parameters(config: Config, ratio: int, numerics: str) -> dict[str, Any]:
    """Those of the attention of a layer, without the rotary ones."""
    parameters = {
        "heads": config["num_attention_heads"],
        "window": config["sliding_window"],
        "ratio": ratio,
        "groups": config["o_groups"],
        "norm_epsilon": config["rms_norm_eps"],
        "numerics": numerics,
    }
    if ratio == OVERLAPPING_RATIO:
        parameters |= {"index_heads": config["index_n_heads"], "index_topk": config["index_topk"]}
    return parameters


def site_parameters(config: Config) -> dict[str, Any]:
    """Those of every hyper-connection site and head."""
    names = {"iterations": "hc_sinkhorn_iters", "epsilon": "hc_eps", "norm_epsilon": "rms_norm_eps"}
    return {name: config[key] for name, key in names.items()}


# --- Hyper-connections (report 2.2) ----------------------------------------------------------------------------------


class Site:
    """A hyper-connection around one layer, with the norm before it."""

    def __init__(self, config: Config, weights: Arrays, prefix: str, kind: str, numerics: Numerics) -> None:
        self.parameters, self.numerics = site_parameters(config), numerics
        self.weights = site_weights(weights, f"{prefix}hc_{kind}_")
        self.norm = weights[f"{prefix}{kind}_norm.weight"]

    def feed(self, streams: Array, layer: Callable[[Array], Array]) -> Array:
        """Eq. (1) as [B | C] [X ; F(norm(A X))]: [n,d] -> [n,d]."""
        gates = site_gates(self.parameters, mp_rows(streams), self.weights)
        pre, post, combination = (extended_from_mp(gates[name]) for name in ("pre", "post", "combination"))
        layer_input = self.numerics.activation(pre @ streams)
        output = layer(self.numerics.norm(layer_input, self.norm, self.parameters["norm_epsilon"]))
        mixing = np.column_stack([combination.T, post])
        return self.numerics.activation(mixing @ np.vstack([streams, output]))


class Head:
    """The collapse of the streams at the end, and its norm."""

    def __init__(self, config: Config, weights: Arrays, prefix: str, numerics: Numerics) -> None:
        self.parameters, self.numerics = site_parameters(config), numerics
        self.weights, self.norm = site_weights(weights, f"{prefix}hc_head_"), weights[f"{prefix}norm.weight"]

    def feed(self, streams: Array) -> Array:
        """[n,d] -> [d]."""
        gates = extended_from_mp(head_gates(self.parameters, mp_rows(streams), self.weights)["gates"])
        collapsed = self.numerics.activation(gates @ streams)
        return self.numerics.norm(collapsed, self.norm, self.parameters["norm_epsilon"])


def mp_rows(matrix: Array) -> list[list]:
    """Extended reals as mpmath ones, exactly."""
    return [[mp.convert(value) for value in row] for row in matrix]


# --- Mixture of experts (report 2.1) ---------------------------------------------------------------------------------


class Mixture:
    """The routed experts of a layer, chosen by table or by score, and the shared one."""

    def __init__(self, config: Config, weights: Arrays, prefix: str, hashed: bool, numerics: Numerics) -> None:
        if config["scoring_func"] != "sqrtsoftplus":
            raise ValueError(f"scoring_func {config['scoring_func']} is not sqrtsoftplus")
        count, route_scale = config["num_experts_per_tok"], config["routed_scaling_factor"]
        self.hashed, self.numerics, self.limit = hashed, numerics, config["swiglu_limit"]
        self.parameters = {"experts_per_token": count, "route_scale": route_scale}
        self.routing = {"gate": weights[f"{prefix}gate.weight"].astype(np.float64)}
        if hashed:
            self.routing["token_experts"] = weights[f"{prefix}gate.tid2eid"]
        else:
            self.routing["bias"] = weights[f"{prefix}gate.bias"].astype(np.float64)
        names = (f"{prefix}experts.{number}" for number in range(config["n_routed_experts"]))
        self.experts = [expert_weights(weights, name) for name in names]
        self.shared = expert_weights(weights, f"{prefix}shared_experts")

    def routed(self, hidden: Array, token_id: int) -> Outputs:
        """The experts of one token and their weights, by oracle_scalar's routers."""
        inputs = {"hidden": hidden[None], "token_ids": np.array([token_id])}
        out = (hash_router if self.hashed else router)(self.parameters, inputs, self.routing)
        names = ("indices", "weights") if self.hashed else ("indices", "margin", "weights")
        return {name: out[name][0] for name in names}

    def feed(self, hidden: Array, token_id: int) -> Outputs:
        """[d] -> [d], with what was chosen."""
        choice = self.routed(hidden, token_id)
        x = self.numerics.linear_input(hidden)
        output = np.zeros_like(hidden)
        for number, weight in zip(choice["indices"], extended_from_mp(choice.pop("weights")), strict=True):
            output = output + self.expert(self.experts[number], x, weight)
        output = self.numerics.activation(output + self.expert(self.shared, x, Extended(1)))
        return choice | {"output": output}

    def expert(self, projections: list[Array], x: Array, weight: Extended) -> Array:
        """W_down (weight silu(min(gate, limit)) clip(up, -limit, limit)): [d] -> [d]; a limit of 0 means none."""
        activation = self.numerics.activation
        gate_projection, up_projection, down_projection = projections
        gate, up = activation(gate_projection @ x), activation(up_projection @ x)
        if self.limit:
            gate, up = np.minimum(gate, self.limit), np.clip(up, -self.limit, self.limit)
        product = activation(weight * gate / (1 + np.exp(-gate)) * up)
        return activation(down_projection @ self.numerics.linear_input(product))


# --- Blocks and models -----------------------------------------------------------------------------------------------


class Block:
    """Attention and mixture, each in its hyper-connection; `prefix` is "layers.l." or "mtp.0."."""

    def __init__(self, case: dict, config: Config, weights: Arrays, prefix: str, ratio: int, hashed: bool) -> None:
        numerics = Numerics.of(case)
        self.has_indexer = ratio == OVERLAPPING_RATIO
        rotary, table = rotary_parameters(config, ratio, case["angles"])
        tensors = attention_weights(weights, f"{prefix}attn.", ratio, self.has_indexer)
        parameters = attention_parameters(config, ratio, case["numerics"])
        self.attention = Attention(parameters | rotary, tensors | table)
        self.mixture = Mixture(config, weights, f"{prefix}ffn.", hashed, numerics)
        self.attention_site = Site(config, weights, prefix, "attn", numerics)
        self.mixture_site = Site(config, weights, prefix, "ffn", numerics)

    def feed(self, streams: Array, token_id: int) -> Outputs:
        """The block for the next token: [n,d] -> streams [n,d] and what was chosen, by the names of FORMAT.md."""
        out: Outputs = {}

        def attention(hidden: Array) -> Array:
            result = self.attention.feed(hidden)
            if self.has_indexer:
                out.update({f"attn.{name}": result[name] for name in ("selection", "margin")})
            return result["output"]

        def mixture(hidden: Array) -> Array:
            result = self.mixture.feed(hidden, token_id)
            output = result.pop("output")
            out.update({f"ffn.{name}": value for name, value in result.items()})
            return output

        out["streams"] = self.mixture_site.feed(self.attention_site.feed(streams, attention), mixture)
        return out


class Model:
    """All layers with their state."""

    def __init__(self, case: dict, config: Config, weights: Arrays) -> None:
        self.streams = config["hc_mult"]
        self.embedding, self.projection = weights["embed.weight"], weights["head.weight"]
        self.head = Head(config, weights, "", Numerics.of(case))
        ratios, hash_layers = config["compress_ratios"], config["num_hash_layers"]
        self.layers = [
            Block(case, config, weights, f"layers.{layer}.", ratios[layer], hashed=layer < hash_layers)
            for layer in range(config["num_hidden_layers"])
        ]

    def last_streams(self, token_id: int) -> Outputs:
        """The next token through all layers: `streams` of the last, [n,d], and every `layers.l...` tensor."""
        streams, out = np.tile(self.embedding[token_id], (self.streams, 1)), {}
        for number, layer in enumerate(self.layers):
            result = layer.feed(streams, token_id)
            streams = result["streams"]
            out |= {f"layers.{number}.{name}": value for name, value in result.items()}
        return out | {"streams": streams}

    def feed(self, token_id: int) -> Outputs:
        """The whole model for the next token."""
        out = self.last_streams(token_id)
        hidden = self.head.feed(out.pop("streams"))
        return out | {"hidden": hidden, "logits": self.projection @ hidden}


class Prediction:
    """The MTP block: an ordinary block without compression, on streams joined with the embedding of the next token."""

    def __init__(self, case: dict, config: Config, weights: Arrays) -> None:
        self.numerics, self.norm_epsilon = Numerics.of(case), config["rms_norm_eps"]
        names = ("e_proj", "h_proj", "enorm", "hnorm")
        self.e_proj, self.h_proj, self.enorm, self.hnorm = (weights[f"mtp.0.{name}.weight"] for name in names)
        self.embedding, self.projection = weights["embed.weight"], weights["head.weight"]
        self.block = Block(case, config, weights, "mtp.0.", ratio=0, hashed=False)
        self.head = Head(config, weights, "mtp.0.", self.numerics)

    def linear(self, projection: Array, norm: Array, x: Array) -> Array:
        """W norm(x): [d] -> [d]."""
        normalized = self.numerics.norm(x, norm, self.norm_epsilon)
        return self.numerics.activation(projection @ self.numerics.linear_input(normalized))

    def feed(self, streams: Array, next_token: int) -> Outputs:
        """The streams of a position and the token after it: [n,d] -> every `mtp.0...` tensor of that position."""
        of_token = self.linear(self.e_proj, self.enorm, self.embedding[next_token])
        joined = [of_token + self.linear(self.h_proj, self.hnorm, stream) for stream in streams]
        projected = self.numerics.activation(np.array(joined))
        result = self.block.feed(projected, next_token)
        hidden = self.head.feed(result["streams"])
        out = {"projected": projected} | result | {"hidden": hidden, "logits": self.projection @ hidden}
        return {f"mtp.0.{name}": value for name, value in out.items()}


# --- Operations ------------------------------------------------------------------------------------------------------


def generated(parameters: dict) -> tuple[Config, Arrays]:
    """The configuration of a case and its weights."""
    config = json.loads(parameters["config"])
    return config, model_weights_of(config, int(parameters["weights_seed"]), parameters["weight_format"])


def model(parameters: dict, inputs: Arrays) -> Outputs:
    """Every token through the whole model: [T] -> [T,V]."""
    config, weights = generated(parameters)
    token_ids = inputs["token_ids"].tolist()
    out = for_each_token(Model(parameters, config, weights).feed, token_ids)
    selected = min(config["index_topk"], len(token_ids) // OVERLAPPING_RATIO)
    selections = [name for name in out if name.endswith(".selection")]
    return out | {name: padded(out[name], selected, -1) for name in selections}


def mtp(parameters: dict, inputs: Arrays) -> Outputs:
    """The token after the next one, for all positions but the last: [T] -> [T-1,V]."""
    config, weights = generated(parameters)
    token_ids = inputs["token_ids"].tolist()
    layers, prediction = Model(parameters, config, weights), Prediction(parameters, config, weights)

    def position(token_id: int, next_token: int) -> Outputs:
        return prediction.feed(layers.last_streams(token_id)["streams"], next_token)

    return for_each_token(position, token_ids[:-1], token_ids[1:])


OPERATIONS = {"model": model, "mtp": mtp}
