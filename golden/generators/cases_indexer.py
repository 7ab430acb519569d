"""Cases of operation `indexer` in component `compressed-sparse-attention` (report 2.3.1).

Axes: T tokens, d model width, q query latent, H index heads, i index head width, N = floor(T/4) entries, k top-k.

Tokens are drawn so that all gaps among the k + 1 highest scores are above 1e-3 of the score scale. Ties are cases of
their own: scores that are 0 because every ReLU gave 0, and keys that are equal because their tokens are and because
the norm weights of the rotated channels are 0.
"""

from dataclasses import replace

import numpy as np

from attention_inputs import Layer, Rotary
from case import Array, Case, Tensors, case_id, first_seed
from clear_selections import draw_tokens, ties_of_equal_keys

COMPONENT = "compressed-sparse-attention"
EQUATIONS = tuple(f"eq-{number}" for number in (9, 10, 11, 12, 14, 15, 16, 17)) + ("2.3.1-hadamard", "2.3.1-visibility")
TINY = Layer(6, 2, 8, 5, 1, 3, 5, 4, Rotary(4, 160000.0, 32), index_heads=4, index_width=8, topk=2)
ODD = Layer(11, 3, 10, 7, 1, 3, 5, 4, Rotary(6, 500.0, 40, 5.5, 4.0, 0.5), norm_epsilon=1e-3, index_heads=3,
            index_width=16, topk=3)  # fmt: skip
PUBLISHED = Layer(16, 2, 512, 8, 2, 8, 128, 4, Rotary(64, 160000.0, 65536), index_heads=2, index_width=128, topk=512,
                  published=True)  # fmt: skip


def case_of(
    name: str, seed: int, layer: Layer, weights: Tensors, inputs: Tensors, description: str, boundary: str = "clear"
) -> Case:
    return Case(
        id=case_id(COMPONENT, name),
        operation="indexer",
        description=description,
        equations=EQUATIONS + layer.rotary.equations(),
        seed=seed,
        parameters={**layer.rotary.parameters(), **layer.index_parameters(), "ratio": layer.ratio,
                    "norm_epsilon": layer.norm_epsilon},
        inputs=inputs,
        weights=weights | layer.rotary.weights(),
        boundary=boundary,
    )  # fmt: skip


def indexer_case(
    name: str, seed: int, layer: Layer, tokens: int, description: str, *, ties: bool = False, scale: float = 1.0
) -> Case:
    """Tokens [T,d] and latents [T,q] with clear selections, or with ties of scores 0."""
    weights = layer.indexer(np.random.default_rng(seed))

    def draw(rng: np.random.Generator) -> tuple[Array, Array]:
        return np.float32(scale) * layer.vector(rng, layer.width), layer.vector(rng, layer.latent)

    drawn = draw_tokens(layer, weights, seed, tokens, draw, ties=ties)
    hidden, latent = (np.stack(rows) for rows in zip(*drawn, strict=True))
    return case_of(name, seed, layer, weights, {"hidden": hidden, "query_latent": latent}, description,
                   "tied" if ties else "clear")  # fmt: skip


def length_cases() -> list[Case]:
    lengths = {
        1: "One token, no entry: nothing to select, and tensors of no elements.",
        3: "One token short of an entry; shows a partial block made into a key.",
        4: "One entry, which only the last token sees; shows it hidden from that token or shown to the others.",
        5: "One entry, seen by the last two tokens.",
        7: "One token short of two entries; shows the second block seen before it is complete.",
        8: "Two entries and k = 2: nothing is ever rejected.",
        9: "Two entries and k = 2, and a token that sees both.",
        13: "Three entries and k = 2: the last tokens reject one; shows all entries selected.",
    }
    return [
        indexer_case(f"tiny/indexer-{tokens}", 5200 + tokens, TINY, tokens, description)
        for tokens, description in lengths.items()
    ]


