"""What the attention cases are made of: rotary rules, and layers with random weights.

Axes: d model width, h query heads, c head width, r rotary dims, q query latent, g output groups, p group rank,
m compression ratio, w projected width of a compressor, H index heads, i index head width, k top-k.
"""

from dataclasses import dataclass

import numpy as np

from case import Array, Parameters, Tensors, bfloat16, coarse, normal

OVERLAPPING_RATIO = 4
MAXIMUM_POSITIONS = 1_048_576


# Rotary rules


@dataclass(frozen=True)
class Rotary:
    """r rotary dims, their base and YaRN (none where `length` is 0); `angles` float32 stores the frequencies."""

    dims: int
    theta: float = 10000.0
    length: int = 0
    factor: float = 16.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    angles: str = "exact"

    def parameters(self) -> Parameters:
        return {
            "rope_dims": self.dims, "theta": self.theta, "yarn_factor": self.factor, "yarn_beta_fast": self.beta_fast,
            "yarn_beta_slow": self.beta_slow, "yarn_original_length": self.length, "angles": self.angles,
        }  # fmt: skip

    def frequencies(self) -> Array:
        """[r/2], in the type in which angles are formed."""
        j = np.arange(self.dims // 2)
        frequencies = self.theta ** (-2.0 * j / self.dims)
        if self.length:
            turns = np.array([self.beta_fast, self.beta_slow])
            index = self.dims * np.log(self.length / (2 * np.pi * turns)) / (2 * np.log(self.theta))
            low, high = np.clip([np.floor(index[0]), np.ceil(index[1])], 0, self.dims - 1)
            kept = 1 - np.clip((j - low) / (high - low if high > low else 0.001), 0, 1)
            frequencies = frequencies / self.factor * (1 - kept) + frequencies * kept
        return frequencies.astype(np.float32) if self.angles == "float32" else frequencies

    def weights(self) -> Tensors:
        return {"frequency_table": self.frequencies()} if self.angles == "float32" else {}

    def equations(self) -> tuple[str, ...]:
        return ("2.3.3-rotary", "2.3.3-yarn") if self.length else ("2.3.3-rotary",)

    def rotate(self, x: Array, position: int) -> Array:
        """x [...,c] with its last r dims turned as for a token at `position`."""
        frequencies = self.frequencies()
        angles = (frequencies.dtype.type(position) * frequencies).astype(np.float64)
        fixed, rotary = np.split(x.astype(np.float64), [x.shape[-1] - self.dims], axis=-1)
        z = (rotary[..., 0::2] + 1j * rotary[..., 1::2]) * np.exp(1j * angles)
        return np.concatenate([fixed, np.stack([z.real, z.imag], axis=-1).reshape(rotary.shape)], axis=-1)


# Layers


@dataclass(frozen=True)
class Layer:
    """The sizes and rules of one attention layer; `step` rounds its weights to few bits, for published widths."""

    width: int
    heads: int
    head_width: int
    latent: int
    groups: int
    rank: int
    window: int
    ratio: int
    rotary: Rotary
    norm_epsilon: float = 1e-6
    index_heads: int = 0
    index_width: int = 0
    topk: int = 0
    published: bool = False

    @property
    def kind(self) -> str:
        """The component of the layer's cases."""
        kinds = {0: "core-attention", OVERLAPPING_RATIO: "compressed-sparse-attention"}
        return kinds.get(self.ratio, "heavily-compressed-attention")

    def projection(self, rng: np.random.Generator, rows: int, columns: int, gain: float = 1.0) -> Array:
        """Rows that give numbers of about `gain` from inputs of about 1."""
        scale = gain * columns**-0.5
        if self.published:
            return coarse(rng, rows, columns, step=2.0 ** round(np.log2(scale / 4.3)))
        return normal(rng, rows, columns, scale=scale)

    def vector(self, rng: np.random.Generator, *shape: int, around: float = 0.0, scale: float = 1.0) -> Array:
        values = normal(rng, *shape, scale=scale) + np.float32(around)
        return bfloat16(values) if self.published else values

    def norm(self, rng: np.random.Generator, width: int) -> Array:
        return self.vector(rng, width, around=1.0, scale=0.3)

    def compressor(self, rng: np.random.Generator, prefix: str, width: int) -> Tensors:
        """A compressor to `width` channels, whose softmax is far from uniform."""
        projected = 2 * width if self.ratio == OVERLAPPING_RATIO else width
        return {
            f"{prefix}kv_projection": self.projection(rng, projected, self.width),
            f"{prefix}gate_projection": self.projection(rng, projected, self.width, gain=1.5),
            f"{prefix}position_bias": self.projection(rng, self.ratio, projected, gain=projected**0.5),
            f"{prefix}norm": self.norm(rng, width),
        }

    def indexer(self, rng: np.random.Generator) -> Tensors:
        return {
            "index_query_projection": self.projection(rng, self.index_heads * self.index_width, self.latent),
            "index_weights_projection": self.projection(rng, self.index_heads, self.width),
            **self.compressor(rng, "index_", self.index_width),
        }

    def weights(self, rng: np.random.Generator) -> Tensors:
        """Everything of the layer. Raw queries are twice as large as their norm makes them."""
        group_width = self.heads * self.head_width // self.groups
        tensors = {
            "query_down": self.projection(rng, self.latent, self.width),
            "query_norm": self.norm(rng, self.latent),
            "query_up": self.projection(rng, self.heads * self.head_width, self.latent, gain=2.0),
            "kv_projection": self.projection(rng, self.head_width, self.width),
            "kv_norm": self.norm(rng, self.head_width),
            "sinks": self.vector(rng, self.heads),
            "output_down": self.projection(rng, self.groups * self.rank, group_width),
            "output_up": self.projection(rng, self.width, self.groups * self.rank),
        }
        if self.ratio > 0:
            tensors |= self.compressor(rng, "compressor_", self.head_width)
        if self.ratio == OVERLAPPING_RATIO:
            tensors |= self.indexer(rng)
        return tensors | self.rotary.weights()

    def index_parameters(self) -> Parameters:
        return {"index_heads": self.index_heads, "index_topk": self.topk} if self.ratio == OVERLAPPING_RATIO else {}

    def parameters(self) -> Parameters:
        return {
            **self.rotary.parameters(), **self.index_parameters(), "heads": self.heads, "window": self.window,
            "ratio": self.ratio, "groups": self.groups, "norm_epsilon": self.norm_epsilon,
            "maximum_positions": MAXIMUM_POSITIONS,
        }  # fmt: skip
