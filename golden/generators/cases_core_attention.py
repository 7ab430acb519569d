"""Cases of operation `core-attention` (report 2.3.1, 2.3.3): one softmax over window, selected entries and sink.

Axes: T tokens, h heads, c head width, N compressed entries, K selected entries a token, W window.
"""

import numpy as np

from case import Array, Case, Tensors, bfloat16, case_id, eighths, normal

COMPONENT = "core-attention"
SPARSE, ALL = "eq-19", "eq-26"


def chosen(seed: int, tokens: int, entries: int, count: int) -> Array:
    """Each token selects `count` of the entries that ratio 4 lets it see, in random order; -1 where there are fewer."""
    rng = np.random.default_rng([seed, 2])
    selection = np.full((tokens, count), -1)
    for t in range(tokens):
        visible = rng.permutation(min(entries, (t + 1) // 4))[:count]
        selection[t, : len(visible)] = visible
    return selection


def everything(tokens: int, entries: int, ratio: int) -> Array:
    """Each token selects all entries that it may see, in order."""
    numbers = np.arange(entries)
    return np.where(numbers < (np.arange(1, tokens + 1) // ratio)[:, None], numbers, -1)


def core_case(
    name: str, seed: int, shape: tuple[int, int, int], window: int, description: str, *, selection: Array | None = None,
    entries: int = 0, sinks: list[float] | None = None, size: float = 1.0, choice: str = SPARSE, by_eye: bool = False,
) -> Case:  # fmt: skip
    """T, h, c = `shape`; queries of deviation `size`; sinks of deviation 1 unless given."""
    rng = np.random.default_rng(seed)
    tokens, heads, width = shape
    selection = np.empty((tokens, 0)) if selection is None else selection
    tensors: Tensors = {
        "queries": normal(rng, *shape, scale=size),
        "window_entries": normal(rng, tokens, width),
        "compressed_entries": normal(rng, entries, width),
    }
    if by_eye:
        tensors = {key: eighths(rng, *x.shape) for key, x in tensors.items()}
    if name.startswith("published/"):
        tensors = {key: bfloat16(x) for key, x in tensors.items()}
    return Case(
        id=case_id(COMPONENT, name),
        operation="core-attention",
        description=description,
        equations=("eq-27", "2.3.3-window") + (choice,) * (entries > 0),
        seed=seed,
        parameters={"window": window},
        inputs=tensors | {"selection": selection.astype(np.int64)},
        weights={"sinks": normal(rng, heads) if sinks is None else np.array(sinks, dtype=np.float32)},
    )


def window_cases() -> list[Case]:
    edge = "shows a window one entry too wide or too narrow, and no window at all"
    return [
        core_case("tiny/core-one-token", 5301, (1, 2, 4), 3, "One token sees itself and the sink; shows the sink left "
                  "out, or given a value."),
        core_case("tiny/core-by-eye", 5302, (3, 1, 2), 2, "Three tokens, one head of width 2, a window of 2, all "
                  "numbers eighths, to follow by hand.", by_eye=True),
        core_case("tiny/core-window-one", 5303, (4, 2, 4), 1, f"A window of 1: each token sees itself; {edge}."),
        core_case("tiny/core-window", 5304, (8, 2, 4), 3, f"Eight tokens, a window of 3; {edge}."),
        core_case("tiny/core-window-equal", 5305, (5, 2, 4), 5, "As many tokens as the window holds; shows the first "
                  "entry dropped too early."),
        core_case("tiny/core-window-larger", 5306, (4, 2, 4), 9, "A window larger than the number of tokens; "
                  "shows entries that do not exist, with score 0 in the softmax."),
        core_case("tiny/core-window-wraps", 5307, (17, 2, 4), 5, "A window that a ring buffer wraps three times; "
                  f"{edge}."),
    ]  # fmt: skip


def selection_cases() -> list[Case]:
    pads = "shows -1 taken for entry 0 or for the last one"
    order = np.array([[-1, -1], [-1, -1], [-1, -1], [0, -1], [0, -1], [0, -1], [0, -1], [1, 0], [0, 1], [1, 0]])
    late = np.array([[-1, -1, -1], [-1, 0, -1], [1, -1, 0], [-1, -1, 2], [2, 1, 0]])
    return [
        core_case("tiny/core-selection", 5311, (13, 2, 4), 3, "Two of up to 3 entries a token; shows entries selected "
                  f"for all tokens together, and entries that are ignored; {pads}.", entries=3,
                  selection=chosen(5311, 13, 3, 2)),
        core_case("tiny/core-selection-order", 5312, (10, 2, 4), 3, "The same entries in another order give the same; "
                  f"{pads}.", entries=2, selection=order),
        core_case("tiny/core-selection-gaps", 5313, (5, 2, 4), 3, f"-1 in any place of a row; {pads}.", entries=3,
                  selection=late),
        core_case("tiny/core-selection-none", 5314, (3, 2, 4), 2, f"Entries exist, but every row is -1; {pads}.",
                  entries=2, selection=np.full((3, 2), -1)),
        core_case("tiny/core-all-entries", 5315, (13, 2, 4), 4, "All visible entries of ratio 3, as HCA has it; "
                  "shows entries seen too early.", entries=4, selection=everything(13, 4, 3), choice=ALL),
        core_case("tiny/core-one-entry-each", 5316, (8, 2, 4), 2, "One entry a token; shows selections that leak to "
                  "other tokens.", entries=2, selection=chosen(5316, 8, 2, 1)),
    ]  # fmt: skip


def sink_cases() -> list[Case]:
    shape, entries = (8, 2, 4), {"entries": 2, "selection": chosen(5320, 8, 2, 2)}
    return [
        core_case("tiny/core-sinks-large", 5321, shape, 3, "Sinks of 30 in one head and 3 in the other; shows the sink "
                  "left out, and one sink for all heads.", sinks=[30, 3], **entries),
        core_case("tiny/core-sinks-negative", 5322, shape, 3, "Sinks of -30, which take nothing: the weights of the "
                  "entries sum to 1; shows a sink as an entry of score 0.", sinks=[-30, -30], **entries),
        core_case("tiny/core-sinks-opposite", 5323, shape, 3, "Sinks of 30 and -30 in neighbouring heads; shows sinks "
                  "read with another stride.", sinks=[30, -30], **entries),
        core_case("tiny/core-sinks-huge", 5324, (8, 3, 4), 3, "Sinks of 10000, -10000 and 0; shows overflow where the "
                  "maximum leaves the sink out, and 0 / 0 where it is all there is.", sinks=[1e4, -1e4, 0], **entries),
        core_case("tiny/core-sinks-take-all", 5325, shape, 3, "Both sinks at 10000: nothing is attended to, and the "
                  "result is 0, not NaN.", sinks=[1e4, 1e4], **entries),
        core_case("tiny/core-sinks-zero", 5326, shape, 3, "Sinks of 0, each as heavy as an entry of score 0; shows "
                  "the sink left out.", sinks=[0, 0], **entries),
        core_case("tiny/core-large-scores", 5327, shape, 3, "Scores to about 150, where the softmax is one-hot; shows "
                  "exp without the maximum taken off, and an attention scale left out.", size=100.0, **entries),
    ]  # fmt: skip


def larger_cases() -> list[Case]:
    return [
        core_case("odd/core", 5331, (23, 3, 7), 5, "Every axis of another size; shows exchanged axes and a scale from "
                  "another width.", entries=5, selection=chosen(5331, 23, 5, 3)),
        core_case("odd/core-five-heads", 5332, (14, 5, 6), 4, "Five heads share entries of 6 channels; shows heads "
                  "with entries of their own.", entries=3, selection=everything(14, 3, 4), choice=ALL),
        core_case("odd/core-window-128", 5333, (140, 2, 8), 128, "The released window of 128 and 140 tokens; shows "
                  "windows of 127 or 129, and none.", entries=1, selection=everything(140, 1, 128), choice=ALL),
        core_case("odd/core-unselected", 5334, (9, 3, 7), 3, "More entries than any token selects, some with large "
                  "values; shows entries attended to without being selected.", entries=11,
                  selection=np.random.default_rng(5334).permuted(np.tile(np.arange(11), (9, 1)), axis=1)[:, :4]),
        core_case("published/core", 5341, (13, 2, 512), 128, "Heads of 512 and the released window; shows another "
                  "attention scale than 512^-0.5.", entries=3, selection=chosen(5341, 13, 3, 3)),
    ]  # fmt: skip


def core_attention_cases() -> list[Case]:
    return window_cases() + selection_cases() + sink_cases() + larger_cases()
