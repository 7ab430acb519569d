"""Cases of component `token-compression` (report 2.3.1, 2.3.2): pooling of whole blocks into entries.

Axes: T tokens, d model width, c entry width, m ratio, N = floor(T/m) entries, w projected width (2c for ratio 4).

Ratio 4 overlaps: a block pools its own four tokens and the four before them. Compression scores have deviation 1.5 and
position biases deviation 1, so that the softmax is far from uniform and every row of the biases shows.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from attention_inputs import OVERLAPPING_RATIO, Layer, Rotary
from case import Array, Case, Tensors, case_id, eighths

COMPONENT = "token-compression"
TINY = Layer(6, 2, 8, 5, 1, 3, 5, 4, Rotary(4, 160000.0, 32))
ODD = Layer(11, 3, 10, 7, 1, 3, 5, 4, Rotary(6, 500.0, 40, 5.5, 4.0, 0.5), norm_epsilon=1e-3)
PUBLISHED = Layer(16, 2, 512, 8, 2, 8, 128, 4, Rotary(64, 160000.0, 65536), published=True)
LONG = Layer(5, 2, 6, 4, 1, 3, 128, 128, Rotary(4, 160000.0, 64))
Change = Callable[[Tensors, Array], None]  # of the weights and the tokens, in place


def compress_case(
    name: str, seed: int, layer: Layer, tokens: int, description: str, change: Change | None = None
) -> Case:
    """hidden [T,d] -> N entries of the layer's head width."""
    rng = np.random.default_rng(seed)
    weights = layer.compressor(rng, "", layer.head_width)
    hidden = layer.vector(rng, tokens, layer.width)
    if change:
        change(weights, hidden)
    overlaps = layer.ratio == OVERLAPPING_RATIO
    equations = ("eq-9", "eq-10", "eq-11", "eq-12") if overlaps else ("eq-20", "eq-21", "eq-22", "eq-23")
    return Case(
        id=case_id(COMPONENT, name),
        operation="compress",
        description=description,
        equations=equations + layer.rotary.equations(),
        seed=seed,
        parameters={**layer.rotary.parameters(), "ratio": layer.ratio, "norm_epsilon": layer.norm_epsilon},
        inputs={"hidden": hidden},
        weights=weights | layer.rotary.weights(),
    )


def overlapping_cases() -> list[Case]:
    second = "shows pooling without overlap, and the halves of the channels exchanged"
    lengths = {
        1: "One token: no block is whole, and there is no entry; shows a partial block pooled.",
        3: "One token short of a block; shows a partial block pooled or padded.",
        4: "Exactly one block, whose previous one has value 0 and score -infinity; shows a previous block of score 0, "
           "which takes half of the softmax.",
        5: "One block and a token; shows the token pooled into the first block or into a second.",
        7: "One token short of two blocks; shows rounding up.",
        8: f"Two blocks; {second}.",
        9: f"Two blocks and a token; {second}.",
        12: f"Three blocks; {second}, and an overlap of all earlier blocks.",
        17: f"Four blocks and a token, rotated at 0, 4, 8 and 12; {second}, and rotation at the entry's index.",
    }  # fmt: skip
    return [
        compress_case(f"tiny/compress-overlap-{tokens}", 5100 + tokens, TINY, tokens, description)
        for tokens, description in lengths.items()
    ]


def plain_cases() -> list[Case]:
    return [
        compress_case("tiny/compress-ratio-2", 5131, replace(TINY, ratio=2), 6, "Ratio 2: three blocks without "
                      "overlap; shows the overlap of ratio 4 at other ratios."),
        compress_case("tiny/compress-ratio-2-tail", 5132, replace(TINY, ratio=2), 5, "Ratio 2 and a token left over; "
                      "shows a partial block pooled."),
        compress_case("tiny/compress-ratio-3", 5133, replace(TINY, ratio=3), 8, "Ratio 3: two blocks, two tokens left "
                      "over; shows sizes that are powers of 2."),
        compress_case("tiny/compress-ratio-8", 5134, replace(TINY, ratio=8), 16, "Ratio 8, two blocks rotated at 0 and "
                      "8; shows rotation at the entry's index or at the last token of a block."),
        compress_case("tiny/compress-ratio-1", 5135, replace(TINY, ratio=1), 3, "Ratio 1: every token is a block, its "
                      "softmax is 1; shows position biases added to the values."),
        compress_case("tiny/compress-ratio-128-none", 5136, LONG, 127, "One token short of a block of 128; "
                      "shows a partial block pooled."),
        compress_case("tiny/compress-ratio-128", 5137, LONG, 128, "One block of 128; shows a ratio fixed at 4."),
        compress_case("tiny/compress-ratio-128-tail", 5138, LONG, 129, "One block of 128 and a token; shows the token "
                      "pooled too."),
        compress_case("tiny/compress-ratio-128-two", 5139, LONG, 300, "Two blocks of 128, rotated at 0 and 128, and 44 "
                      "tokens left over; shows rotation at the entry's index, and YaRN left out."),
    ]  # fmt: skip


