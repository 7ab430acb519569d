"""What a golden case is before any oracle has run, and the few helpers that make its numbers.

Numbers come from `np.random.default_rng(seed)` with a seed of the case's own, so that a case never changes because
another one was added.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from equations import EQUATION_IDS

Array = np.ndarray
Tensors = dict[str, Array]
Parameters = dict[str, int | float | str]

PRESETS = ("tiny", "odd", "published", "setup")
REALS = (  # parameters stored as float64
    "epsilon", "norm_epsilon", "route_scale", "clamp_limit", "theta", "yarn_factor", "yarn_beta_fast", "yarn_beta_slow",
)  # fmt: skip
MARGIN_FLOOR = 1e-3  # every selection that is not a deliberate tie or near tie has gaps above this share of its scale


def rounding_of(name: str, tensors: Collection[str]) -> str | None:
    """The name of the rounded tensor that `name` is, or whose `.margin` it is; None for any other."""
    stem = name.removesuffix(".margin")
    return stem if f"{stem}.unrounded" in tensors else None


def judged_margins(tensors: Collection[str]) -> list[str]:
    """The margins of selections, which an engine has to give; those of roundings are not among them."""
    return [name for name in tensors if name.split(".")[-1] == "margin" and not rounding_of(name, tensors)]


def scaled_by(name: str, tensors: Mapping[str, object]) -> str:
    """The expected tensor whose magnitude is the scale of `name`.

    Its own, but of a margin the scores it is made of, and of what comes with a rounding the unrounded tensor.
    """
    scores = [score for score in ("selection_scores", "index_scores") if score in tensors]
    if stem := rounding_of(name, tensors):
        return f"{stem}.unrounded"
    return scores[0] if name == "margin" and scores else name


@dataclass(frozen=True)
class Case:
    """One case: everything that is stored except the expected tensors.

    `boundary` says how far the last selected score of a router or an indexer is from the first rejected one: "clear"
    (everywhere above MARGIN_FLOOR of the scale), "near" (not everywhere) or "tied" (somewhere equal).
    """

    id: str
    operation: str
    description: str
    equations: tuple[str, ...]
    seed: int = 0
    parameters: Parameters = field(default_factory=dict)
    inputs: Tensors = field(default_factory=dict)
    weights: Tensors = field(default_factory=dict)
    boundary: str = "clear"
    note: str | None = None
    expected_error: str | None = None

    def __post_init__(self) -> None:
        texts = [self.id, self.operation, self.description, self.note or "", self.expected_error or ""]
        if not all(text.isascii() for text in texts):
            raise ValueError(f"{self.id}: only ASCII text can be stored")
        if self.preset not in PRESETS:
            raise ValueError(f"{self.id}: unknown preset {self.preset}")
        if unknown := set(self.equations) - EQUATION_IDS:
            raise ValueError(f"{self.id}: equations {sorted(unknown)} are not in the registry")
        for name, value in self.parameters.items():
            if isinstance(value, float) != (name in REALS):
                raise ValueError(f"{self.id}: parameter {name} is {value!r}, which would be stored as another type")
        for name, value in (self.inputs | self.weights).items():
            if self.component != "harness" and value.dtype not in (np.float32, np.int64):
                raise ValueError(f"{self.id}: {name} is {value.dtype}")

    @property
    def preset(self) -> str:
        return self.id.split("/")[0]

    @property
    def component(self) -> str:
        return self.id.split("/")[1]


def case_id(component: str, name: str) -> str:
    """The name "tiny/site" in component hyper-connections is "tiny/hyper-connections/site"."""
    preset, short = name.split("/")
    return f"{preset}/{component}/{short}"


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Normal float32 numbers of standard deviation `scale`."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def bfloat16(x: Array) -> Array:
    """x rounded to bfloat16, nearest even, kept as float32: the values of a published weight, and they compress."""
    bits = np.asarray(x, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def coarse(rng: np.random.Generator, *shape: int, step: float) -> Array:
    """Multiples of `step` from -7 to 7: large published projections that compress to half a byte an element."""
    return (step * rng.integers(-7, 8, size=shape)).astype(np.float32)


def eighths(rng: np.random.Generator, *shape: int, largest: int = 12) -> Array:
    """Multiples of 1/8, never 0: numbers that can be followed by eye, and whose short sums are exact."""
    magnitude = rng.integers(1, largest + 1, size=shape) / 8
    return (magnitude * rng.choice([-1, 1], size=shape)).astype(np.float32)


def sqrt_softplus(logits: Array) -> Array:
    """The affinity in float64, only to search seeds with; the stored scores come from the oracles."""
    return np.sqrt(np.logaddexp(0, np.asarray(logits, dtype=np.float64)))


def selection_scores(hidden: Array, gate: Array, bias: Array) -> Array:
    """Affinity + bias in float64, only to search seeds with. [T,d], [E,d], [E] -> [T,E]"""
    return sqrt_softplus(hidden.astype(np.float64) @ gate.astype(np.float64).T) + bias


def clear_selection(scores: Array, k: int) -> bool:
    """Whether no two of the k + 1 highest scores of any row are closer than MARGIN_FLOOR of the largest magnitude."""
    highest = -np.sort(-scores, axis=-1)[:, : k + 1]
    gaps = highest[:, :-1] - highest[:, 1:]
    return gaps.size == 0 or gaps.min() > 2 * MARGIN_FLOOR * np.abs(scores).max()


def roomy_margin(scores: Array, k: int, share: float = 0.3) -> bool:
    """Whether the largest margin is a fair share of the largest magnitude; asked of few experts only.

    A margin is a difference of scores, but it is judged by the scale of `margin`: where all margins are small, that
    would be tighter than float32 can be. With many experts the noise of their logits is in the measured spread.
    """
    if k == scores.shape[-1] or scores.shape[-1] > 16:
        return True
    highest = -np.sort(-scores, axis=-1)
    return (highest[:, k - 1] - highest[:, k]).max() > share * np.abs(scores).max()


def first_seed(start: int, build: Callable[[int], Tensors], accept: Callable[[Tensors], bool]) -> tuple[int, Tensors]:
    """The first seed from `start` on whose tensors are accepted, and those tensors."""
    for seed in range(start, start + 20_000):
        if accept(tensors := build(seed)):
            return seed, tensors
    raise ValueError(f"no seed from {start} on gives an acceptable case")
