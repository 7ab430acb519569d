"""Cases of operation `mtp` in component `multi-token-prediction`: the block that predicts one token further.

Configurations, weights and seeds as in `cases_model`.
"""

from case import Case
from cases_model import MTP, model_case, whole_case
from cases_refused import refused
from model_configs import (
    BLOCKS_OF_SLOTS, DEPLOYED, FLASH, HASHED, LEARNED, ODD, OFFICIAL, PRO, PUBLISHED, ROUNDED, SLIDING, TINY,
    WITHOUT_MTP, Config,
)  # fmt: skip

PREDICTION = "2.1-mtp"


def mtp_case(
    name: str, seed: int, config: Config, chunks: list[int], description: str, *, numerics: str = "exact",
    weight_format: str = "float32",
) -> Case:  # fmt: skip
    return whole_case(MTP, "mtp", name, seed, config, chunks, description, numerics=numerics,
                      weight_format=weight_format, equations=(PREDICTION,))  # fmt: skip


def length_cases() -> list[Case]:
    return [
        mtp_case("tiny/prefill-2", 9201002, TINY, [2], "Two tokens, one prediction; shows the hidden state collapsed "
                 "before the block, both projections exchanged, and a norm left out."),
        mtp_case("tiny/prefill-3", 9202000, TINY, [3], "Three tokens; shows the embedding of the token itself in place "
                 "of the next one."),
        mtp_case("tiny/prefill-6", 9203000, TINY, [6], "Six tokens, five predictions: the block's window is full."),
        mtp_case("tiny/prefill-7", 9204000, TINY, [7], "Seven tokens: the block's window wraps; shows it unbounded."),
        mtp_case("tiny/prefill-9", 9205000, TINY, [9], "Nine tokens; shows the block's positions counted from 1, and "
                 "hash routing or a compression ratio in the block."),
    ]  # fmt: skip


def chunk_cases() -> list[Case]:
    return [
        mtp_case("tiny/token-by-token", 9221000, TINY, [1] * 8, "Single tokens, the first without a prediction; shows "
                 "the streams of the last token lost between chunks."),
        mtp_case("tiny/decode-after-2", 9222000, TINY, [2, 1, 1, 1, 1, 1], "A prefill of two, then single tokens; "
                 "shows state of the block lost."),
        mtp_case("tiny/decode-after-6", 9223000, TINY, [6, 1, 1, 1], "A prefill to the end of the block's window, then "
                 "single tokens."),
        mtp_case("tiny/uneven-chunks", 9224000, TINY, [1, 4, 2, 5], "Uneven chunks; shows a prediction lost or made "
                 "twice where chunks meet."),
        mtp_case("tiny/drafts", 9225000, TINY, [4, -2, 1, -3, 3], "Drafts fed and taken back; shows the block's state "
                 "of rejected tokens kept, or a pairing with a rejected token."),
        mtp_case("tiny/drafts-single-steps", 9226000, TINY, [2, -1, 1, -2, 1, -5, 1, 1, -8, 1], "Drafts between single "
                 "tokens, as speculative decoding has them."),
        mtp_case("odd/drafts", 9227000, ODD, [3, -4, 1, -1, 3, -7, 2], "Drafts fed and taken back, every axis of "
                 "another size."),
    ]  # fmt: skip


def kind_cases() -> list[Case]:
    return [
        mtp_case("odd/prefill-2", 9241002, ODD, [2], "One prediction, every axis of another size; shows exchanged "
                 "axes."),
        mtp_case("odd/prefill-10", 9242000, ODD, [10], "Large epsilons, 3 iterations, clamp limit 0.5, theta 500; "
                 "shows released numbers, and the rotary base of compressed layers."),
        mtp_case("odd/uneven-chunks", 9243000, ODD, [2, 5, 1, 3], "Uneven chunks, every axis of another size."),
        mtp_case("tiny/learned-routing", 9244000, LEARNED, [8], "No hash layer, no clamp, no YaRN, two streams."),
        mtp_case("tiny/hash-routing", 9245000, HASHED, [8], "All layers route by table, the block by score; shows the "
                 "table used in the block."),
        mtp_case("tiny/sliding-window-only", 9246000, SLIDING, [8], "Layers of ratio 0 only, a window of 4."),
        mtp_case("tiny/pro-like", 9247001, PRO, [9], "No layer of ratio 0 but the block."),
        mtp_case("tiny/flash-like", 9248000, FLASH, [9], "Five layers; shows the streams of another layer."),
        mtp_case("tiny/float32-wide", 9249000, DEPLOYED, [6], "The widths of the deployed cases, without any "
                 "rounding."),
        mtp_case("published/prefill-131", 9250095, PUBLISHED, [131], "The released window and numbers; the block's "
                 "window wraps."),
    ]  # fmt: skip


def rounded_cases() -> list[Case]:
    def official(name: str, seed: int, config: Config, chunks: list[int], description: str, numerics: str) -> Case:
        return mtp_case(f"tiny/{name}", seed, config, chunks, description, numerics=numerics, weight_format="official")

    return [
        official("official-weights", 9261000, OFFICIAL, [8], "Weights in their deployed formats.", "exact"),
        mtp_case("tiny/simulated-prefill-5", 9262001, ROUNDED, [5], "FP8 entries in the layers and in the block.",
                 numerics="simulated"),
        mtp_case("tiny/simulated-decode", 9263139, ROUNDED, [3, 1, 1, 1], "The same, then single tokens.",
                 numerics="simulated"),
        official("simulated-wide", 9264034, DEPLOYED, [5], "The deployed widths and weights, simulated numerics.",
                 "simulated"),
        official("simulated-wide-drafts", 9265090, DEPLOYED, [3, -2, 2], "The same with drafts taken back.",
                 "simulated"),
        official("deployed-prefill-2", 9266000, DEPLOYED, [2], "One prediction with every rounding of the deployed "
                 "model; shows the inputs of both projections left unrounded, and their sum.", "deployed"),
        official("deployed-prefill-5", 9267001, DEPLOYED, [5], "Four predictions.", "deployed"),
        official("deployed-decode", 9268000, DEPLOYED, [3, 1, 1], "A prefill, then single tokens.", "deployed"),
        official("deployed-drafts", 9269073, DEPLOYED, [3, -2, 1, -4, 2], "Drafts fed and taken back.", "deployed"),
        official("deployed-blocks-of-slots", 9270012, BLOCKS_OF_SLOTS, [6], "A window of 62.", "deployed"),
    ]  # fmt: skip


def mtp_refusals() -> list[Case]:
    def mtp(name: str, config: Config, tokens: int, description: str, error: str) -> Case:
        made = model_case("tiny/refused", 9281000, config, [tokens], description)
        return refused(MTP, f"mtp-{name}", "mtp", (PREDICTION,), made.parameters, made.inputs, description,
                       f"mtp: {error}")  # fmt: skip

    return [
        mtp("one-token", TINY, 1, "A single token, which has no next one to pair its streams with.",
            "needs at least two tokens"),
        mtp("without-block", WITHOUT_MTP, 4, "A configuration without an MTP block.",
            "num_nextn_predict_layers must be 1, got 0"),
    ]  # fmt: skip


def mtp_cases() -> list[Case]:
    return length_cases() + chunk_cases() + kind_cases() + rounded_cases() + mtp_refusals()