def by_eye(weights: Tensors, hidden: Array) -> None:
    """Eighths everywhere."""
    rng = np.random.default_rng(5141)
    hidden[:] = eighths(rng, *hidden.shape)
    for x in weights.values():
        x[:] = eighths(rng, *x.shape, largest=6)


def scaled(**factors: float) -> Change:
    """Weights of these names, or "hidden", multiplied by a factor."""

    def change(weights: Tensors, hidden: Array) -> None:
        for name, factor in factors.items():
            target = hidden if name == "hidden" else weights[name]
            target *= np.float32(factor)

    return change


def rowwise_bias(weights: Tensors, hidden: Array) -> None:
    """Each row of the position biases on a level of its own."""
    weights["position_bias"] += np.linspace(-3, 3, len(weights["position_bias"]), dtype=np.float32)[:, None]


def repeated_tokens(weights: Tensors, hidden: Array) -> None:
    hidden[:] = hidden[:1]


def special_cases() -> list[Case]:
    plain, two = replace(TINY, ratio=3), replace(TINY, head_width=4, rotary=Rotary(2))
    return [
        compress_case("tiny/compress-by-eye", 5141, replace(two, width=2), 8, "Two blocks of 4 channels, all numbers "
                      "eighths, to follow by hand.", by_eye),
        compress_case("tiny/compress-uniform", 5142, TINY, 8, "Gate projection and position biases 0: the first entry "
                      "is a mean of 4 rows, the second of 8; shows a first block divided by 8.",
                      scaled(gate_projection=0, position_bias=0)),
        compress_case("tiny/compress-one-hot", 5143, TINY, 12, "Compression scores of deviation 60 choose one row a "
                      "channel; shows overflow of exp, and a softmax over channels instead of rows.",
                      scaled(gate_projection=40)),
        compress_case("tiny/compress-overflow", 5144, plain, 9, "Compression scores up to about 500; "
                      "shows exp without the maximum taken off.", scaled(gate_projection=150)),
        compress_case("tiny/compress-position-bias", 5145, TINY, 12, "Position biases of another level in each row; "
                      "shows them left out, added to the values, or taken from another row.", rowwise_bias),
        compress_case("tiny/compress-position-bias-plain", 5146, replace(TINY, ratio=8), 17, "Position biases of "
                      "another level in each of 8 rows; shows them left out or taken by position instead of row.",
                      rowwise_bias),
        compress_case("tiny/compress-equal-tokens", 5147, TINY, 12, "All tokens equal, so that entries differ by the "
                      "missing block before the first and by rotation alone; shows entries left unrotated.",
                      repeated_tokens),
        compress_case("tiny/compress-small-norm", 5148, TINY, 12, "Norm weights near 0.03, as released; "
                      "shows 1 + weight, and the weight left out.", scaled(norm=0.03)),
        compress_case("tiny/compress-small-tokens", 5149, TINY, 12, "Tokens of about 1e-3, where norm epsilon 1e-6 is "
                      "as large as the mean square; shows it left out, or outside the root.", scaled(hidden=1e-3)),
        compress_case("odd/compress-overlap", 5151, ODD, 14, "Every axis of another size, theta 500, norm epsilon "
                      "1e-3, odd YaRN numbers; shows exchanged axes and released numbers taken for granted."),
        compress_case("odd/compress-plain", 5152, replace(ODD, ratio=5), 23, "Ratio 5, every axis of another size; "
                      "shows released numbers taken for granted.", scaled(hidden=0.05)),
        compress_case("odd/compress-all-dims", 5153, replace(ODD, head_width=6), 13, "All 6 channels of an entry "
                      "rotate; shows a rotary part of fixed size."),
        compress_case("odd/compress-table", 5154, replace(ODD, rotary=replace(ODD.rotary, angles="float32")), 21,
                      "Frequencies from a stored table; shows frequencies computed anew."),
        compress_case("published/compress-csa", 5161, PUBLISHED, 17, "CSA's ratio 4 and 512 channels; "
                      "shows sizes of the tiny cases, and theta 10000."),
        compress_case("published/compress-hca", 5162, replace(PUBLISHED, width=8, ratio=128), 300, "HCA's ratio 128 "
                      "and 512 channels; shows an overlap, and rotation at the entry's index."),
        compress_case("published/compress-index", 5163, replace(PUBLISHED, head_width=128), 23, "The indexer's own "
                      "compressor: ratio 4, 128 channels; shows the first 64 of 128 dims rotated."),
    ]  # fmt: skip


def compression_cases() -> list[Case]:
    return overlapping_cases() + plain_cases() + special_cases()
