"""Cases of operation `attention` (report 2.3) whose numbers make one mistake visible, and those at published widths."""

from dataclasses import replace

import numpy as np

from attention_inputs import Layer, Rotary
from case import Case, Tensors, eighths, first_seed
from cases_attention import CSA, HCA, KINDS, SLIDING, Change, attention_case, case_of
from clear_selections import latent_of, ties_of_equal_keys

ODD_ROTARY = Rotary(6, 500.0, 40, 5.5, 4.0, 0.5)
ODD = Layer(11, 6, 10, 7, 3, 5, 5, 0, replace(ODD_ROTARY, length=0), norm_epsilon=1e-3)
ODD_CSA = replace(ODD, ratio=4, rotary=ODD_ROTARY, index_heads=3, index_width=16, topk=2)
ODD_HCA = replace(ODD, ratio=5, rotary=ODD_ROTARY)


# Weights


def scaled(**factors: float) -> Change:
    """Weights of these names multiplied by a factor."""

    def change(weights: Tensors) -> None:
        for name, factor in factors.items():
            if name in weights:
                weights[name] *= np.float32(factor)

    return change


def sinks(*values: float) -> Change:
    def change(weights: Tensors) -> None:
        weights["sinks"][:] = values

    return change


def in_eighths(weights: Tensors) -> None:
    rng = np.random.default_rng(6001)
    for x in weights.values():
        x[:] = eighths(rng, *x.shape, largest=6)


def weight_cases() -> list[Case]:
    """The same for every kind of layer: sinks, norms, sizes of the queries, groups."""
    four = {"heads": 4, "groups": 2}
    changes: dict[str, tuple[dict, Change, str]] = {
        "sinks-large": (four, sinks(30, -30, 3, 1), "Sinks of 30, -30, 3 and 1; shows sinks left out, given a value, "
                        "and one sink for all heads."),
        "sink-huge": (four, sinks(1e4, -1e4, 0, 0.5), "Sinks of 10000, -10000, 0 and 0.5; shows overflow, and 0 / 0 "
                      "where the sink takes all."),
        "small-norms": ({}, scaled(kv_norm=0.03, compressor_norm=0.03, query_norm=0.03, index_norm=0.03),
                        "All norm weights near 0.03, as released; shows 1 + weight, and weights left out."),
        "large-queries": ({}, scaled(query_up=50), "Raw queries of about 100, made unit by the norm of their head; "
                          "shows that norm left out, and a weight taken for it."),
        "small-queries": ({}, scaled(query_up=5e-4), "Raw queries of about 1e-3, where norm epsilon 1e-6 weighs; "
                          "shows it left out of the head norm, or outside the root."),
        "sharp": ({}, scaled(kv_norm=8, compressor_norm=8), "Entries eight times as large, so that few have all the "
                  "weight; shows every entry too many or too few."),
        "one-group": ({"heads": 4, "groups": 1}, scaled(), "Four heads in one output group; shows a fixed number of "
                      "groups."),
        "group-each": ({"heads": 8, "groups": 8, "rank": 2}, scaled(), "A group for each of eight heads, rank 2; shows "
                       "a dense output projection, and groups of interleaved heads."),
    }  # fmt: skip
    return [
        attention_case(f"tiny/{kind}-{name}", 6010 + 20 * place + i, replace(layer, **fields), [9, 1, 3], description,
                       change=change)
        for place, (kind, layer) in enumerate(KINDS.items())
        for i, (name, (fields, change, description)) in enumerate(changes.items())
        if kind == "sliding" or name not in ("sink-huge", "large-queries", "one-group")
    ]  # fmt: skip


