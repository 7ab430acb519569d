"""Cases of operation `model` in component `language-model`: whole models with generated weights.

Configurations are in `model_configs`; `clear_models` searches seeds for which all selections are clear, and with
`simulated` numerics all roundings too. A seed is that of the weights and of the token ids.
"""

import json
from dataclasses import replace

import numpy as np

from attention_inputs import OVERLAPPING_RATIO
from case import Case, Tensors, case_id
from cases_refused import refused
from model_configs import (
    BLOCKS_OF_SLOTS, DEPLOYED, FLASH, HASHED, LEARNED, ODD, OFFICIAL, PRO, PUBLISHED, ROUNDED, SLIDING, TINY,
    WITHOUT_MTP, Config, text,
)  # fmt: skip

MODEL, MTP = "language-model", "multi-token-prediction"
BLOCK, HEAD, EXPAND = "2.2-block", "2.2-head", "2.2-expand"
QUANTIZATION, DEPLOYED_POINTS = "5.2.1-block-quantization", "5.2.1-deployed-activations"
ENTRIES, INDEX = "2.3.4-entry-precision", "2.3.4-index-precision"


def token_inputs(config: Config, seed: int, chunks: list[int]) -> Tensors:
    """Token ids for positive chunks, and draft ids for negative ones."""
    rng = np.random.default_rng(seed)
    counts = {"token_ids": sum(c for c in chunks if c > 0), "draft_ids": -sum(c for c in chunks if c < 0)}
    ids = {name: rng.integers(0, config["vocab_size"], size=count) for name, count in counts.items()}
    if counts["draft_ids"] == 0:
        ids.pop("draft_ids")
    return ids | {"chunks": np.array(chunks, dtype=np.int64)}


def with_seed(case: Case, seed: int) -> Case:
    """The same case with other weights and other tokens."""
    config = json.loads(case.parameters["config"])
    inputs = token_inputs(config, seed, case.inputs["chunks"].tolist())
    return replace(case, seed=seed, parameters=case.parameters | {"weights_seed": seed}, inputs=inputs)


def equations_of(config: Config, numerics: str, weight_format: str) -> tuple[str, ...]:
    found = (BLOCK,)
    if numerics != "exact":
        found += (ENTRIES,) + (INDEX,) * (OVERLAPPING_RATIO in config["compress_ratios"])
    if numerics == "deployed":
        found += (DEPLOYED_POINTS,)
    return found + (QUANTIZATION,) * (numerics == "deployed" or weight_format == "official")


def whole_case(
    component: str, operation: str, name: str, seed: int, config: Config, chunks: list[int], description: str, *,
    numerics: str = "exact", weight_format: str = "float32", equations: tuple[str, ...] = (),
) -> Case:  # fmt: skip
    return Case(
        id=case_id(component, name),
        operation=operation,
        description=description,
        equations=equations + equations_of(config, numerics, weight_format),
        seed=seed,
        parameters={"config": text(config), "weights_seed": seed, "weight_format": weight_format,
                    "numerics": numerics, "angles": "exact"},
        inputs=token_inputs(config, seed, chunks),
    )  # fmt: skip


def model_case(
    name: str, seed: int, config: Config, chunks: list[int], description: str, *, numerics: str = "exact",
    weight_format: str = "float32",
) -> Case:  # fmt: skip
    return whole_case(MODEL, "model", name, seed, config, chunks, description, numerics=numerics,
                      weight_format=weight_format, equations=(EXPAND, HEAD))  # fmt: skip


# Exact numerics


def length_cases() -> list[Case]:
    """One prefill, of lengths around the window of 5 and the blocks of 3 and 4 tokens."""
    lengths = {
        1: (9001002, "One token, which attends to itself only; shows sites in another order, a norm left out, and one "
            "stream in place of four."),
        2: (9002000, "Two tokens; shows positions counted from 1 in one kind of layer."),
        3: (9003000, "Three tokens: one entry of ratio 3, none of ratio 4."),
        4: (9004000, "Four tokens: one entry of each ratio; shows one rotary base for all layers."),
        5: (9005000, "As many tokens as the window holds."),
        6: (9006000, "One token more than the window holds, and two entries of ratio 3."),
        8: (9007000, "Eight tokens: two entries of ratio 4; shows YaRN in the layer of ratio 0."),
        9: (9008001, "Nine tokens; shows the layers' ratios shifted by one."),
        13: (9009001, "Thirteen tokens: three entries of ratio 4, of which two are selected."),
    }  # fmt: skip
    return [
        model_case(f"tiny/prefill-{count}", seed, TINY, [count], text) for count, (seed, text) in lengths.items()
    ]


