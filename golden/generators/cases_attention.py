"""Cases of operation `attention` (report 2.3): lengths, and the chunks in which the tokens are fed.

Axes: T tokens, d model width, h query heads, c head width, r rotary dims, q query latent, g output groups, p group
rank, m compression ratio, W window, H index heads, i index head width, k top-k.

A layer of ratio 0 sees its window only (component `core-attention`), one of ratio 4 also selected entries
(`compressed-sparse-attention`), one of another ratio all entries (`heavily-compressed-attention`). Tiny windows of 5
and 8 wrap within a few tokens. Selections are clear, as in the indexer's cases.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from attention_inputs import OVERLAPPING_RATIO, Layer, Rotary
from case import Array, Case, Parameters, Tensors, case_id
from clear_selections import layer_tokens

SLIDING = Layer(5, 2, 6, 4, 2, 3, 5, 0, Rotary(4))
CSA = replace(SLIDING, ratio=4, rotary=Rotary(4, 160000.0, 32), index_heads=4, index_width=8, topk=2)
HCA = replace(SLIDING, ratio=3, rotary=Rotary(4, 160000.0, 32))
KINDS = {"sliding": SLIDING, "csa": CSA, "hca": HCA}
OUTER = ("eq-27", "2.3.3-window", "2.3.3-head-norm", "2.3.3-inverse-rotary", "2.3.1-grouped-output")
CSA_STEPS = tuple(f"eq-{number}" for number in range(9, 20)) + ("2.3.1-visibility",)
HCA_STEPS = tuple(f"eq-{number}" for number in range(20, 27)) + ("2.3.1-visibility",)
HEADS_AND_GROUPS = [(2, 2), (4, 2), (2, 1), (4, 4), (8, 4), (3, 1), (6, 2), (8, 2)]
Change = Callable[[Tensors], None]  # of the weights, in place


def steps(ratio: int) -> tuple[str, ...]:
    """The equations that only some layers have."""
    return {0: (), OVERLAPPING_RATIO: CSA_STEPS}.get(ratio, HCA_STEPS)


def attention_case(
    name: str, seed: int, layer: Layer, chunks: list[int], description: str, *, start: int | None = None,
    boundary: str = "clear", change: Change | None = None, size: float = 1.0,
) -> Case:  # fmt: skip
    """A layer on sum(chunks) tokens of about `size`; from the generated state before `start`, if there is one."""
    weights = layer.weights(np.random.default_rng(seed))
    if change:
        change(weights)
    hidden = layer_tokens(layer, weights, seed, sum(chunks), start or 0, ties=boundary == "tied", size=size)
    state: Parameters = {} if start is None else {"start": start, "state_seed": seed}
    return case_of(name, seed, layer, weights, hidden, chunks, description, state, boundary)


def case_of(
    name: str, seed: int, layer: Layer, weights: Tensors, hidden: Array, chunks: list[int], description: str,
    state: Parameters, boundary: str,
) -> Case:  # fmt: skip
    return Case(
        id=case_id(layer.kind, name),
        operation="attention-from-state" if state else "attention",
        description=description,
        equations=steps(layer.ratio) + layer.rotary.equations() + OUTER,
        seed=seed,
        parameters=layer.parameters() | state,
        inputs={"hidden": hidden, "chunks": np.array(chunks, dtype=np.int64)},
        weights=weights,
        boundary=boundary,
    )


def varied(layer: Layer, number: int) -> Layer:
    """The layer with another number of heads, groups and, for CSA, selected entries (1 or 2)."""
    heads, groups = HEADS_AND_GROUPS[number % len(HEADS_AND_GROUPS)]
    return replace(layer, heads=heads, groups=groups, topk=min(layer.topk, 1 + number % 2))


# Lengths


def prefill_cases() -> list[Case]:
    """One prefill, of lengths around the window of 5 and the blocks of 3 and 4 tokens."""
    window = {
        1: "One token at position 0, where nothing turns", 3: "Three tokens", 4: "One token less than the window holds",
        5: "As many tokens as the window holds", 6: "One token more than the window holds", 7: "Seven tokens",
        8: "Eight tokens", 9: "Nine tokens",
    }  # fmt: skip
    shown = {
        "sliding": {
            1: "shows the norms, the sink and the output groups", 3: "shows pairs taken half a head apart",
            4: "shows an inverse rotation left out, or at another position",
            5: "shows the first token dropped too early",
            6: "shows a window of 6, and none", 7: "shows a window of 4 or 6", 8: "shows sinks of other heads",
            9: "shows output groups of interleaved heads",
        },
        "csa": {
            1: "no entry, and nothing to select", 3: "one short of a block: shows a partial block pooled",
            4: "one block: shows it hidden from the token that completes it, or shown to the others",
            5: "one block and one token more: shows a block before the first of score 0",
            6: "one block, two tokens of the next", 7: "one short of two blocks: shows a block seen too early",
            8: "two blocks: shows pooling without overlap, and rotation at the entry's index",
            9: "two blocks and a token: shows selections for all tokens together",
        },
        "hca": {
            1: "no entry", 3: "one block of 3: shows it hidden from the token that completes it",
            4: "one block: shows an overlap as in ratio 4", 5: "one short of two blocks: shows a partial block pooled",
            6: "two blocks: shows rotation at the entry's index",
            7: "two blocks and a token: shows entries seen too early",
            8: "one short of three blocks: shows entries seen too early", 9: "three blocks: shows entries left out",
        },
    }  # fmt: skip
    return [
        attention_case(f"tiny/{kind}-prefill-{tokens}", 5400 + 20 * place + tokens, varied(layer, place + tokens),
                       [tokens], f"{text}; {shown[kind][tokens]}.")
        for place, (kind, layer) in enumerate(KINDS.items())
        for tokens, text in window.items()
    ]  # fmt: skip


def ratio_cases() -> list[Case]:
    """Prefills one short of, at and one past a whole number of blocks, for ratios other than 3 and 4."""
    edge = "shows a partial block pooled, a block seen too early or too late, and another ratio taken for granted"
    return [
        attention_case(f"tiny/hca-ratio-{ratio}-{tokens}", 5500 + 20 * ratio + tokens,
                       varied(replace(HCA, ratio=ratio), tokens), [tokens], f"Ratio {ratio}, {tokens} tokens; {edge}.")
        for ratio, lengths in ((1, [3]), (2, [3, 4, 5]), (8, [7, 8, 9, 17])) for tokens in lengths
    ]  # fmt: skip


def long_cases() -> list[Case]:
    """The released window of 128, and ratio 128, at theta 500 and other odd numbers."""
    odd = replace(SLIDING, width=5, heads=2, latent=4, groups=1, window=128, norm_epsilon=1e-3,
                  rotary=Rotary(6, 500.0, 40, 5.5, 4.0, 0.5))  # fmt: skip
    layers = {
        "sliding": replace(odd, rotary=Rotary(6, 500.0)),
        "csa": replace(odd, ratio=4, index_heads=5, index_width=8, topk=5),
        "hca": replace(odd, ratio=128),
    }
    chunks = {
        127: ([127], "One prefill, one token short of the window and of a block of 128"),
        128: ([128], "One prefill that fills the window and a block of 128"),
        129: ([50, 78, 1], "Uneven chunks, and one token that drops the first from the window"),
        300: ([131, 1, 1, 64, 100, 3], "Uneven chunks of up to 131 tokens; the window wraps twice"),
    }
    edge = "shows a window of 127 or 129, and none"
    cases = [
        attention_case(f"odd/{kind}-{tokens}-tokens", 5700 + 10 * place + i, layer, pieces, f"{text}; {edge}.")
        for place, (kind, layer) in enumerate(layers.items())
        for i, (tokens, (pieces, text)) in enumerate(chunks.items())
    ]
    blocks = attention_case("odd/hca-257-tokens", 5742, layers["hca"], [128, 128, 1], "Chunks that end where blocks of "
                            "128 end; shows a block seen too early or too late, and one rotated at its index or its "
                            "last token.")  # fmt: skip
    cases += [
        attention_case(f"odd/{kind}-decode-after-{tokens}", 5750 + 10 * place + tokens % 7, layer, [tokens, 1, 1, 1],
                       f"A prefill of {tokens} tokens, then three single ones; shows state lost after a long prefill.")
        for place, (kind, layer) in enumerate(layers.items()) for tokens in (129, 300)
    ]  # fmt: skip
    return [*cases, blocks]


# Chunks


def decode_cases() -> list[Case]:
    """A prefill of each length, then single tokens, with a window of 8."""
    lost = {"sliding": "the window", "csa": "the window, the unfinished block and the overlap with the one before it",
            "hca": "the window and the unfinished block"}  # fmt: skip
    cases = []
    for place, (kind, layer) in enumerate(KINDS.items()):
        wide, state = replace(layer, window=8), f"shows state lost between chunks: {lost[kind]}"
        cases += [
            attention_case(f"tiny/{kind}-token-by-token", 5800 + 20 * place, varied(wide, place), [1] * 11,
                           f"Eleven single tokens; {state}.")
        ] + [
            attention_case(f"tiny/{kind}-decode-after-{first}", 5800 + 20 * place + first, varied(wide, place + first),
                           [first] + [1] * 5, f"A prefill of {first} tokens, then five single ones; {state}.")
            for first in (3, 4, 5, 7, 8, 9)
        ]  # fmt: skip
    return cases


def chunk_cases() -> list[Case]:
    """Chunks of several tokens, where they can show something of that kind of layer."""
    kinds = {"csa": ("uneven-chunks", "whole-blocks", "window-chunks", "two-chunks"),
             "hca": ("uneven-chunks", "window-chunks", "two-chunks"), "sliding": ("uneven-chunks", "window-chunks")}
    pieces = {
        "uneven-chunks": ([3, 6, 1, 5, 2], "Chunks that are no multiples of any ratio, and a window that wraps; "
                          "shows positions and rows taken by place in the chunk."),
        "whole-blocks": ([4, 8, 4], "Chunks that end where blocks of 4 end; shows the overlap lost when a chunk starts "
                         "a block."),
        "window-chunks": ([5, 5, 6], "Chunks of the window's size and one more; shows a window kept from the last "
                          "chunk only, or overwritten within a chunk."),
        "two-chunks": ([2, 11], "Two tokens, then eleven; shows several blocks completed in one chunk that starts "
                       "inside a block."),
    }  # fmt: skip
    return [
        attention_case(f"tiny/{kind}-{name}", 5900 + 20 * place + i, varied(layer, place + i), chunks, description)
        for place, (kind, layer) in enumerate(KINDS.items())
        for i, (name, (chunks, description)) in enumerate(pieces.items())
        if name in kinds[kind]
    ]


def attention_cases() -> list[Case]:
    return prefill_cases() + ratio_cases() + long_cases() + decode_cases() + chunk_cases()