def small_cases() -> list[Case]:
    eye = Layer(2, 2, 2, 2, 2, 1, 2, 0, Rotary(2))
    table = replace(CSA.rotary, angles="float32")
    rare = "fewer entries than k: rows end in -1; shows -1 taken for entry 0, which loses that entry"
    return [
        attention_case("tiny/sliding-by-eye", 6001, eye, [3], "Three tokens, two heads of width 2, all weights "
                       "eighths, a window of 2, to follow by hand.", change=in_eighths),
        attention_case("tiny/hca-by-eye", 6002, replace(eye, ratio=2), [5], "Five tokens, ratio 2, two heads of width "
                       "2, all weights eighths, to follow by hand.", change=in_eighths),
        attention_case("tiny/sliding-window-one", 6003, replace(SLIDING, window=1), [4, 1], "A window of 1: each token "
                       "sees itself and the sink."),
        attention_case("tiny/hca-window-one", 6004, replace(HCA, window=1), [7, 1, 1], "A window of 1 and blocks of 3: "
                       "most of what a token sees are entries."),
        attention_case("tiny/csa-topk-one", 6005, replace(CSA, topk=1), [7, 1, 13, 3], "One of up to 6 entries; shows "
                       "the indexer skipped, its ReLU left out, and entries selected for all tokens together."),
        attention_case("tiny/csa-topk-equal", 6006, replace(CSA, topk=4), [16], f"In the end as many entries as k = 4, "
                       f"before that {rare}."),
        attention_case("tiny/csa-topk-larger", 6007, replace(CSA, topk=9), [11, 2], f"k = 9, always {rare}."),
        attention_case("tiny/csa-one-index-head", 6008, replace(CSA, index_heads=1, topk=1), [17], "One index head; "
                       "shows scores scaled by another width."),
        attention_case("tiny/csa-table", 6009, replace(CSA, rotary=table), [13, 4], "Frequencies from a stored table; "
                       "shows frequencies computed anew."),
    ]  # fmt: skip


# Odd numbers


def odd_cases() -> list[Case]:
    taken = "every axis of another size, theta 500, norm epsilon 1e-3; shows exchanged axes and released numbers"
    yarn = replace(ODD, rotary=ODD_ROTARY)
    plain = replace(ODD_HCA, rotary=ODD.rotary)
    return [
        attention_case("odd/sliding", 6101, ODD, [13], f"Six heads in 3 groups, {taken}.", size=0.05),
        attention_case("odd/sliding-yarn", 6102, yarn, [4, 9], "A sliding layer with YaRN of its own: what the "
                       "parameters say holds, whatever the ratio."),
        attention_case("odd/sliding-seven-heads", 6103, replace(ODD, heads=7, groups=1, window=3), [1, 7, 3], "Seven "
                       f"heads in one group, {taken}."),
        attention_case("odd/csa", 6111, ODD_CSA, [21], f"Six heads in 3 groups, {taken}.", size=0.2),
        attention_case("odd/csa-uneven-chunks", 6112, replace(ODD_CSA, heads=5, groups=1, topk=3), [3, 1, 6, 2, 5, 9],
                       f"Five heads, three of up to 6 entries, uneven chunks, {taken}."),
        attention_case("odd/csa-many-entries", 6113, replace(ODD_CSA, index_heads=5, topk=6, width=7, heads=2,
                                                             groups=2), [50, 1, 1, 3],
                       "Six of up to 13 entries; shows the indexer skipped, and its ReLU left out."),
        attention_case("odd/hca", 6121, ODD_HCA, [18], f"Ratio 5, six heads in 3 groups, {taken}.", size=0.05),
        attention_case("odd/hca-plain-rotary", 6122, plain, [6, 1, 10], "Ratio 5 without YaRN: what the parameters say "
                       "holds, whatever the ratio."),
        attention_case("odd/hca-ratio-two", 6123, replace(ODD_HCA, ratio=2, heads=4, groups=4), [1, 2, 3, 4, 5],
                       f"Ratio 2, four heads in 4 groups, uneven chunks, {taken}."),
        attention_case("odd/hca-ratio-seven", 6124, replace(ODD_HCA, ratio=7, window=9), [20] + [1] * 9, "Ratio 7 and "
                       "a window of 9, a prefill of 20 tokens and nine single ones; shows sizes that are powers of 2."),
        attention_case("odd/hca-table", 6125, replace(ODD_HCA, rotary=replace(ODD_ROTARY, angles="float32")), [12, 5],
                       "Frequencies from a stored table; shows frequencies computed anew."),
    ]  # fmt: skip


# Ties


