"""Negative cases of report 2.3: input that an engine must refuse. `expected_error` starts this package's sentence."""

from dataclasses import replace

import numpy as np

from attention_inputs import Layer, Rotary
from case import Case, Parameters, Tensors, normal
from cases_refused import refused

ROTARY, COMPRESSION, CORE = "rotary-embedding", "token-compression", "core-attention"
CSA = "compressed-sparse-attention"
SLIDING = Layer(3, 2, 4, 3, 2, 2, 3, 0, Rotary(2))
SPARSE = replace(SLIDING, ratio=4, index_heads=2, index_width=4, topk=2)


def rotary_refusals() -> list[Case]:
    """Axes: 2 tokens, 1 head of width 4."""
    x = normal(np.random.default_rng(6501), 2, 1, 4)

    def rotary(name: str, dims: int, positions: list[int], description: str, error: str) -> Case:
        parameters: Parameters = {**Rotary(dims).parameters(), "direction": "forward"}
        inputs = {"x": x, "positions": np.array(positions, dtype=np.int64)}
        return refused(ROTARY, f"rotary-{name}", "rotary", ("2.3.3-rotary",), parameters, inputs, description, error)

    return [
        rotary("odd-dims", 3, [0, 1], "Three rotary dims, which are no pairs.",
               "rotary: rope_dims must be even and between 2 and"),
        rotary("negative-position", 4, [0, -1], "Position -1, as padding has it; an engine that takes it rotates "
               "backwards.", "rotary: position -1 is negative"),
    ]  # fmt: skip


def compression_refusals() -> list[Case]:
    """Axes: 8 tokens, ratio 4, width 3, 4 channels."""
    rng = np.random.default_rng(6502)
    layer = replace(SPARSE, head_width=4)
    weights = layer.compressor(rng, "", 4)
    parameters: Parameters = {**layer.rotary.parameters(), "ratio": 4, "norm_epsilon": 1e-6}
    return [
        refused(COMPRESSION, "compress-position-bias-shape", "compress", ("eq-11",), parameters,
                {"hidden": normal(rng, 8, 3)}, "Position biases of half the width, as without overlap; an engine that "
                "takes it reads beyond the end.", "compress: position_bias has shape",
                weights=weights | {"position_bias": weights["position_bias"][:, :4]}),
    ]  # fmt: skip


def indexer_refusals() -> list[Case]:
    """Axes: 8 tokens, width 3, latent 3, 2 index heads of width 4."""

    def indexer(name: str, layer: Layer, description: str, error: str) -> Case:
        rng = np.random.default_rng(6503)
        parameters: Parameters = {**layer.rotary.parameters(), **layer.index_parameters(), "ratio": 4,
                                  "norm_epsilon": 1e-6}  # fmt: skip
        inputs = {"hidden": normal(rng, 8, 3), "query_latent": normal(rng, 8, 3)}
        return refused(CSA, f"indexer-{name}", "indexer", ("eq-17",), parameters, inputs, description, error,
                       weights=layer.indexer(rng))  # fmt: skip

    return [
        indexer("no-topk", replace(SPARSE, topk=0), "No entry to select; an engine that takes 0 for no limit selects "
                "all.", "indexer: index_topk must be at least 1, got 0"),
        indexer("width", replace(SPARSE, index_width=6), "Index heads of 6 channels, for which there is no Hadamard "
                "transform of this construction.", "indexer: the index head width must be a power of two, got 6"),
    ]  # fmt: skip


def attention_refusals_of_layers() -> list[Case]:
    """Axes: 5 tokens, width 3, 2 heads of width 4, latent 3, 2 groups of rank 2."""

    def attention(
        name: str, layer: Layer, description: str, error: str, *, equation: str = "eq-27", tokens: int = 5,
        chunks: list[int] | None = None, parameters: Parameters | None = None, weights: Tensors | None = None,
    ) -> Case:  # fmt: skip
        rng = np.random.default_rng(6504)
        made = layer.weights(rng)
        inputs = {
            "hidden": normal(rng, tokens, layer.width),
            "chunks": np.array([tokens] if chunks is None else chunks, dtype=np.int64),
        }
        changed = layer.parameters() | (parameters or {})
        return refused(layer.kind, f"attention-{name}", "attention", (equation,), changed, inputs, description,
                       f"attention: {error}", weights=made | (weights or {}))  # fmt: skip

    good = SLIDING.weights(np.random.default_rng(6504))
    with_nan = good["kv_projection"].copy()
    with_nan[1, 2] = np.nan
    dims = "rope_dims must be even and between 2 and"
    return [
        attention("beyond-maximum", SLIDING, "Seventeen tokens where 16 positions are allowed.",
                  "position 16 is beyond the maximum of 16 positions", tokens=17,
                  parameters={"maximum_positions": 16}, equation="2.3.3-rotary"),
        attention("empty-chunk", SLIDING, "A chunk without tokens between two others.",
                  "a chunk needs at least one token", chunks=[3, 0, 2]),
        attention("chunk-sum", SLIDING, "Chunks of 3 and 1 tokens where there are 5; an engine that takes it loses a "
                  "token.", "chunks sum to", chunks=[3, 1]),
        attention("no-topk", replace(SPARSE, topk=0), "No entry to select; an engine that takes 0 for no limit selects "
                  "all.", "index_topk must be at least 1, got 0", equation="eq-17"),
        attention("heads-and-groups", replace(SLIDING, heads=3), "Three heads cannot be put into two equal groups.",
                  "heads (3) must be divisible by groups (2)", equation="2.3.1-grouped-output"),
        attention("odd-rope-dims", replace(SLIDING, rotary=Rotary(3)), "Three rotary dims, which are no pairs.", dims,
                  equation="2.3.3-rotary"),
        attention("wide-rope-dims", replace(SLIDING, rotary=Rotary(6)), "Six rotary dims in heads of 4; an engine that "
                  "takes it rotates across heads.", dims, equation="2.3.3-rotary"),
        attention("no-window", replace(SLIDING, window=0), "A window that leaves out even the token itself.",
                  "window must be at least 1, got 0", equation="2.3.3-window"),
        attention("query-up-shape", replace(SLIDING, ratio=3), "A query projection for one head too few.",
                  "query_up has shape", weights={"query_up": good["query_up"][:4]}, equation="eq-25"),
        attention("kv-projection-nan", SLIDING, "One NaN among the weights; an engine that takes it gives NaN without "
                  "saying where it came from.", "kv_projection holds nan at [1, 2]",
                  weights={"kv_projection": with_nan}, equation="2.3.3-window"),
        attention("no-tokens", SLIDING, "No token at all.", "needs at least one token", tokens=0, chunks=[]),
        attention("negative-ratio", SLIDING, "A ratio of -1, which is no kind of layer.",
                  "ratio must be 0 or positive, got -1", parameters={"ratio": -1}, equation="2.3.1-visibility"),
        attention("hca-position-bias-shape", replace(SLIDING, ratio=3), "Position biases of a row too few.",
                  "compressor_position_bias has shape", equation="eq-22",
                  weights={"compressor_position_bias": normal(np.random.default_rng(6505), 2, 4)}),
    ]  # fmt: skip


def attention_refusals() -> list[Case]:
    return rotary_refusals() + compression_refusals() + indexer_refusals() + attention_refusals_of_layers()
