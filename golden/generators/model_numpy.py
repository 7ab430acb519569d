"""Generator B: whole models and their multi-token prediction, put together from the single operations.

Axes: T tokens, n residual streams, d model width, V vocabulary, K selected entries, k experts per token. `[...]` in a
docstring is a shape. All tokens are computed at once, in one prefill, however they are to be fed.
"""

import json
from dataclasses import dataclass

import numpy as np

from attention_numpy import layer
from checkpoint_numpy import attention_weights, checkpoint, hyper_connection, mixture_weights, under
from compression_numpy import Past
from oracle_numpy import Arithmetic, Array, Tensors, before_layer, distribute, expand, head, route_and_mix
from precision_numpy import Simulated, arithmetic_of
from rotary_numpy import project_quantized, rms_norm, rotary_frequencies

# Parameters of the parts


def rotary_parameters(config: dict, ratio: int, angles: str) -> dict:
    """A layer without compression has its own base and no YaRN."""
    parameters = {
        "rope_dims": config["qk_rope_head_dim"],
        "theta": config["compress_rope_theta" if ratio else "rope_theta"],
        "yarn_original_length": 0,
        "angles": angles,
    }
    if ratio and (yarn := config.get("rope_scaling")):
        parameters["yarn_original_length"] = yarn["original_max_position_embeddings"]
        parameters |= {f"yarn_{name}": yarn[name] for name in ("factor", "beta_fast", "beta_slow")}
    return parameters


def attention_parameters(config: dict, ratio: int, angles: str) -> dict:
    return rotary_parameters(config, ratio, angles) | {
        "ratio": ratio,
        "heads": config["num_attention_heads"],
        "window": config["sliding_window"],
        "groups": config["o_groups"],
        "index_heads": config["index_n_heads"],
        "index_topk": config["index_topk"],
        "norm_epsilon": config["rms_norm_eps"],
    }


def mixture_parameters(config: dict, hashed: bool) -> dict:
    return {
        "routing": "hash" if hashed else "learned",
        "experts_per_token": config["num_experts_per_tok"],
        "route_scale": config["routed_scaling_factor"],
        "clamp_limit": config["swiglu_limit"],
    }


def site_parameters(config: dict) -> dict:
    return {
        "iterations": config["hc_sinkhorn_iters"],
        "epsilon": config["hc_eps"],
        "norm_epsilon": config["rms_norm_eps"],
    }


def check(config: dict, inputs: Tensors) -> None:
    """Only what the released model can be, and pieces that make up the tokens."""
    layers = config["num_hidden_layers"] + config["num_nextn_predict_layers"]
    if config["scoring_func"] != "sqrtsoftplus" or config["n_shared_experts"] != 1:
        raise ValueError("the affinity has to be sqrtsoftplus, with one shared expert")
    if len(config["compress_ratios"]) != layers or any(config["compress_ratios"][config["num_hidden_layers"] :]):
        raise ValueError(f"compress_ratios has to name {layers} layers, 0 for multi-token prediction")
    chunks, tokens = inputs["chunks"], len(inputs["token_ids"])
    if chunks[chunks > 0].sum() != tokens or not chunks.all():  # negative ones are taken back
        raise ValueError(f"chunks {chunks.tolist()} do not make up {tokens} tokens")


# The model