def repeated_tokens(name: str, start: int, layer: Layer, blocks: list[int], chunks: list[int], text: str) -> Case:
    """Blocks of one number have equal tokens; index keys do not rotate, so those of equal blocks tie. k >= 2."""

    def build(seed: int) -> Tensors:
        rng = np.random.default_rng(seed)
        weights = layer.weights(rng)
        weights["index_norm"][-layer.rotary.dims :] = 0
        tokens = layer.vector(rng, max(blocks) + 1, 4, layer.width)
        return weights | {"hidden": tokens[blocks].reshape(-1, layer.width)[: sum(chunks)]}

    def accept(tensors: Tensors) -> bool:
        latents = np.stack([latent_of(layer, tensors, hidden) for hidden in tensors["hidden"]])
        return ties_of_equal_keys(layer, tensors, tensors["hidden"], latents)

    seed, tensors = first_seed(start, build, accept)
    hidden = tensors.pop("hidden")
    return case_of(name, seed, layer, tensors, hidden, chunks, text, {}, "tied")


def tie_cases() -> list[Case]:
    rule = "equal scores go by lower index; shows the higher index, which attends to another entry"
    few, repeat = replace(CSA, index_heads=1, topk=2), replace(CSA, topk=2)
    return [
        attention_case("tiny/csa-tie-at-zero", 6201, few, [30], f"One index head, so that many scores are 0; {rule}.",
                       boundary="tied"),
        attention_case("tiny/csa-tie-at-zero-decode", 6202, replace(CSA, index_heads=2, topk=3), [9] + [1] * 27,
                       f"Two index heads, ties at 0 while single tokens are fed; {rule}.", boundary="tied"),
        attention_case("odd/csa-tie-at-zero", 6203, replace(ODD_CSA, index_heads=2, topk=4, heads=2, groups=1),
                       [17, 3, 12], f"Four of up to 8 entries, ties at 0; {rule}.", boundary="tied"),
        repeated_tokens("tiny/csa-tie-equal-tokens", 6204000, repeat, [0, 0, 0, 0, 0], [18], "The same four tokens "
                        f"again and again; {rule}."),
        repeated_tokens("tiny/csa-tie-repeated-blocks", 6205000, repeat, [0, 0, 1, 0, 0, 1, 0], [10, 1, 1, 15],
                        f"Blocks that come again after others; {rule}."),
    ]  # fmt: skip


# Published widths


def published_cases() -> list[Case]:
    sliding = Layer(16, 2, 512, 8, 2, 8, 128, 0, Rotary(64, 10000.0), published=True)
    compressed = replace(sliding, rotary=Rotary(64, 160000.0, 65536))
    csa = replace(compressed, ratio=4, index_heads=2, index_width=128, topk=512)
    hca = replace(compressed, width=8, ratio=128)
    narrow = {"heads": 1, "head_width": 72, "groups": 1}
    return [
        attention_case("published/sliding", 6301, sliding, [9], "A sliding layer: theta 10000, no YaRN, heads of 512 "
                       "with 64 rotary dims; shows theta 160000, YaRN and another attention scale."),
        attention_case("published/csa", 6302, csa, [8, 1], "A CSA layer: theta 160000 with YaRN for all of it, "
                       "k = 512; shows theta 10000 for queries or window, and a pool left unrotated."),
        attention_case("published/csa-pro", 6303, replace(csa, topk=1024, groups=1, heads=3), [5], "Pro's k = 1024 and "
                       "a group of three heads; shows k fixed at 512 and 8 groups."),
        attention_case("published/csa-choice", 6304, replace(csa, head_width=96, topk=4), [18] + [1] * 8, "A CSA layer "
                       "with k = 4 and narrower heads: one or two entries are rejected; shows the indexer skipped."),
        attention_case("published/csa-300-tokens", 6305, replace(csa, **narrow, width=8, index_heads=3, topk=8),
                       [128, 1, 100, 71], "300 tokens, one narrower head, 8 of up to 75 entries; shows a window other "
                       "than 128, and the indexer skipped."),
        attention_case("published/hca-300-tokens", 6307, replace(hca, **narrow), [129, 127, 1, 43], "300 tokens, "
                       "one narrower head, two blocks of 128; shows YaRN left out, and a pool rotated at its index."),
    ]  # fmt: skip


def special_attention_cases() -> list[Case]:
    return weight_cases() + small_cases() + odd_cases() + tie_cases() + published_cases()
