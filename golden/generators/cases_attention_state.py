"""Cases of operation `attention-from-state` (report 2.3): a layer that goes on at a position far from 0.

What it saw before is generated from `state_seed`, so that a position near the maximum of 1048576 needs few tokens. At
such positions angles are float32, as deployed, with a stored table of frequencies.
"""

from dataclasses import replace

from attention_inputs import Layer, Rotary
from case import Case
from cases_attention import CSA, HCA, SLIDING, attention_case

COMPRESSED = Rotary(64, 160000.0, 65536)
FAR = Rotary(4, 160000.0, 65536, angles="float32")
FAR_CSA = replace(CSA, width=4, head_width=4, latent=3, rank=2, index_heads=2, rotary=FAR, window=8)
FAR_HCA = replace(FAR_CSA, ratio=128, index_heads=0, index_width=0, topk=0)
FAR_SLIDING = replace(FAR_HCA, ratio=0, rotary=Rotary(4, 10000.0, angles="float32"))


def state_case(name: str, seed: int, layer: Layer, start: int, chunks: list[int], description: str) -> Case:
    return attention_case(name, seed, layer, chunks, description, start=start)


def near_cases() -> list[Case]:
    """Starts of a few tokens, with exact angles."""
    block = "shows state of the unfinished block lost, and biases taken by place in the chunk"
    return [
        state_case("tiny/sliding-from-0", 6401, SLIDING, 0, [4, 3], "Position 0, where there is no state; "
                   "shows generated rows before position 0."),
        state_case("tiny/sliding-from-3", 6402, SLIDING, 3, [1, 1, 5], "Position 3 of a window of 5; shows a window "
                   "filled with entries that do not exist."),
        state_case("tiny/sliding-from-11", 6403, SLIDING, 11, [2, 4], "Position 11 of a window of 5: four older "
                   "entries are seen; shows one too many or too few."),
        state_case("tiny/csa-from-0", 6411, CSA, 0, [5, 4], "Position 0, where there is no state; shows a block before "
                   "block 0 that is not empty."),
        state_case("tiny/csa-from-4", 6412, CSA, 4, [1, 1, 1, 1, 1], "Position 4, after one block: its tokens are "
                   "pooled again into the next entry; shows the overlap lost when a chunk starts a block."),
        state_case("tiny/csa-from-6", 6413, CSA, 6, [7], f"Position 6, inside the second block; {block}."),
        state_case("tiny/csa-from-35", 6414, CSA, 35, [1, 4, 3], "Position 35: the first token completes the ninth "
                   f"block; {block}, and a block hidden from the token that completes it."),
        state_case("tiny/hca-from-0", 6421, HCA, 0, [4, 2], "Position 0 of ratio 3, where there is no state."),
        state_case("tiny/hca-from-5", 6422, HCA, 5, [1, 1, 3], "Position 5 of ratio 3: the first token completes the "
                   f"second block; {block}."),
        state_case("tiny/hca-from-100", 6423, replace(HCA, ratio=8), 100, [3, 9], "Position 100 of ratio 8, 12 "
                   f"entries before; {block}."),
        state_case("odd/hca-from-1003", 6424, replace(HCA, ratio=7, norm_epsilon=1e-3, heads=3, groups=1,
                                                      rotary=Rotary(4, 500.0, 40, 5.5, 4.0, 0.5)), 1003, [2, 6],
                   f"Position 1003 of ratio 7, theta 500; {block}."),
    ]  # fmt: skip


def far_cases() -> list[Case]:
    """Starts near the maximum."""
    far = "shows angles formed otherwise than in float32, and indices or positions of too few bits"
    return [
        state_case("tiny/sliding-from-1048000", 6431, FAR_SLIDING, 1_048_000, [1, 6, 2], f"Position 1048000 of a "
                   f"sliding layer; {far}."),
        state_case("tiny/sliding-to-the-end", 6432, FAR_SLIDING, 1_048_567, [9], f"The last nine positions of all; "
                   f"{far}, and the last position refused."),
        state_case("tiny/csa-from-1048000", 6433, FAR_CSA, 1_048_000, [4, 1], "Position 1048000 of ratio 4, at the "
                   f"start of a block, 262000 entries before; {far}, and a selection from part of the entries."),
        state_case("tiny/csa-from-1000003", 6434, replace(FAR_CSA, topk=3), 1_000_003, [1, 3, 2], "Position 1000003 of "
                   f"ratio 4, where the first token completes a block; {far}."),
        state_case("tiny/csa-from-1000002", 6435, replace(FAR_CSA, index_heads=4), 1_000_002, [3, 2], "Position "
                   f"1000002, two tokens inside a block, 250000 entries before; {far}."),
        state_case("tiny/hca-from-1048000", 6436, FAR_HCA, 1_048_000, [60, 1, 1, 1, 1, 2], "Position 1048000 of ratio "
                   f"128, half a block done, 8187 entries before; {far}."),
        state_case("tiny/hca-from-1000003", 6437, FAR_HCA, 1_000_003, [61, 2], "Position 1000003 of ratio 128, 67 "
                   f"tokens inside a block; {far}."),
        state_case("tiny/hca-from-1048064", 6438, FAR_HCA, 1_048_064, [3], "Position 1048064 of ratio 128, at the "
                   f"start of a block, which stays unfinished; {far}."),
    ]  # fmt: skip


def published_cases() -> list[Case]:
    sliding = Layer(16, 2, 512, 8, 2, 8, 128, 0, Rotary(64, 10000.0), published=True)
    compressed = replace(sliding, rotary=replace(COMPRESSED, angles="float32"))
    csa = replace(compressed, ratio=4, index_heads=2, index_width=128, topk=16)
    hca = replace(compressed, width=8, ratio=128)
    late = "shows a window other than 128, and an inverse at another position"
    return [
        state_case("published/sliding-from-300", 6441, sliding, 300, [2, 2], "Position 300 of a sliding layer, with "
                   f"exact angles; shows YaRN on a sliding layer; {late}."),
        state_case("published/csa-from-298", 6442, csa, 298, [1, 3], "Position 298 of a CSA layer, 16 of 74 and more "
                   f"entries; {late}."),
        state_case("published/csa-from-20001", 6443, replace(csa, topk=4), 20_001, [3], "Position 20001 of a CSA "
                   f"layer, 4 of 5000 entries; shows indices of too few bits; {late}."),
        state_case("published/hca-from-381", 6444, hca, 381, [2, 2], "Position 381 of an HCA layer, which completes "
                   f"its third block of 128 with the third token; {late}."),
        state_case("published/hca-from-126", 6445, replace(hca, rotary=COMPRESSED), 126, [1, 1, 1], "Position 126 of "
                   "an HCA layer, with exact angles: the second token completes the first block of 128 and sees it; "
                   "shows another ratio, and a block seen too late."),
    ]  # fmt: skip


def attention_state_cases() -> list[Case]:
    return near_cases() + far_cases() + published_cases()