def choice_cases() -> list[Case]:
    long = replace(ODD.rotary, angles="float32")
    return [
        indexer_case("tiny/indexer-one-of-many", 5231, replace(TINY, topk=1), 24, "One of up to 6 entries; "
                     "shows the ReLU left out, which changes the choice."),
        indexer_case("tiny/indexer-topk-equal", 5232, replace(TINY, topk=4), 16, "As many entries as k in the end, "
                     "fewer before: rows end in -1; shows -1 taken for entry 0."),
        indexer_case("tiny/indexer-topk-larger", 5233, replace(TINY, topk=9), 16, "k larger than the number of "
                     "entries; shows reading past the last entry."),
        indexer_case("tiny/indexer-one-head", 5234, replace(TINY, index_heads=1, topk=1), 16, "One head; shows "
                     "index weights scaled by the wrong width."),
        indexer_case("tiny/indexer-eight-heads", 5235, replace(TINY, index_heads=8), 16, "Eight heads of both signs of "
                     "weight; shows a mean over heads, and weights through a sigmoid."),
        indexer_case("tiny/indexer-all-dims", 5236, replace(TINY, index_width=4), 16, "All 4 index dims rotate."),
        indexer_case("tiny/indexer-width-two", 5237, replace(TINY, index_width=2, rotary=Rotary(2)), 13, "The smallest "
                     "Hadamard transform, of 2 channels."),
        indexer_case("tiny/indexer-no-yarn", 5238, replace(TINY, rotary=Rotary(4)), 16, "Theta 10000 and no YaRN."),
        indexer_case("tiny/indexer-small-tokens", 5239, TINY, 16, "Tokens of about 1e-3, where norm epsilon 1e-6 "
                     "weighs in every key; shows it left out, and index queries that are normalised.", scale=1e-3),
        indexer_case("odd/indexer", 5241, ODD, 26, "Every axis of another size, theta 500, odd YaRN numbers; "
                     "shows exchanged axes, released numbers, and a Hadamard transform on one side only."),
        indexer_case("odd/indexer-wide", 5242, replace(ODD, index_width=64), 18, "Three heads of 64 "
                     "channels, 6 of them rotary; shows the first channels rotated."),
        indexer_case("odd/indexer-many-entries", 5243, replace(ODD, index_heads=5, topk=7), 97, "Seven of up to 24 "
                     "entries; shows entries selected for all tokens together."),
        indexer_case("odd/indexer-table", 5244, replace(ODD, rotary=long), 27, "Frequencies from a stored table; "
                     "shows frequencies computed anew."),
        indexer_case("published/indexer", 5251, PUBLISHED, 23, "128 index channels, 64 of them rotary, k = 512 above "
                     "the number of entries; shows the Hadamard transform on one side only, and unscaled scores."),
        indexer_case("published/indexer-choice", 5252, replace(PUBLISHED, topk=5), 39, "The released widths with k = 5 "
                     "of up to 9 entries; shows the ReLU left out, and theta 10000."),
        indexer_case("published/indexer-pro", 5253, replace(PUBLISHED, index_heads=3, topk=1024), 12, "Pro's k = 1024; "
                     "shows k fixed at 512 and a power-of-2 number of heads."),
    ]  # fmt: skip


# Ties


def equal_keys(seed: int, layer: Layer, blocks: list[int]) -> Tensors:
    """An indexer whose blocks of one number have equal tokens, and its inputs."""
    rng = np.random.default_rng(seed)
    weights = layer.indexer(rng)
    weights["index_norm"][-layer.rotary.dims :] = 0
    tokens = layer.vector(rng, max(blocks) + 1, 4, layer.width)
    hidden = tokens[blocks].reshape(-1, layer.width)
    return weights | {"hidden": hidden, "query_latent": layer.vector(rng, len(hidden), layer.latent)}


def duplicate_case(name: str, start: int, layer: Layer, blocks: list[int], description: str) -> Case:
    """Equal keys tie for every token; all other gaps are clear."""

    def accept(tensors: Tensors) -> bool:
        return ties_of_equal_keys(layer, tensors, tensors["hidden"], tensors["query_latent"])

    seed, tensors = first_seed(start, lambda seed: equal_keys(seed, layer, blocks), accept)
    inputs = {key: tensors.pop(key) for key in ("hidden", "query_latent")}
    return case_of(name, seed, layer, tensors, inputs, description, "tied")


def tie_cases() -> list[Case]:
    rule = "equal scores go by lower index; shows the higher index, or an unstable sort"
    few = replace(TINY, index_heads=1, topk=3)
    return [
        indexer_case("tiny/indexer-tie-at-zero", 5261, few, 32, "One head, so that many scores are 0 after ReLU, and 3 "
                     f"of up to 8 entries; {rule}.", ties=True),
        indexer_case("tiny/indexer-tie-two-heads", 5262, replace(TINY, topk=4), 40, "Heads whose ReLU all gave 0 tie "
                     f"at the boundary, below positive and above negative scores; {rule}.", ties=True),
        indexer_case("odd/indexer-tie-at-zero", 5263, replace(ODD, index_heads=2, topk=5), 44, "Two heads, 5 of up to "
                     f"11 entries, ties at 0; {rule}.", ties=True),
        duplicate_case("tiny/indexer-tie-equal-tokens", 5264000, replace(TINY, topk=2), [0, 0, 0, 0, 0], "All blocks "
                       f"equal, so that all keys but the first are; {rule}."),
        duplicate_case("tiny/indexer-tie-repeated-blocks", 5265000, replace(TINY, topk=3), [0, 0, 1, 0, 0, 1, 0],
                       f"Blocks that come again after others; {rule}."),
    ]  # fmt: skip


def indexer_cases() -> list[Case]:
    return length_cases() + choice_cases() + tie_cases()