def chunk_cases() -> list[Case]:
    lost = "shows state lost between chunks in some kind of layer"
    return [
        model_case("tiny/token-by-token", 9021001, TINY, [1] * 9, f"Nine single tokens; {lost}."),
        model_case("tiny/decode-after-1", 9022000, TINY, [1, 1, 1, 1, 1, 1], f"Single tokens from the first on; "
                   f"{lost}."),
        model_case("tiny/decode-after-5", 9023001, TINY, [5, 1, 1, 1, 1], f"A prefill of the window's size, then "
                   f"single tokens; {lost}."),
        model_case("tiny/decode-after-7", 9024000, TINY, [7, 1, 1, 1], "A prefill that ends before a block does; shows "
                   "the hash table looked up by place in the chunk."),
        model_case("tiny/uneven-chunks", 9025005, TINY, [3, 6, 1, 4], "Chunks that are no multiples of any ratio; "
                   "shows positions or token ids taken by place in the chunk."),
        model_case("tiny/whole-blocks", 9026001, TINY, [12, 12], "Chunks that end where blocks of 3 and 4 end."),
        model_case("tiny/drafts", 9027001, TINY, [4, -2, 1, -5, 2, -9, 3], "Drafts of 2, 5 and 9 tokens, fed and taken "
                   "back; shows rejected tokens that stay in some kind of layer."),
        model_case("tiny/drafts-single-steps", 9028000, TINY, [1, -1, 1, -3, 1, -6, 1, 1, -4, 1, 1], "Drafts between "
                   "single tokens; shows rejected tokens that stay in some kind of layer."),
    ]  # fmt: skip


def odd_cases() -> list[Case]:
    return [
        model_case("odd/prefill-1", 9041000, ODD, [1], "One token, every axis of another size; shows exchanged axes."),
        model_case("odd/prefill-12", 9042002, ODD, [12], "Large epsilons, 3 iterations, clamp limit 0.5, theta 500 and "
                   "900; shows released numbers taken for granted, and any epsilon left out."),
        model_case("odd/decode-after-6", 9043004, ODD, [6, 1, 1, 1, 1, 1], "A prefill, then single tokens; shows state "
                   "lost between chunks."),
        model_case("odd/uneven-chunks", 9044001, ODD, [2, 7, 3, 5], "Uneven chunks; shows positions taken by place in "
                   "the chunk."),
        model_case("odd/drafts", 9045000, ODD, [3, -6, 2, -1, 4, -8, 2], "Drafts fed and taken back."),
        model_case("odd/prefill-23", 9046012, ODD, [23], "Up to five entries of ratio 4, of which three are selected; "
                   "shows released numbers taken for granted."),
    ]  # fmt: skip


def kind_cases() -> list[Case]:
    """Other sequences of layers and of routings."""
    return [
        model_case("tiny/learned-routing", 9061001, LEARNED, [9], "No hash layer, no clamp, no YaRN, two streams; "
                   "shows a clamp limit of 0 taken literally, and hash routing of the first layers."),
        model_case("tiny/learned-routing-decode", 9062000, LEARNED, [4, 1, 1, 1, 1], "The same, then single tokens."),
        model_case("tiny/hash-routing", 9063000, HASHED, [9], "All layers route by table, to three experts; shows "
                   "equal weights, and selection by score in later layers."),
        model_case("tiny/hash-routing-chunks", 9064000, HASHED, [2, 5, 1, 2], "The same in chunks; shows token ids of "
                   "the first chunk used again."),
        model_case("tiny/sliding-window-only", 9065000, SLIDING, [7], "Two layers of ratio 0 and a window of 4; shows "
                   "the rotary numbers of compressed layers, and a window that is not enforced."),
        model_case("tiny/sliding-window-only-decode", 9066000, SLIDING, [3, 1, 1, 1, 1, 1], "The same, then single "
                   "tokens that wrap the window."),
        model_case("tiny/without-mtp", 9067000, WITHOUT_MTP, [8], "No MTP block and no entry for one in "
                   "compress_ratios; shows the last layer taken for one."),
        model_case("tiny/pro-like", 9068000, PRO, [13], "Layers as V4-Pro starts: plain compression twice, then with "
                   "an indexer; no layer of ratio 0; route scale 2.5."),
        model_case("tiny/pro-like-decode", 9069001, PRO, [5, 1, 1, 1, 3, 1], "The same in chunks."),
        model_case("tiny/flash-like", 9070000, FLASH, [13], "Layers as V4-Flash starts and ends: two of ratio 0, then "
                   "4, another, 4; three hash layers."),
        model_case("tiny/flash-like-decode", 9071000, FLASH, [8, 1, 1, 1, 1, 1], "The same, then single tokens."),
        model_case("tiny/flash-like-drafts", 9072001, FLASH, [5, -5, 1, -2, 4, -7, 2], "The same with drafts taken "
                   "back."),
        model_case("tiny/float32-wide", 9073000, DEPLOYED, [9], "The widths of the deployed cases, without any "
                   "rounding."),
    ]  # fmt: skip