@dataclass(frozen=True)
class Model:
    """A configuration, its weights by official name, and how to compute with them."""

    arithmetic: Arithmetic
    config: dict
    weights: Tensors
    angles: str

    def norm(self, x: Array, name: str) -> Array:
        """RMSNorm with the weight of that name."""
        epsilon = self.arithmetic.dtype.type(self.config["rms_norm_eps"])
        return rms_norm(self.arithmetic, x, self.weights[f"{name}.weight"], epsilon)

    def embedding(self, token_ids: Array) -> Array:
        """[T] -> [T,d]"""
        return self.weights["embed.weight"][token_ids]

    def attention(self, prefix: str, ratio: int, x: Array) -> Tensors:
        """One attention layer. x [T,d] -> output [T,d], selection [T,K], margin [T]"""
        parameters = attention_parameters(self.config, ratio, self.angles)
        weights = attention_weights(under(self.weights, f"{prefix}attn."), ratio)
        if self.angles == "float32":
            exact = rotary_frequencies(parameters | {"angles": "exact"}, weights)
            weights["frequency_table"] = exact.astype(np.float32)
        inputs = {"hidden": x, "chunks": np.array([len(x)])}
        return layer(self.arithmetic, self.arithmetic.parameters(parameters), inputs, weights, Past())

    def mixture(self, prefix: str, hashed: bool, x: Array, token_ids: Array) -> Tensors:
        """One mixture of experts. x [T,d] -> output [T,d], indices [T,k], margin [T]"""
        parameters = self.arithmetic.parameters(mixture_parameters(self.config, hashed))
        weights = mixture_weights(under(self.weights, f"{prefix}ffn."), self.config["n_routed_experts"])
        return route_and_mix(self.arithmetic, parameters, {"hidden": x, "token_ids": token_ids}, weights)

    def block(self, prefix: str, ratio: int, hashed: bool, streams: Array, token_ids: Array) -> Tensors:
        """Attention, then mixture, each in its mHC site and behind its norm. streams [T,n,d] -> [T,n,d]"""
        parameters, result = self.arithmetic.parameters(site_parameters(self.config)), {}
        for name in ("attn", "ffn"):
            site_weights = hyper_connection(under(self.weights, prefix), name)
            site = before_layer(self.arithmetic, parameters, streams, site_weights)
            x = self.norm(site["layer_input"], f"{prefix}{name}_norm")
            part = self.attention(prefix, ratio, x) if name == "attn" else self.mixture(prefix, hashed, x, token_ids)
            streams = distribute(self.arithmetic, site["post"], part["output"], site["combination"], streams)
            shown = ("selection", "indices", "margin")
            result |= {f"{prefix}{name}.{tensor}": part[tensor] for tensor in shown if tensor in part}
        return result | {f"{prefix}streams": streams}

    def logits(self, prefix: str, streams: Array) -> Tensors:
        """Hyper-connection head, norm, LM head. streams [T,n,d] -> hidden [T,d], logits [T,V]"""
        parameters = self.arithmetic.parameters(site_parameters(self.config))
        weights = hyper_connection(under(self.weights, prefix), "head")
        collapsed = head(self.arithmetic, parameters, {"streams": streams}, weights)["collapsed"]
        hidden = self.norm(collapsed, f"{prefix}norm")
        logits = self.arithmetic.linear(hidden, self.weights["head.weight"])
        return {f"{prefix}hidden": hidden, f"{prefix}logits": logits}

    def layers(self, token_ids: Array) -> tuple[Array, Tensors]:
        """Everything below the head. token_ids [T] -> streams of the last layer [T,n,d], what every layer shows"""
        parameters = {"streams": self.config["hc_mult"]}
        streams = expand(self.arithmetic, parameters, {"embedding": self.embedding(token_ids)}, {})["streams"]
        result = {}
        for number in range(self.config["num_hidden_layers"]):
            prefix, ratio = f"layers.{number}.", self.config["compress_ratios"][number]
            result |= self.block(prefix, ratio, number < self.config["num_hash_layers"], streams, token_ids)
            streams = result[f"{prefix}streams"]
        return streams, result

    def main(self, token_ids: Array) -> Tensors:
        """The model alone."""
        streams, result = self.layers(token_ids)
        return result | self.logits("", streams)

    def prediction(self, token_ids: Array) -> Tensors:
        """The MTP block: streams at i and the token at i + 1 give the logits of the token at i + 2."""
        if self.config["num_nextn_predict_layers"] < 1 or len(token_ids) < 2:
            raise ValueError("multi-token prediction needs its block, and two tokens")
        prefix, following = "mtp.0.", token_ids[1:]
        streams = self.layers(token_ids)[0][:-1]
        embedding = self.norm(self.embedding(following), f"{prefix}enorm")
        streams = self.norm(streams, f"{prefix}hnorm")
        of_token = project_quantized(self.arithmetic, embedding, self.weights[f"{prefix}e_proj.weight"])
        of_streams = project_quantized(self.arithmetic, streams, self.weights[f"{prefix}h_proj.weight"])
        projected = self.arithmetic.bf16(of_token[:, None, :] + of_streams)
        result = self.block(prefix, 0, False, projected, following)
        return {f"{prefix}projected": projected, **result, **self.logits(prefix, result[f"{prefix}streams"])}


# Operations


MODEL = {"model": Model.main, "mtp": Model.prediction}


def run(
    operation: str,
    parameters: dict,
    inputs: Tensors,
    weights: Tensors,
    *,
    dtype: np.dtype | type = np.float64,
    permutation_seed: int | None = None,
) -> Tensors:
    """The expected tensors of one operation, reals in dtype; with a seed every axis is summed in a random order.

    `_rounding_margin` is the smallest distance of a number to where its FP8 or FP4 value would have changed, as a share
    of the largest magnitude of its tensor. The weights are generated; `weights` is empty.
    """
    config = json.loads(parameters["config"])
    check(config, inputs)
    arithmetic = arithmetic_of(parameters["numerics"], dtype, permutation_seed)
    tensors = checkpoint(config, parameters["weights_seed"], parameters["weight_format"])
    model = Model(arithmetic, config, arithmetic.tensors(tensors), parameters["angles"])
    result = MODEL[operation](model, inputs["token_ids"])
    clearances = arithmetic.clearances if isinstance(arithmetic, Simulated) else []
    return result | {"_rounding_margin": np.array(min(clearances, default=np.inf))}