def published_cases() -> list[Case]:
    return [
        model_case("published/prefill-133", 9081084, PUBLISHED, [133], "The released ratios, window, rotary numbers, "
                   "epsilons, iterations and top-k; five tokens past the window and the first block of 128."),
        model_case("published/decode-after-126", 9082106, PUBLISHED, [126, 1, 1, 1, 1], "A prefill to two tokens "
                   "before the window and the block of 128 are full, then single tokens; shows an entry that comes "
                   "late, and a window of 127 or 129."),
    ]  # fmt: skip


# Rounded weights and activations


def official_cases() -> list[Case]:
    return [
        model_case("tiny/official-weights", 9101000, OFFICIAL, [9], "Weights in their deployed formats: FP8, FP4, "
                   "BF16; shows a weight of another format, and blocks of rows.", weight_format="official"),
        model_case("tiny/official-weights-decode", 9102000, OFFICIAL, [3, 1, 1, 1, 1], "The same, then single tokens.",
                   weight_format="official"),
        model_case("tiny/official-weights-wide", 9103000, DEPLOYED, [7], "Several blocks in a weight; shows float32 "
                   "tensors rounded to BF16, and BF16 ones to FP8.", weight_format="official"),
    ]  # fmt: skip


def simulated_cases() -> list[Case]:
    def case(name: str, seed: int, config: Config, chunks: list[int], description: str, **options: str) -> Case:
        return model_case(f"tiny/simulated-{name}", seed, config, chunks, description, numerics="simulated", **options)

    return [
        case("prefill-5", 9121039, ROUNDED, [5], "FP8 entries and FP4 index path in every layer; shows one of them "
             "left out."),
        case("prefill-9", 9122040, ROUNDED, [9], "Two entries of ratio 4, three of ratio 3; shows BF16 casts where the "
             "simulation rounds to FP8."),
        case("token-by-token", 9123017, ROUNDED, [1] * 7, "Single tokens; shows entries rounded when they leave a "
             "chunk."),
        case("drafts", 9124055, ROUNDED, [3, -5, 1, -1, 2], "Drafts fed and taken back."),
        case("wide-5", 9125010, DEPLOYED, [5], "Five tokens at the deployed widths."),
        case("wide-8", 9126252, DEPLOYED, [8], "Eight tokens at the deployed widths, official weights.",
             weight_format="official"),
        case("wide-decode", 9127018, DEPLOYED, [4, 1, 1, 1], "A prefill, then single tokens at the deployed widths."),
        case("wide-uneven-chunks", 9128030, DEPLOYED, [2, 3, 1], "Uneven chunks at the deployed widths, official "
             "weights.",
             weight_format="official"),
    ]  # fmt: skip


def deployed_cases() -> list[Case]:
    def case(name: str, seed: int, config: Config, chunks: list[int], description: str) -> Case:
        return model_case(f"tiny/deployed-{name}", seed, config, chunks, description, numerics="deployed",
                          weight_format="official")  # fmt: skip

    one_of_two = DEPLOYED | {"index_topk": 1}
    one_layer = BLOCKS_OF_SLOTS | {"num_hidden_layers": 1, "compress_ratios": [2, 0], "num_hash_layers": 1}
    return [
        case("prefill-1", 9141000, DEPLOYED, [1], "One token with every rounding of the deployed model; shows any of "
             "them left out, or at another point."),
        case("prefill-5", 9142001, DEPLOYED, [5], "Five tokens: one entry of each ratio."),
        case("prefill-7", 9143003, DEPLOYED, [7], "Seven tokens, past the window."),
        case("prefill-9", 9144002, DEPLOYED, [9], "Nine tokens: two entries of ratio 4."),
        case("decode-after-4", 9145004, DEPLOYED, [4, 1, 1, 1], "A prefill, then single tokens; shows a rounding left "
             "out in decoding."),
        case("uneven-chunks", 9146024, DEPLOYED, [3, 4, 1], "Uneven chunks; shows a rounding left out in small "
             "chunks."),
        case("drafts", 9147000, DEPLOYED, [4, -3, 1, -5, 1], "Drafts fed and taken back."),
        case("rejection", 9148008, one_of_two, [9], "One of two entries by BF16 scores; shows scores of more "
             "precision."),
        case("blocks-of-slots-9", 9149014, BLOCKS_OF_SLOTS, [9], "A window of 62, so that compressed entries lie on "
             "both sides of the boundary between blocks of 64 slots; shows one maximum for all slots."),
        case("blocks-of-slots-decode", 9150005, BLOCKS_OF_SLOTS, [6, 1, 1], "The same, then single tokens."),
        case("blocks-of-slots-one-layer", 9150002, one_layer, [8], "One layer of ratio 2, whose largest scores lie in "
             "the second block of slots; shows blocks counted from the first entry."),
    ]  # fmt: skip


# Refusals


def model_refusals() -> list[Case]:
    def model(
        name: str, config: Config, chunks: list[int], description: str, error: str, *, numerics: str = "exact",
        weight_format: str = "float32", changed: dict[str, list[int]] | None = None, speaker: str = "model",
    ) -> Case:  # fmt: skip
        made = model_case("tiny/refused", 9161000, config, chunks, description, numerics=numerics,
                          weight_format=weight_format)  # fmt: skip
        inputs = made.inputs | {key: np.array(value, dtype=np.int64) for key, value in (changed or {}).items()}
        return refused(MODEL, f"model-{name}", "model", (BLOCK,), made.parameters, inputs, description,
                       f"{speaker}: {error}")  # fmt: skip

    return [
        model("token-id", TINY, [3], "A token id beyond the vocabulary; an engine that takes it reads foreign memory.",
              "token id 24 at position 1 is outside the vocabulary of 24", changed={"token_ids": [3, 24, 7]}),
        model("negative-token-id", TINY, [3], "Token id -1, as padding has it; many libraries take it for the last "
              "row.",
              "token id -1 at position 0 is outside the vocabulary of 24", changed={"token_ids": [-1, 4, 7]}),
        model("no-tokens", TINY, [], "No token at all.", "needs at least one token"),
        model("chunk-sum", TINY, [5], "Chunks of 3 and 1 tokens where there are 5.", "chunks sum to",
              changed={"chunks": [3, 1]}),
        model("empty-chunk", TINY, [5], "A chunk without tokens between two others.", "a chunk needs at least one "
              "token",
              changed={"chunks": [3, 0, 2]}),
        model("beyond-maximum", TINY | {"max_position_embeddings": 8}, [9], "Nine tokens where 8 positions are "
              "allowed.",
              "position 8 is beyond the maximum of 8 positions"),
        model("ratios", TINY | {"compress_ratios": [0, 4, 0]}, [3], "A ratio too few: three layers and an MTP block "
              "need four; an engine that takes it runs the MTP block's ratio in a layer.", '"compress_ratios" has 3 '
              "entries", speaker="config"),
        model("scoring", TINY | {"scoring_func": "softmax"}, [3], "Another affinity than the released one; an engine "
              "that takes it for granted routes elsewhere.", '"scoring_func" must be "sqrtsoftplus", got "softmax"',
              speaker="config"),
        model("deployed-narrow", TINY, [3], "Deployed numerics at width 12, which blocks of 128 do not divide.",
              "the block of 128 columns does not divide 12 columns", numerics="deployed", speaker="quantize"),
        model("simulated-narrow", TINY, [3], "Simulated numerics in heads of 4 dims besides the rotary ones.",
              "the block of 64 columns does not divide 4 columns", numerics="simulated", speaker="quantize"),
        model("official-narrow", TINY, [3], "Official weights where FP4 blocks of 32 do not divide an expert's width.",
              "the block of 32 columns does not divide 1", weight_format="official", speaker="quantize"),
    ]  # fmt: skip


def model_cases() -> list[Case]:
    exact = length_cases() + chunk_cases() + odd_cases() + kind_cases() + published_cases()
    return exact + official_cases() + simulated_cases() + deployed_cases() + model_refusals()
